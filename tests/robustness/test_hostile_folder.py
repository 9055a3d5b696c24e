"""A folder of hostile files through the real command: a row each, little memory, little time."""

from __future__ import annotations

import csv
import os
import re
import resource
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from robustness.hostile import bombs, mutated, odd_things, valid_files

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(os, "wait4"), reason="needs the usage of a child"),
]

COUNT = 1150
LIMIT = 2**30  # bytes
STATUSES = {"ok", "no_face", "too_small", "unreadable", "too_large", "error"}


def score(folder: Path, table: Path, *options: str) -> tuple[Counter[str], int, float, set[str]]:
    """Run `facegauge score`; statuses, peak memory in bytes, CPU seconds and paths."""
    command = [sys.executable, "-m", "facegauge", "score", str(folder), "--threads", "4"]
    errors = table.with_suffix(".txt")
    with errors.open("wb") as stderr:
        child = subprocess.Popen([*command, *options, "-o", str(table)], stderr=stderr)
        peak, code, usage = waited(child.pid)
    child.returncode = os.waitstatus_to_exitcode(code)
    said = errors.read_text(errors="replace")
    assert child.returncode == 3, said[-500:]
    assert "Traceback" not in said
    with table.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        rows = list(csv.DictReader(file))
    paths = [row["path"] for row in rows]
    assert len(set(paths)) == len(paths)
    seconds = usage.ru_utime + usage.ru_stime
    return Counter(row["status"] for row in rows), peak, seconds, set(paths)


def waited(process: int) -> tuple[int, int, resource.struct_rusage]:
    """Wait for a child: its peak memory in bytes, its exit status and its usage.

    On Linux `ru_maxrss` also counts what this process had when it started the child.
    """
    status, peak, ended = Path(f"/proc/{process}/status"), 0, 0
    while not ended:
        if status.exists():
            found = re.search(r"VmHWM:\s+(\d+)", status.read_text())
            peak = max(peak, 1024 * int(found[1])) if found else peak
        ended, code, usage = os.wait4(process, os.WNOHANG)
        time.sleep(0 if ended else 0.02)
    unit = 1 if sys.platform == "darwin" else 1024
    return peak or usage.ru_maxrss * unit, code, usage


def test_damaged_files_and_odd_things(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name, data in mutated(COUNT):
        (folder / name).write_bytes(data)
    odd_things(folder, valid_files()["a.jpg"])
    statuses, memory, _, paths = score(folder, tmp_path / "a.csv", "--faces", "whole")
    wanted = sum(not entry.is_dir(follow_symlinks=False) for entry in os.scandir(folder)) + 1
    assert len(paths) == wanted
    assert set(statuses) <= STATUSES and not statuses["error"]
    assert statuses["ok"] > 100 and statuses["unreadable"] > 400
    assert memory < LIMIT


@pytest.mark.parametrize("name", [name for name, _ in bombs()])
def test_one_bomb(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / name).write_bytes(dict(bombs())[name])
    statuses, memory, seconds, _ = score(folder, tmp_path / "a.csv", "--detect-size", "640")
    assert statuses.total() == 1 and not statuses["error"]
    assert memory < LIMIT
    assert seconds < 30


def test_bombs_together(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name, data in bombs():
        for copy in ("a", "b"):
            (folder / f"{copy}-{name}").write_bytes(data)
    statuses, memory, _, paths = score(folder, tmp_path / "a.csv", "--faces", "whole")
    assert len(paths) == 2 * sum(1 for _ in bombs()) and not statuses["error"]
    assert memory < LIMIT
