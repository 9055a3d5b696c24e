"""Freed memory stays with the process that trains, within bounds."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from facegauge.images.memory import give_back_freed

TRIM_THRESHOLD, MMAP_MAX = -1, -4  # of glibc's mallopt
NEVER = -1
SETTLING = 5  # steps in which a run takes what it needs
MOST = 1.3  # times that


def keep_freed_memory() -> None:
    """Keep freed memory for what is allocated next, in this process and those that it starts.

    A step allocates gigabytes and frees them. glibc gives large blocks back to the system, which
    clears every page before it hands it out again: of a step of `mobile` on two cores that was half
    of the time. Other C libraries are left as they are.
    """
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            mallopt = ctypes.CDLL(None).mallopt
            mallopt(MMAP_MAX, 0)
            mallopt(TRIM_THRESHOLD, NEVER)


class KeptMemory:
    """Gives freed memory back where the memory of a run grows all the same.

    Blocks of many sizes leave gaps between them that are too small for the next.

    Args:
        resident: bytes that this process has, 0 where that is not known.
        give_back: freed memory to the system.
    """

    def __init__(
        self,
        resident: Callable[[], int] | None = None,
        give_back: Callable[[], None] = give_back_freed,
    ) -> None:
        self.resident, self.give_back = resident or resident_memory, give_back
        self.usual, self.settling = 0, SETTLING

    def look(self) -> None:
        """After a step."""
        now = self.resident()
        if self.settling:
            self.settling -= 1
            self.usual = max(self.usual, now)
        elif now > MOST * self.usual:
            self.give_back()
            self.usual, self.settling = 0, SETTLING


def resident_memory() -> int:
    """Bytes of memory that this process has; 0 where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")
