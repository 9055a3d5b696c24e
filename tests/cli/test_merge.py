"""`facegauge score --shard`, `label --shard`, `--path-column` and `merge`, as typed."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from commands import run
from facegauge.cli.pictures import Pictures
from facegauge.errors import UsageError
from facegauge.tables.shards import Shard

Write = Callable[..., Path]


@pytest.fixture
def photos(grey: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Eleven pictures and one that is damaged, in the folder `in` of the current one."""
    for number in range(11):
        grey(f"in/{number:02}.png", 20 * number)
    (tmp_path / "in" / "bad.png").write_text("damaged")
    monkeypatch.chdir(tmp_path)
    return [f"in/{name}.png" for name in [*(f"{number:02}" for number in range(11)), "bad"]]


@pytest.fixture
def score(toy_scorer: Path) -> Callable[..., Result]:
    def call(*arguments: str | Path, stdin: bytes = b"") -> Result:
        return run("score", "--scorer", toy_scorer, "--faces", "whole", *arguments, stdin=stdin)

    return call


def lines(table: str) -> list[str]:
    return sorted(Path(table).read_text().splitlines())


def test_shards_of_a_folder_and_of_lists_merge_to_one_run(score: Any, photos: list[str]) -> None:
    assert score("in", "-o", "whole.csv").exit_code == 3
    listed = "\n".join(reversed(photos)).encode()
    with Path("list.csv").open("w") as file:
        csv.writer(file).writerows([["id", "file"], *enumerate(photos), [99, photos[-1]], [0, ""]])
    sources = {1: ("in",), 2: ("-",), 3: ("list.csv", "--path-column", "file")}
    for number, given in sources.items():
        stdin = listed if number == 2 else b""
        done = score(*given, "--shard", f"{number}/3", "-o", f"part-{number}.csv", stdin=stdin)
        assert done.exit_code in (0, 3), done.stderr
    done = run("merge", "all.csv", *(f"part-{number}.csv" for number in (3, 1, 2)))
    assert done.exit_code == 0 and "all.csv: 3 shards, 12 pictures, 12 rows" in done.stderr
    assert lines("all.csv") == lines("whole.csv")
    assert "nothing left to do" not in score("in", "-o", "all.csv", "--resume").stderr  # bad.png
    assert lines("all.csv") == lines("whole.csv")
    refused = run("merge", "b.csv", "part-1.csv", "part-3.csv")
    assert refused.exit_code == 2 and refused.stderr.endswith("there is no part for 2\n")
    assert not Path("b.csv").exists()


def test_a_shard_without_a_picture_is_a_table_without_rows(score: Any, photos: list[str]) -> None:
    number = next(n for n in range(1, 101) if not any(name in Shard(n, 100) for name in photos))
    done = score("in", "--shard", f"{number}/100", "-o", "t.csv")
    assert done.exit_code == 0 and "0 pictures" in done.stderr
    assert len(lines("t.csv")) == 1


def test_a_shard_goes_on_as_the_same_shard(score: Any, photos: list[str]) -> None:
    assert score("in", "--shard", "1/2", "-o", "t.csv").exit_code in (0, 3)
    refused = score("in", "--shard", "2/2", "-o", "t.csv", "--resume")
    assert refused.exit_code == 2 and "shard was '1/2', is '2/2'" in refused.stderr
    refused = score("in", "-o", "t.csv", "--resume")
    assert refused.exit_code == 2 and "shard was '1/2', is None" in refused.stderr


