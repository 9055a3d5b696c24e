"""Freed memory stays with a process that trains."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

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
