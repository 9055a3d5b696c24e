"""Pictures that end the process: met once, tried alone by --resume, and given an error."""

from __future__ import annotations

import io
import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from commands import run
from facegauge import Scorer
from facegauge.errors import UsageError
from facegauge.remaining import score_remaining
from facegauge.results import FaceScore, ImageScore, Status
from facegauge.tables.notes import notes_path
from facegauge.tables.scores import ScoreTable, open_table, read_rows

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals")
KILLING = str(Path(__file__).with_name("killing_pictures.py"))
ALL = [".csv", ".jsonl", ".parquet"]
SLOW = pytest.mark.slow


def command(*words: object, stdin: bytes = b"") -> subprocess.CompletedProcess[str]:
    """Run facegauge, for which some pictures are deadly, in a process of its own."""
    line = [sys.executable, KILLING, *map(str, words)]
    done = subprocess.run(line, input=stdin, capture_output=True, check=False)
    out, said = done.stdout.decode(), done.stderr.decode()
    return subprocess.CompletedProcess(line, done.returncode, out, said)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Ten pictures, each with another score, in a folder."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(10):
        pixels = rng.integers(0, 20 + 20 * number, (64, 48, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return folder


def rename(folder: Path, number: int, way: str) -> str:
    """Make a picture deadly."""
    name = f"{number}-{way}.png"
    (folder / f"{number}.png").rename(folder / name)
    return name


def rows_of(table: Path, key: str = "path") -> dict[str, dict[str, Any]]:
    if table.suffix == ".csv" and key == "image":
        import csv

        with table.open(newline="") as file:
            rows: list[dict[str, Any]] = list(csv.DictReader(file))
    elif key == "image":
        import pyarrow.parquet

        rows = pyarrow.parquet.read_table(table).to_pylist()
    else:
        rows = list(read_rows(table))
    by_name = {Path(row[key]).name: row for row in rows}
    assert len(by_name) == len(rows)
    return by_name


@pytest.mark.parametrize("suffix", [pytest.param(one, marks=SLOW) for one in ALL[1:]] + ALL[:1])
def test_a_deadly_picture_gets_an_error_and_all_others_what_they_would_get(
    toy_scorer: Path, pictures: Path, tmp_path: Path, suffix: str
) -> None:
    deadly = rename(pictures, 4, "killed")
    usual, table = tmp_path / f"usual{suffix}", tmp_path / f"t{suffix}"
    words = ["score", pictures, "--scorer", toy_scorer, "--faces", "whole", "--threads", "2"]
    assert run(*words, "-o", usual).exit_code == 0
    words = [*words, "-o", table]
    died = command(*words)
    assert died.returncode == -signal.SIGKILL
    begun = tmp_path / f"t{suffix}.begun.jsonl"
    assert str(pictures / deadly) in map(json.loads, begun.read_text().splitlines())

    resumed = command(*words, "--resume")
    assert resumed.returncode == 3, resumed.stderr
    assert "killed while it had" in resumed.stderr and "Traceback" not in resumed.stderr
    expected, found = rows_of(usual), rows_of(table)
    assert list(found) == list(expected)  # in the same order
    row = found.pop(deadly)
    del expected[deadly]
    assert found == expected
    assert row["status"] == "error" and row["score"] is None
    assert row["message"] == (
        "this picture ended the process that opened it (signal 9, SIGKILL, perhaps for lack of "
        "memory)"
    )
    assert not begun.exists()
    assert json.loads(notes_path(table).read_text())["suspects"] == [str(pictures / deadly)]

    again = command(*words, "--resume")  # which tries errors once more, but not in its own process
    assert again.returncode == 3 and "1 picture failed before" in again.stderr
    assert rows_of(table)[deadly]["status"] == "error"

    assert run(*words, "--resume").exit_code == 0  # with a better decoder
    assert rows_of(table) == rows_of(usual)
    assert "suspects" not in json.loads(notes_path(table).read_text())


@pytest.mark.parametrize("way", ["segfault", "left"])
def test_two_deadly_pictures_in_a_list_with_doubles(
    toy_scorer: Path, pictures: Path, tmp_path: Path, way: str
) -> None:
    deadly = [rename(pictures, 0, way), rename(pictures, 9, "killed")]
    table = tmp_path / "t.jsonl"
    names = sorted(path.name for path in pictures.iterdir())
    listed = "\n".join(str(pictures / name) for name in [*names, deadly[0], names[3]]).encode()
    words = ["score", "-", "--scorer", toy_scorer, "--faces", "whole", "-o", table]
    assert command(*words, stdin=listed).returncode != 3
    resumed = command(*words, "--resume", stdin=listed)
    while resumed.returncode not in (0, 3):  # the second may not have been begun yet
        resumed = command(*words, "--resume", stdin=listed)
    rows = list(read_rows(table))
    failed = [Path(row["path"]).name for row in rows if row["status"] == "error"]
    assert set(failed) == set(deadly) and {row["status"] for row in rows} == {"ok", "error"}
    assert {Path(row["path"]).name for row in rows} == set(names)


@SLOW
@pytest.mark.parametrize("suffix", ALL)
def test_runs_that_are_killed_at_random_moments_end_with_the_same_rows(
    toy_scorer: Path, pictures: Path, tmp_path: Path, suffix: str
) -> None:
    deadly = {rename(pictures, 2, "killed"), rename(pictures, 7, "segfault")}
    for number in (1, 3, 5, 6, 8):
        rename(pictures, number, "slow")
    usual, table = tmp_path / f"usual{suffix}", tmp_path / f"t{suffix}"
    words = ["score", pictures, "--scorer", toy_scorer, "--faces", "whole", "--batch-size", "2"]
    assert run(*words, "-o", usual).exit_code == 0
    line = [sys.executable, KILLING, *map(str, words), "-o", str(table), "--resume"]
    rng = random.Random(suffix)
    for _ in range(8):
        process = subprocess.Popen(line, stderr=subprocess.DEVNULL)
        time.sleep(rng.uniform(0.3, 3))
        process.kill()
        process.wait()
    codes = [subprocess.run(line, check=False, capture_output=True).returncode for _ in range(4)]
    assert codes[-1] == 3
    expected, found = rows_of(usual), rows_of(table)
    assert {name for name, row in found.items() if row["status"] == "error"} == deadly
    for name in deadly:
        del expected[name], found[name]
    assert found == expected


@pytest.mark.parametrize("suffix", [".csv", pytest.param(".parquet", marks=SLOW)])
def test_a_deadly_picture_gets_no_label_and_all_others_theirs(
    toy_scorer: Path, pictures: Path, tmp_path: Path, suffix: str
) -> None:
    deadly = rename(pictures, 4, "killed")
    usual, table = tmp_path / f"usual{suffix}", tmp_path / f"t{suffix}"
    words = ["label", toy_scorer, "--data", pictures, "--faces", "whole", "--views", "2"]
    assert run(*words, "-o", usual).exit_code == 0
    words = [*words, "-o", table]
    assert command(*words).returncode == -signal.SIGKILL
    for _ in range(2):
        resumed = command(*words, "--resume")
        assert resumed.returncode == 3, resumed.stderr
        expected, found = rows_of(usual, "image"), rows_of(table, "image")
        row = found.pop(deadly)
        assert row["status"] == "error" and "(signal 9, SIGKILL" in row["message"]
        del expected[deadly]
        assert found == expected and list(found) == list(expected)
    assert run(*words, "--resume").exit_code == 0
    assert rows_of(table, "image") == rows_of(usual, "image")


def scored(path: str) -> ImageScore:
    return ImageScore(path, Status.OK, (FaceScore(0.5, 0, 1, 50.0, "good"),))


def failed(path: str) -> ImageScore:
    return ImageScore(path, Status.ERROR, (), "it failed")


def killed(table: ScoreTable, *names: str) -> None:
    """Leave a table as a run that is killed with these pictures in hand."""
    for name in names:
        table.begun(name)
    table._journal._file.close()


def test_a_suspect_in_memory_is_scored_in_another_process(
    toy_scorer: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scorer, file = Scorer(toy_scorer, faces="whole"), tmp_path / "t.csv"
    data = (pictures / "5.png").read_bytes()
    expected = scorer.score(("upload", data))
    killed(scorer.open_table(file), "upload", "<image 1>", "<image 2>")

    def here(*_: object) -> None:
        raise AssertionError("in this process")

    monkeypatch.setattr(Scorer, "score_iter", here)
    with scorer.open_table(file, resume=True) as table:
        sources = [("upload", data), data, io.BufferedReader(io.FileIO(pictures / "5.png"))]
        found = []
        for result in score_remaining(scorer, table, sources):
            table.write(result)
            found.append(result)
    assert found[0] == expected and found[1].faces == expected.faces
    assert [one.path for one in found] == ["upload", "<image 1>", "<image 2>"]
    assert found[2].status == "error" and "cannot be tried in a process" in found[2].message


def test_a_detector_that_cannot_be_pickled_is_named(toy_scorer: Path, tmp_path: Path) -> None:
    scorer = Scorer(toy_scorer, detector=lambda pixels: [])
    killed(scorer.open_table(tmp_path / "t.csv"), "a.png")
    with (
        pytest.raises(UsageError, match="use detectors and factors that can be pickled"),
        scorer.open_table(tmp_path / "t.csv", resume=True) as table,
    ):
        list(score_remaining(scorer, table, ["a.png"]))
    with scorer.open_table(tmp_path / "t.csv", resume=True) as table:
        assert table.is_suspect("a.png")


@pytest.mark.parametrize("suffix", ALL)
def test_what_is_a_suspect(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"t{suffix}"
    table = open_table(file)
    for name in "ab":
        table.begun(name)
        table.write(scored(name))
    killed(table, "c\nä\udcff", "d")
    with open_table(file, resume=True) as table:
        assert table.is_done("a") and not table.is_suspect("a")
        last = "" if table.is_done("b") else "b"  # the last picture's rows may not be complete
        assert all(map(table.is_suspect, ["c\nä\udcff", "./d", *last]))
        assert not table.is_suspect("e")
        table.write(scored("d"))
        table.write(failed("c\nä\udcff"))
    with open_table(file, resume=True) as table:
        assert not table.is_suspect("d") and table.is_suspect("c\nä\udcff")
        table.retry(["c\nä\udcff"])
        assert table.is_suspect("c\nä\udcff")
    killed(open_table(file, resume=True), "f")
    killed(open_table(file, overwrite=True), "g")  # a run that begins anew knows nothing of f
    with open_table(file, resume=True) as table:
        assert table.is_suspect("g") and not table.is_suspect("f")
        assert not table.is_suspect("c\nä\udcff")


@pytest.mark.parametrize("suffix", ALL)
def test_a_run_that_dies_at_its_first_picture_can_be_resumed(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"t{suffix}"
    killed(open_table(file), "a")
    with pytest.raises(UsageError, match="exists: resume it"):
        open_table(file)
    with open_table(file, resume=True) as table:
        assert table.is_suspect("a")


@pytest.mark.parametrize("error", [None, KeyboardInterrupt, ZeroDivisionError])
@pytest.mark.parametrize("suffix", ALL)
def test_a_run_that_ends_by_itself_leaves_no_suspect(
    tmp_path: Path, suffix: str, error: type[BaseException] | None
) -> None:
    file = tmp_path / f"t{suffix}"
    table = open_table(file)
    table.begun("a")
    begun = tmp_path / f"t{suffix}.begun.jsonl"
    assert begun.read_text() == '"a"\n'
    table.__exit__(error, error and error(), None)
    assert not begun.exists()
    with open_table(file, resume=True) as table:
        assert not table.is_suspect("a")


def test_suspects_that_were_not_tried_stay_suspects_after_ctrl_c(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    killed(open_table(file), "a", "b")
    with pytest.raises(KeyboardInterrupt), open_table(file, resume=True) as table:
        table.write(scored("a"))
        raise KeyboardInterrupt
    with open_table(file, resume=True) as table:
        assert table.is_suspect("b") and not table.is_suspect("a")


def test_damaged_lines_are_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    killed(open_table(file), "a")
    (tmp_path / "t.csv.begun.jsonl").write_bytes(b'"a"\n\0\0\n\xff\n7\n"b')
    with open_table(file, resume=True) as table:
        assert table.is_suspect("a") and not table.is_suspect("b")


def test_sorted_runs_note_nothing_for_none_of_their_rows_is_there_before_the_end(
    toy_scorer: Path, pictures: Path, tmp_path: Path
) -> None:
    rename(pictures, 9, "killed")
    words = ["score", pictures, "--scorer", toy_scorer, "--faces", "whole", "--sort", "score"]
    assert command(*words, "-o", tmp_path / "t.csv").returncode == -signal.SIGKILL
    assert not (tmp_path / "t.csv.begun.jsonl").exists()
