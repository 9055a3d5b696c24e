"""`facegauge score` and `facegauge best`, as typed."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image
from typer.testing import Result

from commands import MAIN, run
from facegauge import placing, scorer
from facegauge.cli import best, pictures, sinks, streams
from facegauge.errors import UsageError
from facegauge.faces import extraction
from facegauge.factors import FACTORS
from facegauge.ratings import COLUMNS as RATED
from facegauge.results import COLUMNS
from facegauge.tables.notes import read_notes
from facegauge.tables.scores import read_rows

EXAMPLE = Path(__file__).parents[2] / "examples" / "astronaut.jpg"
Write = Callable[..., Path]


@pytest.fixture
def score(toy_scorer: Path) -> Callable[..., Result]:
    """Runs `facegauge score` with the toy scorer on whole pictures."""

    def call(*arguments: str | Path, stdin: bytes = b"") -> Result:
        return run("score", "--scorer", toy_scorer, "--faces", "whole", *arguments, stdin=stdin)

    return call


def csv_rows(text: str) -> list[dict[str, str]]:
    reader = csv.DictReader(io.StringIO(text, newline=""))
    assert tuple(reader.fieldnames or ()) == COLUMNS.names
    return list(reader)


def paths(table: Path) -> list[str]:
    return [row["path"] for row in read_rows(table)]


def test_a_gate_ends_with_its_own_code(score: Any, grey: Write) -> None:
    light, dark = grey("in/light.png", 204), grey("in/dark.png", 51)
    bad = light.parent / "bad.png"
    bad.write_text("no picture")
    assert score(light, "--min-score", "0.5").exit_code == 0
    found = score(light, dark, "--min-score", "0.5")
    assert found.exit_code == 4 and "1 of 2 pictures below 0.5" in found.stderr
    assert len(csv_rows(found.stdout)) == 2
    found = score(light, bad, "--min-score", "0.1")  # what has no score does not pass
    assert found.exit_code == 4 and "1 of 2 pictures below 0.1" in found.stderr
    assert score(light, bad).exit_code == 3


def test_the_last_line_is_on_the_whole(score: Any, grey: Write) -> None:
    for number, level in enumerate([51, 102, 153]):
        grey(f"in/{number}.png", level)
    # the mean is 0.4 and the standard deviation 0.2; t for two degrees of freedom is about 4.2
    said = score(grey("in/0.png", 51).parent).stderr
    assert re.search(
        r"; mean score 0\.400 \(0\.000 to 0\.8\d\d\); 1 poor, 1 fair, 1 excellent$", said
    )


def test_a_pipe_gets_csv_and_stderr_the_summary(score: Any, grey: Write) -> None:
    first, second = grey("in/a.png", 51), grey("in/deep/b.jpg", 102)
    result = score(first.parent)
    assert result.exit_code == 0, result.stderr
    rows = csv_rows(result.stdout)
    assert [row["path"] for row in rows] == [str(first), str(second)]
    assert [float(row["score"]) for row in rows] == pytest.approx([0.2, 0.4], abs=1e-5)
    assert [row["status"] for row in rows] == ["ok", "ok"]
    assert (float(rows[0]["low"]), float(rows[0]["high"])) == pytest.approx((0.1, 0.35), abs=1e-5)
    assert result.stderr == (
        "facegauge: 2 pictures, 2 faces, 0 without a face, 0 failed; "
        "mean score 0.300; 1 poor, 1 fair\n"
    )


def test_some_failed_is_exit_3_and_every_path_has_its_row(score: Any, grey: Write) -> None:
    good = grey("a.png", 51)
    missing = str(good.parent / "no\nsuch.png")
    result = score(good, missing)
    assert result.exit_code == 3
    rows = csv_rows(result.stdout)
    assert [(row["path"], row["status"]) for row in rows] == [
        (str(good), "ok"),
        (missing, "unreadable"),
    ]
    assert rows[1]["message"]
    assert "2 pictures, 1 face, 0 without a face, 1 failed" in result.stderr


def test_faces_are_searched_by_default(
    toy_scorer: Path, grey: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extraction, "CenterFace", lambda **_: lambda pixels: [])
    result = run("score", "--scorer", toy_scorer, grey("a.png", 51))
    assert result.exit_code == 3
    assert csv_rows(result.stdout)[0]["status"] == "no_face"
    assert "1 picture, 0 faces, 1 without a face, 0 failed" in result.stderr


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_a_table_is_written_and_resumed(
    score: Any, grey: Write, tmp_path: Path, suffix: str
) -> None:
    folder, table = tmp_path / "in", tmp_path / f"t.{suffix}"
    grey("in/a.png", 51)
    result = score(folder, "-o", table)
    assert (result.exit_code, result.stdout) == (0, "")
    assert score(folder, "-o", table).exit_code == 2
    grey("in/b.png", 102)
    result = score(folder, "-o", table, "--resume")
    assert result.exit_code == 0
    assert "1 picture more, 1 face," in result.stderr
    assert paths(table) == [str(folder / "a.png"), str(folder / "b.png")]
    assert "nothing left to do" in score(folder, "-o", table, "--resume").stderr
    result = score(folder, "-o", table, "--resume", "--min-face", "30")
    assert result.exit_code == 2
    assert "min_face was 24.0, is 30.0" in result.stderr
    (folder / "a.png").unlink()
    assert score(folder, "-o", table, "--overwrite").exit_code == 0
    assert paths(table) == [str(folder / "b.png")]


def test_detect_size_is_kept_with_the_table(toy_scorer: Path, tmp_path: Path) -> None:
    group = Image.new("RGB", (2400, 1600), (150, 150, 140))
    portrait = Image.open(EXAMPLE).resize((300, 300))
    for x in (0, 800, 1600):
        group.paste(portrait, (x, 500))
    (tmp_path / "in").mkdir()
    group.save(tmp_path / "in" / "group.png")

    def into(table: str, *options: str) -> Result:
        return run(
            "score", "--scorer", toy_scorer, "-o", tmp_path / table, tmp_path / "in", *options
        )

    assert into("all.csv").exit_code == 0 and len(paths(tmp_path / "all.csv")) == 3
    assert into("few.csv", "--detect-size", "160").exit_code == 3
    (row,) = read_rows(tmp_path / "few.csv")
    assert row["status"] == "no_face" and "a detect size of 160" in row["message"]
    unlimited, limited = (read_notes(tmp_path / name).settings for name in ("all.csv", "few.csv"))
    assert "detect_size" not in unlimited and limited["detect_size"] == 160
    refused = into("few.csv", "--resume")
    assert refused.exit_code == 2 and "detect_size was 160, is None" in refused.stderr
    assert into("all.csv", "--resume").exit_code == 0
    assert into("x.csv", "--detect-size", "31").exit_code == 2


@pytest.mark.parametrize(
    ("sort", "expected"),
    [("path", "abcd"), ("score", "cadb"), ("-score", "dacb")],
)
def test_sort(score: Any, grey: Write, tmp_path: Path, sort: str, expected: str) -> None:
    given = [grey(f"{name}.png", level) for name, level in [("d", 90), ("c", 20), ("a", 50)]]
    (tmp_path / "b.png").write_text("damaged")
    result = score(*given, tmp_path / "b.png", "--sort", sort)
    assert "".join(Path(row["path"]).stem for row in csv_rows(result.stdout)) == expected


def test_a_name_that_ends_in_a_carriage_return_keeps_it_between_nuls(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a\r\0b\0")))
    assert list(pictures.Given(["-"])) == ["a\r", "b"]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\0"])
def test_paths_from_stdin(score: Any, grey: Write, end: bytes) -> None:
    folder = grey("in/a.png", 51).parent
    listed = [folder, grey("b ' ä.png", 51)]
    if end == b"\0":
        listed.append(grey("c\nd.png", 51))
    result = score("-", stdin=b"".join(os.fsencode(path) + end for path in listed) + end)
    found = [row["path"] for row in csv_rows(result.stdout)]
    assert found == [str(folder / "a.png"), *map(str, listed[1:])]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["score", "EMPTY"], "no pictures found in"),
        (["score", "-"], "no pictures found in an empty list"),
        (["score", "EMPTY", "--sort", "size"], "path, score, -score, got size"),
        (["score", "EMPTY", "--resume"], "-o FILE"),
        (["score", "EMPTY", "-o", "t.csv", "--resume", "--overwrite"], "--resume goes neither"),
        (["score", "x.png", "--scorer", "EMPTY"], "neither a scorer folder"),
        (["score", "x.png", "--scorer", "TOY", "--faces", "some"], "got 'some'"),
        (["score", "x.png", "--scorer", "TOY", "-o", "t.xls"], ".csv, .jsonl or .parquet"),
        (["best", "EMPTY"], "no pictures found in"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_2(
    toy_scorer: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    (tmp_path / "empty").mkdir()
    places = {"EMPTY": str(tmp_path / "empty"), "TOY": str(toy_scorer)}
    result = run(*(places.get(argument, argument) for argument in arguments))
    assert result.exit_code == 2
    assert message in result.stderr
    assert re.fullmatch(r"facegauge: [^\n]+\n", result.stderr)
    assert result.stdout == ""


def test_ctrl_c_is_one_line_and_keeps_the_rows(
    score: Any, grey: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / "t.csv"
    real = scorer.Scorer.score_iter

    def interrupted(self: scorer.Scorer, sources: Any) -> Any:
        yield next(iter(real(self, sources)))
        raise KeyboardInterrupt

    monkeypatch.setattr(scorer.Scorer, "score_iter", interrupted)
    given = [grey("a.png", 51), grey("b.png", 51)]
    monkeypatch.setattr(sys, "argv", ["facegauge", "score", "my faces", "-o", "t.csv"])
    result = score(*given, "-o", table)
    assert result.exit_code == 130
    expected = "stopped: continue with: facegauge score 'my faces' -o t.csv --resume"
    assert result.stderr == f"facegauge: {expected}\n"
    assert paths(table) == [str(given[0])]
    result = score(*given)
    assert (result.exit_code, result.stderr) == (130, "facegauge: stopped\n")


@pytest.mark.skipif(os.name == "nt", reason="signals and pipes differ there")
def test_a_reader_that_leaves_is_no_error(toy_scorer: Path, grey: Write) -> None:
    command = [*MAIN, "score", "--scorer", str(toy_scorer), "--faces", "whole"]
    command += [str(grey("a.png", 51))] * 2000
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141


@pytest.mark.skipif(os.name == "nt", reason="signals differ there")
def test_a_killed_run_is_resumed_without_gap_or_double(
    toy_scorer: Path, grey: Write, tmp_path: Path
) -> None:
    for number in range(400):
        grey(f"in/{number:03}.png", number % 256, (300, 400))
    table = tmp_path / "t.csv"
    command = [*MAIN, "score", "--scorer", str(toy_scorer), "--faces", "whole", "-o", str(table)]
    with subprocess.Popen([*command, str(tmp_path / "in")]) as process:
        while not (table.exists() and table.stat().st_size > 2000) and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert subprocess.run([*command, str(tmp_path / "in"), "--resume"], check=False).returncode == 0
    assert paths(table) == [str(tmp_path / "in" / f"{number:03}.png") for number in range(400)]


def test_a_terminal_gets_rows_as_they_come_without_tricks(
    score: Any, grey: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sinks, "_Piped", sinks._Shown)
    nasty = grey("[red]x[/red]\x1b[2J\n.png", 80)
    result = score(nasty, nasty.parent / "gone.png")
    assert "[red]x[/red]\\x1b[2J\\n.png" in result.stdout
    assert "\x1b" not in result.stdout
    header, first, second = result.stdout.splitlines()
    assert header.split() == ["score", "low-high", "percentile", "band", "face", "notes", "picture"]
    assert re.fullmatch(r"0\.314 +0\.21-0\.46 +31 +fair +0 +tiny grey flat  .*png", first)
    assert re.fullmatch(r" +unreadable +.*gone\.png  \(no such file.*\)", second)


def test_rows_are_shown_one_by_one(
    capsys: pytest.CaptureFixture[str], toy_scorer: Path, tmp_path: Path
) -> None:
    result = scorer.Scorer(toy_scorer).score(tmp_path / "no.png")
    with sinks._Shown(COLUMNS) as shown:
        shown.write(result)
        assert "no.png" in capsys.readouterr().out
        shown.write(result)
        assert capsys.readouterr().out.count("\n") == 1  # the header is not repeated


def test_a_list_on_stdin_that_is_no_text_is_said_to_be_none(
    monkeypatch: pytest.MonkeyPatch, score: Any
) -> None:
    def strictly(path: bytes) -> str:
        return path.decode("utf-8")  # as on Windows

    monkeypatch.setattr(streams.os, "fsdecode", strictly)
    result = score("-", stdin=b"caf\xe9.png\n")
    assert result.exit_code == 2 and r"stdin has the path b'caf\xe9.png'" in result.stderr


def test_what_is_left_out_of_folders_is_one_line(
    score: Any, toy_scorer: Path, grey: Write, tmp_path: Path
) -> None:
    folder = grey("in/a.png", 51).parent
    for name in ("b.dng", "c.nef", "d.jxl", "e.txt", "@eaDir/f.png", "thumbs/g.png"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes((folder / "a.png").read_bytes())
    (folder / "a.png").rename(folder / "a")
    line = (
        "4 files left out: 1 .dng (camera raw), 1 .jxl (JPEG XL), 1 .nef (camera raw), 1 .txt; "
        "1 system folder left out: @eaDir"
    )
    table = tmp_path / "table.csv"
    for arguments in ((), ("-o", table), ("-o", table, "--resume")):
        result = score(folder, "--exclude", "thumbs", *arguments)
        assert result.exit_code == 0
        assert result.stderr.splitlines().count(f"facegauge: {line}") == 1, result.stderr
    assert paths(table) == [str(folder / "a")]
    chosen = run(
        *("best", "--scorer", toy_scorer, "--faces", "whole", folder, "--exclude", "thumbs")
    )
    assert chosen.exit_code == 0 and chosen.stderr.count(line) == 1
    assert "thumbs" not in chosen.stdout and "@eaDir" not in chosen.stdout
    (folder / "a").unlink()
    nothing = score(folder, "--exclude", "thumbs")
    assert nothing.exit_code == 2 and line in nothing.stderr


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_what_failed_is_tried_again_and_named_while_it_lasts(
    score: Any, grey: Write, tmp_path: Path, suffix: str
) -> None:
    sound, away, table = grey("a.png", 51), tmp_path / "b.png", tmp_path / f"t.{suffix}"
    score(sound, away, "-o", table)
    result = score(sound, away, "-o", table, "--resume")
    assert result.exit_code == 3
    assert result.stderr == (
        "facegauge: 1 picture failed before and will be tried again\n"
        "facegauge: 1 picture more, 0 faces, 0 without a face, 1 failed\n"
    )
    result = score(sound, "-o", table, "--resume")
    assert result.exit_code == 3 and "holds every picture, of which 1 failed\n" in result.stderr
    result = score(grey("c.png", 51), "-o", table, "--resume")
    assert result.exit_code == 3 and "0 failed; 1 of earlier runs failed; mean" in result.stderr
    grey("b.png", 102)
    result = score(sound, away, "-o", table, "--resume")
    assert result.exit_code == 0 and "1 picture more, 1 face" in result.stderr
    rows = [(Path(row["path"]).name, row["status"]) for row in read_rows(table)]
    assert rows == [("a.png", "ok"), ("c.png", "ok"), ("b.png", "ok")]
    result = score(sound, away, "-o", table, "--resume")
    assert result.exit_code == 0 and result.stderr.endswith("the table holds every picture\n")


@pytest.fixture
def folders(grey: Write) -> Path:
    for name, level in {"a/1.png": 50, "a/2.png": 150, "b/2.png": 200, "b/3.png": 60}.items():
        grey(f"in/{name}", level)
    folder = grey("in/b/4.png", 30).parent.parent
    (folder / "bad.png").write_text("bad")
    return folder


def names(text: str) -> list[str]:
    return re.findall(r"(\w/\d)\.png", text)


def test_best(toy_scorer: Path, folders: Path) -> None:
    result = run("best", folders, "--scorer", toy_scorer, "--faces", "whole", "--top", "3")
    assert result.exit_code == 0
    assert names(result.stdout) == ["b/2", "a/2", "b/3"]
    assert "6 pictures, 5 faces, 0 without a face, 1 failed" in result.stderr
    arguments = ["--scorer", toy_scorer, "--faces", "whole", "--top", "1", "--per-folder"]
    result = run("best", folders, *arguments)
    assert names(result.stdout) == ["a/2", "b/2"]
    assert run("best", folders / "bad.png", "--scorer", toy_scorer).exit_code == 3


def test_a_pipe_gets_the_paths_and_nothing_else(toy_scorer: Path, folders: Path) -> None:
    strange = folders / "b" / os.fsdecode(b"caf\xe9\n.png")
    (folders / "b" / "2.png").rename(strange)
    arguments = ["best", folders, "--scorer", toy_scorer, "--faces", "whole", "-n", "2"]
    chosen = [os.fsencode(strange), os.fsencode(folders / "a" / "2.png")]
    assert run(*arguments).stdout_bytes == b"".join(path + b"\n" for path in chosen)
    listed = run(*arguments, "--null").stdout_bytes
    assert listed == b"".join(path + b"\0" for path in chosen)
    again = run("score", "-", "--scorer", toy_scorer, "--faces", "whole", stdin=listed)
    assert again.exit_code == 0 and "2 pictures, 2 faces" in again.stderr


def test_a_terminal_gets_a_table(
    toy_scorer: Path, folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = SimpleNamespace(stdout=SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr(best, "sys", terminal)
    shown: list[Any] = []
    monkeypatch.setattr(best, "print_table", lambda titles, rows: shown.extend([titles, *rows]))
    run("best", folders, "--scorer", toy_scorer, "--faces", "whole", "-n", "1", "--per-folder")
    assert shown[0] == ("/folder", ">place", ">score", "/picture")
    assert shown[2] == (str(folders / "b"), "1", "0.784", "2.png")


def test_the_chosen_pictures_as_a_table(toy_scorer: Path, folders: Path, tmp_path: Path) -> None:
    table = tmp_path / "best.csv"
    arguments = ["best", folders, "--scorer", toy_scorer, "--faces", "whole", "-o", table]
    assert run(*arguments, "--min-score", "0.5").exit_code == 0
    rows = [(Path(row["path"]).parent.name, row["score"]) for row in read_rows(table)]
    assert rows == [("b", pytest.approx(200 / 255, 1e-5)), ("a", pytest.approx(150 / 255, 1e-5))]
    for options, words in (
        ([], "exists: replace it"),
        (["--overwrite", "--by", "median"], "expected --by to be one of best, worst, mean"),
        (["-o", table / "t.csv"], "cannot make the folder"),
        (["-o", tmp_path / "t.txt"], "to end in .csv, .jsonl or .parquet"),
    ):
        result = run(*arguments, *options)
        assert result.exit_code == 2 and words in result.stderr, options
    assert run(*arguments, "--overwrite", "--min-score", "0.9").exit_code == 3  # none is
    assert list(read_rows(table)) == []


def test_copies_of_a_repeated_run_are_there_once(
    toy_scorer: Path, folders: Path, tmp_path: Path
) -> None:
    chosen = tmp_path / "chosen" / "here"
    for _ in range(2):
        arguments = ["--scorer", toy_scorer, "--faces", "whole", "--top", "2"]
        assert run("best", folders, *arguments, "--copy-to", chosen).exit_code == 0
    copies = [file for file in chosen.rglob("*") if file.is_file()]
    assert sorted(file.relative_to(chosen).as_posix() for file in copies) == [
        *("a/2.png", "b/2.png")
    ]
    for file in copies:
        picture = folders / file.parent.name / "2.png"
        assert file.read_bytes() == picture.read_bytes()


def test_a_picture_named_twice_is_chosen_once(toy_scorer: Path, folders: Path) -> None:
    twice = [folders, folders / "b", folders / "a" / ".." / "b/2.png"]
    result = run("best", *twice, "--scorer", toy_scorer, "--faces", "whole", "--top", "2")
    assert names(result.stdout) == ["b/2", "a/2"]


def test_copies_of_an_earlier_run_are_not_chosen(toy_scorer: Path, folders: Path) -> None:
    arguments = ["--scorer", toy_scorer, "--faces", "whole", "--top", "2"]
    for _ in range(2):
        result = run("best", folders, *arguments, "--copy-to", folders / "top")
        assert names(result.stdout) == ["b/2", "a/2"]


def test_a_place_for_copies_is_tried_before_scoring(
    folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(best, "open_scorer", lambda *_, **__: pytest.fail("it scores"))
    result = run("best", folders, "--copy-to", folders / "bad.png")
    assert result.exit_code == 2 and "cannot make the folder" in result.stderr


def test_a_copy_that_fails_does_not_lose_the_table(
    toy_scorer: Path, folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = placing.Place.copy

    def gone(place: placing.Place, picture: Path) -> Path:
        if picture.parent.name == "b":
            raise UsageError("cannot copy it")
        return copy(place, picture)

    monkeypatch.setattr(placing.Place, "copy", gone)
    arguments = ["--scorer", toy_scorer, "--faces", "whole", "--top", "2"]
    result = run("best", folders, *arguments, "--copy-to", folders / "top")
    assert result.exit_code == 3 and names(result.stdout) == ["b/2", "a/2"]
    assert "cannot copy it" in result.stderr
    assert [file.name for file in (folders / "top").rglob("*.png")] == ["2.png"]


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_a_factor_has_columns_of_its_own(
    score: Any, grey: Write, tmp_path: Path, suffix: str
) -> None:
    table = tmp_path / f"t.{suffix}"
    picture = grey("in/a.png", 51, (96, 128))
    result = score(picture, "--factor", "resolution", "-o", table)
    assert result.exit_code == 0, result.stderr
    grey("in/b.png", 51)
    result = score(picture.parent, "--factor", "resolution", "-o", table, "--resume")
    assert "1 picture more" in result.stderr
    assert [(row["upscale"], row["face_width"]) for row in read_rows(table)] == [
        (0.25, None),
        (0.5, None),
    ]
    result = score(picture.parent, "-o", table, "--resume")
    assert result.exit_code == 2
    assert "factors was ['resolution'], is None; repeat the old ones" in result.stderr
    assert result.stderr.count("\n") == 1


def test_factors_in_a_pipe_and_on_a_terminal(
    score: Any, grey: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture, missing = grey("a.png", 51, (70, 128)), "gone.png"
    names = ["face_width", "face_height", "eye_distance", "upscale"]
    result = score(picture, missing, "--factor", "resolution")
    first, second = csv.DictReader(io.StringIO(result.stdout, newline=""))
    assert list(first)[-4:] == names
    assert (first["upscale"], second["upscale"]) == ("0.342857", "")
    monkeypatch.setattr(sinks, "_Piped", sinks._Shown)
    result = score(picture, missing, "--factor", "resolution")
    header, first_line, second_line = result.stdout.splitlines()
    assert header.split()[5:] == [*names, "notes", "picture"]
    assert re.fullmatch(rf"0\.200 .* 0 +0\.3429  tiny grey flat  {picture}", first_line)
    assert first_line.index("0.3429") + len("0.3429") == header.index("upscale") + len("upscale")
    assert re.fullmatch(r" +unreadable +gone\.png  \(no such file.*\)", second_line)


def test_factors_of_quality_have_columns_and_problems_on_a_terminal(
    score: Any, grey: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture, table = grey("in/a.png", 51, (70, 128)), tmp_path / "t.csv"
    result = score(picture, "--factors", "-o", table)
    assert result.exit_code == 0, result.stderr
    (row,) = read_rows(table)
    assert list(row)[-20:] == list(RATED.names)
    assert row["factor_resolution"] > 0 and row["rating_resolution"] == 0
    settings = json.loads((tmp_path / "t.csv.settings.json").read_text())
    assert "quality" in json.dumps(settings)
    result = score(picture.parent, "-o", table, "--resume")
    assert result.exit_code == 2 and "factors was ['quality'], is None" in result.stderr
    assert score(picture.parent, "--factor", "quality", "-o", table, "--resume").exit_code == 0
    both = score(picture, "--factors", "--factor", "quality")
    assert both.exit_code == 2 and "two factors are named quality" in both.stderr
    monkeypatch.setattr(sinks, "_Piped", sinks._Shown)
    header, line, missing = score(picture, "gone.png", "--factors").stdout.splitlines()
    assert header.split()[5:] == ["notes", "problems", "picture"]
    assert "resolution" in line and "gone.png" in missing


def test_a_wrong_factor_is_one_line(score: Any, grey: Write) -> None:
    result = score(grey("a.png", 51), "--factor", "resolutoin")
    assert result.exit_code == 2 and result.stdout == ""
    expected = "facegauge: there is no factor 'resolutoin'; did you mean resolution?\n"
    assert result.stderr == expected


def test_the_help_names_every_factor() -> None:
    text = " ".join(run("score", "--help", env={"COLUMNS": "200"}).stdout.split())
    assert "in its own columns: quality, resolution or skin; may be repeated" in text
    assert sorted(FACTORS) == ["quality", "resolution", "skin"]


def test_csv_for_spreadsheets_and_names_read_from_it(
    score: Any, grey: Write, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    names = ["=1+1.png", os.fsdecode(b"caf\xe9.png"), "a.png"]
    for name in names:
        grey(name, 51)
    piped = score(*names, "--excel")
    assert piped.stdout_bytes.startswith(b"\xef\xbb\xbfpath,")
    (cells,) = [[line.split(",")[0] for line in piped.stdout.splitlines()[1:]]]
    assert cells == ["file:%3D1%2B1.png", "file:caf%E9.png", "a.png"]
    again = score("-", "-o", "t.csv", stdin="\n".join(cells).encode())
    assert again.exit_code == 0
    assert (
        [row["path"] for row in csv_rows((tmp_path / "t.csv").read_text())]
        == [
            "=1+1.png",  # without --excel formulas are not guarded
            *cells[1:],
        ]
    )
    (tmp_path / "file:a.png").symlink_to("a.png")
    assert ",ok," in score("-", stdin=b"file:a.png").stdout
    assert "is a CSV file" in score("a.png", "--excel", "-o", "t.jsonl").stderr


@pytest.mark.parametrize("verb", ["score", "best"])
def test_a_list_that_is_taken_as_a_picture_is_told(
    toy_scorer: Path, folders: Path, tmp_path: Path, verb: str
) -> None:
    listed = tmp_path / "photos.csv"
    listed.write_text(f"file\n{folders / 'a' / '2.png'}\n")
    words = [listed, "--scorer", toy_scorer, "--faces", "whole"]
    taken = run(verb, *words)
    assert taken.exit_code == 3 and "photos.csv is taken as a picture" in taken.stderr
    assert "--path-column NAME" in taken.stderr
    read = run(verb, *words, "--path-column", "file")
    assert read.exit_code == 0 and "taken as" not in read.stderr
    assert str(folders / "a" / "2.png") in read.stdout
