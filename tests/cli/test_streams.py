"""Streams that are closed or missing, lists in any encoding, and Ctrl-C at any moment."""

from __future__ import annotations

import codecs
import io
import os
import random
import signal
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from commands import MAIN, heeds_interrupts
from facegauge.cli import streams
from facegauge.cli.streams import PathList
from facegauge.errors import UsageError

NAMES = ["photos/a.jpg", "C:\\bilder\\ä b.png", "名前/鏡.jpg"]
posix = pytest.mark.skipif(os.name == "nt", reason="a shell and signals of POSIX")


def paths_in(data: bytes) -> list[str]:
    return list(PathList(io.BytesIO(data)))


@pytest.mark.parametrize("chunk", [4, 1 << 20])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("bom", [True, False])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_lists_of_any_encoding(
    encoding: str, bom: bool, end: str, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = end.join(["", *NAMES, "   ", "", NAMES[0], ""])
    data = (("\ufeff" if bom else "") + text).encode(encoding)
    paths = PathList(io.BytesIO(data))
    monkeypatch.setattr(streams, "CHUNK", chunk)  # once the encoding is known
    assert list(paths) == [*NAMES, NAMES[0]]


def test_a_long_list_is_not_held_in_memory_and_read_by_several_at_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(streams, "IN_MEMORY", 1000)
    monkeypatch.setattr(streams, "CHUNK", 1 << 16)
    long = tmp_path / "list.txt"
    with long.open("w") as file:
        file.writelines(f"photos/{number:0100}.jpg\n" for number in range(60_000))  # 6.8 MB
    tracemalloc.start()
    try:
        with long.open("rb") as file:
            paths = PathList(file)
        one, other = iter(paths), iter(paths)
        assert [next(one), next(one)] == [next(other), next(other)]
        assert sum(1 for _ in one) == sum(1 for _ in other) == 59_998
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2_000_000


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_a_single_path_is_never_taken_for_its_letters(encoding: str) -> None:
    assert paths_in("./a.jpg".encode(encoding)) == ["./a.jpg"]
    assert paths_in("a.jpg".encode(encoding)) == ["a.jpg"]


def test_lists_of_nul_stay_lists() -> None:
    assert paths_in(b"./a.jpg\0./b.jpg\0") == ["./a.jpg", "./b.jpg"]
    assert paths_in(b"a\0b\0c\0") == ["a", "b", "c"]
    assert paths_in(b"a\nb.jpg\0c.jpg\0") == ["a\nb.jpg", "c.jpg"]
    assert paths_in(b"\xef\xbb\xbfa.jpg\0b.jpg") == ["a.jpg", "b.jpg"]
    assert paths_in(b"") == paths_in(b"\0\0") == paths_in(codecs.BOM_UTF16_LE) == []


@pytest.mark.parametrize("data", [b"\xff\xfea", b"\xff\xfe\0\xd8", b"\xff\xfe\0\0abc"])
def test_what_cannot_be_decoded_is_one_line(data: bytes) -> None:
    with pytest.raises(UsageError, match=r"^stdin has a list that begins as UTF-\d\d-LE .*line$"):
        paths_in(data)


@posix
@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_no_error(
    toy_scorer: Path, grey: Any, tmp_path: Path, closed: str
) -> None:
    picture = grey("in/a.png", 51)
    words = ["--scorer", str(toy_scorer), "--faces", "whole"]
    for command in (
        ["score", picture, *words, "-o", "t.csv", "--overwrite"],
        ["score", picture, *words],
        ["best", picture, *words],
        ["models"],
        ["score", "-", *words],
    ):
        line = " ".join(f"'{word}'" for word in [*MAIN, *map(str, command)])
        done = subprocess.run(
            ["/bin/sh", "-c", f"{line} {closed}"],
            stdin=subprocess.DEVNULL,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == (2 if "-" in command else 0), (command, done.stderr)
        assert "Traceback" not in done.stderr and "rror" not in done.stderr
    lines = (tmp_path / "t.csv").read_text().splitlines()
    assert len(lines) == 2 and lines[1].startswith(f"{picture},0,ok,")


@pytest.mark.slow
@posix
def test_ctrl_c_at_any_moment_is_one_line_and_130(
    toy_scorer: Path, grey: Any, tmp_path: Path
) -> None:
    for number in range(60):
        grey(f"in/{number}.png", number, (600, 800))
    command = [*MAIN, "score", str(tmp_path / "in"), "--scorer", str(toy_scorer), "-o"]
    command += [str(tmp_path / "t.csv"), "--overwrite"]
    rng, stopped = random.Random(0), 0
    for _ in range(12):
        with subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=heeds_interrupts,  # noqa: PLW1509  (no threads here)
        ) as process:
            time.sleep(rng.uniform(0.12, 1.2))
            process.send_signal(signal.SIGINT)
            _, said = process.communicate()
        if "site" in said and "facegauge" not in said:
            continue  # python itself was starting
        assert "Traceback" not in said, said
        if process.returncode == 130:
            stopped += 1
            assert said.count("\n") == 1 and said.startswith("facegauge: stopped"), said
        else:
            assert process.returncode in (0, 3, -signal.SIGINT), (process.returncode, said)
    assert stopped >= 3


@pytest.mark.parametrize("module", ["facegauge.cli.terminal", "facegauge.cli.best"])
def test_ctrl_c_while_it_is_imported(module: str) -> None:
    code = (
        "import sys\n"
        "class Stop:\n"
        "    def find_spec(self, name, *_):\n"
        f"        if name == '{module}': raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Stop())\n"
        "sys.argv = ['facegauge', 'best', '--help']\n"
        "from facegauge.__main__ import main\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (130, "facegauge: stopped\n")
