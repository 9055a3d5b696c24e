"""A budget of memory for pictures in flight, over all threads of the process."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

BYTES_PER_PIXEL = 8
"""Of a picture that is being opened: Pillow's image (4), the pixels (3), and room for decoders."""

BUDGET = 800_000_000
"""Bytes: four pictures of 24 megapixels at once, or one of 108."""


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

    def admit(self, pixels: int) -> None:
        """Wait until a picture of this size fits.

        Args:
            pixels: of the picture, as its header says.
        """
        self.resize(pixels * BYTES_PER_PIXEL)

    def resize(self, size: int) -> None:
        """Hold this many bytes; nothing is held while it waits, so that no two wait for another."""
        held, self._held = self._held, 0
        if held:
            self._budget._give_back(held)
        if size:
            self._budget._take(size)
            self._held = size


_budget = MemoryBudget()


def _renew() -> None:
    """A forked child has none of its parent's threads, so nothing is in flight in it."""
    global _budget  # noqa: PLW0603
    _budget = MemoryBudget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)


def shared_budget() -> MemoryBudget:
    """The budget of this process."""
    return _budget
