"""Freed memory stays with the process that trains."""

from __future__ import annotations

import ctypes
import sys
from contextlib import suppress

TRIM_THRESHOLD, MMAP_MAX = -1, -4  # of glibc's mallopt
NEVER = -1


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
