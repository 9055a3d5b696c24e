"""What long steps report, and who shows it: the library counts, the command line draws.

    with shown_by(display):
        for picture in track(pictures, "reading pictures", total=len(pictures)):
            ...

Without a display nothing is shown. A display is of the thread that sets it, and of none besides.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol, TypeVar

T = TypeVar("T")


class Step(Protocol):
    """One long step while it runs."""

    def advance(self, count: int) -> None:
        """So many more items are done."""

    def end(self) -> None:
        """The step is over, whether all items are done or not."""


class Display(Protocol):
    """Shows the steps that are running; one may run inside another."""

    def begin(self, what: str, total: int, unit: str, done: int) -> Step:
        """A step begins.

        Args:
            what: a few words, such as "reading pictures".
            total: items in all.
            unit: of the items, in the plural.
            done: items that an earlier run has done.
        """


_display: ContextVar[Display | None] = ContextVar("display", default=None)


@contextmanager
def shown_by(display: Display | None) -> Iterator[None]:
    """Have a display show the steps of the block; None: nothing is shown."""
    token = _display.set(display)
    try:
        yield
    finally:
        _display.reset(token)


def track(
    items: Iterable[T],
    what: str,
    *,
    total: int,
    unit: str = "pictures",
    done: int = 0,
    each: int = 1,
) -> Generator[T, None, None]:
    """Pass items on, and report each as done when the next one is asked for.

    A step of one item is not shown.

    Args:
        what, total, unit, done: as for `Display.begin`.
        each: units that an item counts for; the last one, what is left.
    """
    display = _display.get()
    if display is None or total - done <= each:
        yield from items
        return
    step = display.begin(what, total, unit, done)
    try:
        for item in items:
            yield item
            count = min(each, total - done)
            done += count
            step.advance(count)
    finally:
        step.end()


def in_words(seconds: float) -> str:
    """A time for people, rounded: 40 s, 12 min, 3.5 h."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
