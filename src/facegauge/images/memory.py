"""A budget of memory for pictures in flight, over all threads of the process."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

T = TypeVar("T")

BUDGET = 485_000_000
"""Bytes of the pictures that are open; no picture may take more by default."""

TIGHT = 340_000_000
"""Bytes of open pictures from which on nothing freed is kept, which takes time.

With less, there is room for what the face detector and the C library keep for later.
"""

NETWORK_BUDGET = 110_000_000
"""Bytes of the passes of the face detector that run: several small ones, or a single large one,
which always fits alone. What it takes is kept for the next, about 0.36 GB in all.

The process takes about 0.17 GB beside, and is to stay under 1 GB (2 ** 30 bytes).
"""


class MemoryBudget:
    """Lets pictures in as long as they fit together; a picture that is alone always fits.

    Args:
        total: bytes.
    """

    def __init__(self, total: int = BUDGET) -> None:
        self.total = total
        self._used = 0
        self._changed = threading.Condition()

    @contextmanager
    def lease(self) -> Iterator[Lease]:
        """A share of the budget for one picture, given back at the end of the block."""
        lease = Lease(self)
        try:
            yield lease
        finally:
            lease.resize(0)

    @property
    def is_tight(self) -> bool:
        """Whether so much is lent that freed memory should go back to the system."""
        return self._used > TIGHT

    def _take(self, size: int) -> None:
        with self._changed:
            self._changed.wait_for(lambda: not self._used or self._used + size <= self.total)
            self._used += size

    def _give_back(self, size: int) -> None:
        with self._changed:
            self._used -= size
            self._changed.notify_all()


class Lease:
    """The share of one picture; used by one thread."""

    def __init__(self, budget: MemoryBudget) -> None:
        self._budget, self._held = budget, 0

    def resize(self, size: int) -> None:
        """Hold this many bytes; nothing is held while it waits, so that no two wait for another."""
        held, self._held = self._held, 0
        if 0 < size <= held:  # at once, so that no other takes it meanwhile
            self._budget._give_back(held - size)
            self._held = size
            return
        if held:
            self._budget._give_back(held)
        if size:
            self._budget._take(size)
            self._held = size
            if self._budget.is_tight:
                give_back_kept()


def when_tight(keeper: T, give_back: Callable[[T], object]) -> None:
    """Have a function called with its keeper, in this process, when memory becomes tight.

    Args:
        keeper: is not kept alive by this. A forked child must not be the one that ends it: a
            network's threads, for which its end waits, do not survive a fork.
        give_back: must not hold the keeper itself.
    """
    _keepers[keeper] = give_back


def give_back_kept() -> None:
    """Return to the system what is kept for later."""
    for keeper, give_back in list(_keepers.items()):
        give_back(keeper)
    give_back_freed()


def give_back_freed() -> None:
    """Return freed memory to the system where the C library keeps it: glibc, 0.3 GB of it.

    Each of its arenas, about one a thread, keeps up to 64 MB, and more between blocks in use.
    """
    trim = _malloc_trim()
    if trim is not None:
        trim(0)


@lru_cache(maxsize=1)
def _malloc_trim() -> Callable[[int], int] | None:
    try:
        import ctypes

        trim: Callable[[int], int] | None = getattr(ctypes.CDLL(None), "malloc_trim", None)
    except (ImportError, OSError, TypeError):  # a small Python; Windows
        return None
    return trim


_budget, _network_budget = MemoryBudget(), MemoryBudget(NETWORK_BUDGET)
_keepers: WeakKeyDictionary[Any, Callable[[Any], object]] = WeakKeyDictionary()


def _renew() -> None:
    """A forked child has none of its parent's threads, so nothing is in flight in it."""
    global _budget, _network_budget
    _keepers.clear()
    _budget, _network_budget = MemoryBudget(), MemoryBudget(NETWORK_BUDGET)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)


def shared_budget() -> MemoryBudget:
    """The budget of this process for pictures."""
    return _budget


def network_budget() -> MemoryBudget:
    """The budget of this process for the passes of the face detector.

    It is apart from that of pictures, which is held while a picture's faces are searched.
    """
    return _network_budget
