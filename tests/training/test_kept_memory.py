"""Freed memory stays with a process that trains."""

from __future__ import annotations

import platform
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from facegauge.training.kept_memory import KeptMemory, resident_memory

ALLOCATES = """
import resource, sys
import numpy as np
if sys.argv[1] == "keep":
    from facegauge.training.kept_memory import keep_freed_memory
    keep_freed_memory()
def faults():
    for _ in range(5):
        np.ones(200_000_000 // 8)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
first = faults()
print(faults() - first)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="elsewhere nothing is set")
def test_pages_are_not_asked_for_again() -> None:
    def faults(how: str) -> int:
        done = subprocess.run(
            [sys.executable, "-c", ALLOCATES, how], capture_output=True, text=True, check=True
        )
        return int(done.stdout)

    assert faults("keep") < 1000
    assert faults("leave") > 10 * max(1, faults("keep"))


def test_what_grows_is_given_back_and_what_is_needed_stays() -> None:
    given_back: list[int] = []
    has = iter([1, 9, 10, 10, 10, 12, 13, 14, 8, 8, 8, 8, 8, 10, 11, 0, 0, 0, 0, 0, 0])
    step = 0
    kept = KeptMemory(lambda: next(has), lambda: given_back.append(step))
    for step in range(1, 22):  # noqa: B007
        kept.look()
    assert given_back == [8, 15]


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="Linux tells it")
def test_memory_of_this_process() -> None:
    held = np.ones(300_000_000, np.uint8)  # in a test that ran before it may have been freed
    assert resident_memory() > held.nbytes
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    assert resident_memory() <= 1.05 * peak