def test_label_takes_shards_too(toy_scorer: Path, photos: list[str]) -> None:
    command = ("label", toy_scorer, "--data", "in", "--faces", "whole")
    assert run(*command, "-o", "whole.csv").exit_code == 3
    Path("parts").mkdir()
    for number in (1, 2):
        run(*command, "--shard", f"{number}/2", "-o", f"parts/{number}.csv")
    done = run("merge", "all.csv", "parts/1.csv", "parts/2.csv")
    assert done.exit_code == 0, done.stderr
    assert lines("all.csv") == lines("whole.csv")
    refused = run("merge", "all.jsonl", "parts/1.csv", "parts/2.csv")
    assert refused.exit_code == 2 and ".csv or .parquet" in refused.stderr
    Path("parts/2.csv").rename("2.csv")
    Path("parts/2.csv.settings.json").rename("2.csv.settings.json")
    refused = run("merge", "b.csv", "parts/1.csv", "2.csv")
    assert refused.exit_code == 2 and "2.csv does not go with parts/1.csv" in refused.stderr
    assert "it is in another folder" in refused.stderr


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_lists_with_columns(suffix: str, tmp_path: Path) -> None:
    names = ["a.jpg", "a.jpg", "b;c.jpg", "", "file:caf%E9.jpg", "a.jpg"]
    file = tmp_path / f"list.{suffix}"
    if suffix == "csv":
        file.write_text(
            "\ufeffid, file\n" + "".join(f"{n},{name}\n" for n, name in enumerate(names))
        )
    elif suffix == "jsonl":
        file.write_text(
            "".join(json.dumps({"id": 1, "file": name or None}) + "\n" for name in names)
        )
    else:
        arrow = pytest.importorskip("pyarrow.parquet")
        table = pytest.importorskip("pyarrow").table({"file": names, "id": range(len(names))})
        arrow.write_table(table, file)
    found = Pictures([str(file)], column="file")
    assert list(found.paths()) == ["a.jpg", "b;c.jpg", "caf\udce9.jpg", "a.jpg"]
    with pytest.raises(UsageError, match=r"has no column path; its columns are .*file"):
        Pictures([str(file)], column="path")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["in", "--shard", "3"], "expected a shard I/N, such as 3/8, got '3'"),
        (["in", "--shard", "3/2"], "I from 1 to N"),
        (["in", "--path-column", "x"], "in is no list with columns"),
        (["none.csv", "--path-column", "x"], "cannot read none.csv: No such file"),
        (["ragged.csv", "--path-column", "x"], "ragged.csv, row 3: expected 2 fields, got 1"),
        (["none.csv", "--path-column", "x", "--exclude", "y"], "--exclude goes with folders"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_2(
    score: Any, photos: list[str], arguments: list[str], message: str
) -> None:
    Path("ragged.csv").write_text("x,y\na.jpg,1\nb.jpg\n")
    done = score(*arguments, "-o", "t.csv")
    if "ragged" in message:  # found while the list is read
        assert Path("t.csv").exists()
    else:
        assert not Path("t.csv").exists()
    assert done.exit_code == 2 and message in done.stderr and done.stderr.count("\n") == 1


def test_a_long_list_is_never_held_in_memory(tmp_path: Path) -> None:
    with (tmp_path / "list.csv").open("w") as file:
        file.write("path\n")
        file.writelines(f"photos/{number:0100}.jpg\n" for number in range(30_000))  # 3.4 MB
    tracemalloc.start()
    try:
        pictures = Pictures([str(tmp_path / "list.csv")], column="path", shard=Shard(1, 3))
        share = sum(1 for _ in pictures.paths())
        assert share == sum(1 for _ in pictures.again()) and 9_500 < share < 10_500
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert pictures.listing.pictures == 30_000
    assert peak < 1_000_000


PICK = """
import sys
from facegauge.cli.pictures import Pictures
from facegauge.tables.shards import Shard

def peak():
    with open("/proc/self/status") as status:
        return int(status.read().split("VmHWM:")[1].split()[0]) / 1024

column = None if sys.argv[1] == "-" else "path"
pictures = Pictures([sys.argv[1]], column=column, shard=Shard(1, 10))
for number, _ in enumerate(pictures.paths()):
    if number == 10_000:
        early = peak()
print(pictures.listing.pictures, number + 1, peak() - early)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
@pytest.mark.parametrize("given", ["-", "list.csv", "list.jsonl", "list.parquet"])
def test_memory_does_not_grow_along_a_million_names(given: str, tmp_path: Path) -> None:
    """60 MB of names, of which one in ten is taken; from a tenth of the list on less than 20 MB."""
    listed = tmp_path / given
    names = (f"photos/{number:050}.jpg" for number in range(1_000_000))
    if given == "list.parquet":
        arrow = pytest.importorskip("pyarrow.parquet")
        arrow.write_table(pytest.importorskip("pyarrow").table({"path": list(names)}), listed)
    else:
        with listed.open("w") as file:
            file.write("path\n" if given == "list.csv" else "")
            line = '{{"path": "{}"}}\n' if given == "list.jsonl" else "{}\n"
            file.writelines(map(line.format, names))
    with open(listed if given == "-" else os.devnull, "rb") as stdin:  # noqa: PTH123
        done = subprocess.run(
            [sys.executable, "-c", PICK, given], stdin=stdin, cwd=tmp_path, capture_output=True,
            text=True, check=True,
        )  # fmt: skip
    every, share, grown = done.stdout.split()
    assert int(every) == 1_000_000 and 99_000 < int(share) < 101_000
    assert float(grown) < 20
