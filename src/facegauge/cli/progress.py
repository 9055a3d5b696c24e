"""Displays of long steps: bars with rate and time left on a terminal, a line a minute elsewhere."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from threading import Thread
from typing import TYPE_CHECKING, TypeVar

from facegauge.cli.terminal import say
from facegauge.progress import Display, Step, in_words

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, ProgressColumn, TaskID

T = TypeVar("T")

EVERY = 60.0  # seconds between lines
LEAST = 5.0  # seconds that a step takes before it has a line
FIGURES = 52  # columns that a short bar and its figures take
LEAST_WORDS = 12  # columns for what a step does
REDRAW = 0.1  # seconds between drawings of the bars, at least


def display_for_stderr() -> Display | None:
    """What suits stderr; of several processes of a run only the first one shows anything."""
    if os.environ.get("RANK", "0") != "0":
        return None
    return Bars() if sys.stderr.isatty() else Lines()


class Lines:
    """Prints how far a step is, one line a minute; a step that takes seconds only when one is due.

    Args:
        write: prints one line.
        clock: seconds, for tests.
    """

    def __init__(
        self, write: Callable[[str], None] = say, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.write, self.clock = write, clock
        self.shown = clock()

    def begin(self, what: str, total: int | None, unit: str, done: int) -> _Line:
        """As `Display.begin`; the total may become known later."""
        return _Line(self, what, total, unit, done)


@dataclass
class _Line:
    lines: Lines
    what: str
    total: int | None
    unit: str
    first: int
    done: int = field(init=False)
    started: float = field(init=False)

    def __post_init__(self) -> None:
        self.done, self.started = self.first, self.lines.clock()

    def advance(self, count: int) -> None:
        self.done += count
        now = self.lines.clock()
        if now - self.lines.shown < EVERY or now - self.started < LEAST:
            return
        self.lines.shown, speed = now, (self.done - self.first) / max(now - self.started, 1e-9)
        of = "" if self.total is None else f" of {self.total}"
        parts = [f"{self.what}: {self.done}{of} {self.unit}"]
        if speed > 0:
            parts.append(f"{shown_rate(speed)} {self.unit}/s")
            if self.total is not None:
                parts.append(f"{in_words((self.total - self.done) / speed)} left")
        self.lines.write(", ".join(parts))

    def end(self) -> None:
        pass


class Bars:
    """Draws a bar for each step that runs; messages go on above them.

    Args:
        console: of rich; default: stderr.
    """

    def __init__(self, console: Console | None = None) -> None:
        self.console = console
        self.live: Progress | None = None
        self.running = 0
        self.drawn = 0.0

    def begin(self, what: str, total: int, unit: str, done: int) -> Step:
        if self.live is None:
            from rich.progress import Progress, TextColumn

            self.live = Progress(
                TextColumn("{task.description}"),
                *bar_columns(),
                console=self.console or stderr_console(),
                transient=True,
                auto_refresh=False,  # by a thread, which processes that prepare batches would copy
            )
            self.live.start()
        self.running += 1
        self.drawn = 0.0
        room = max(self.live.console.width - FIGURES, LEAST_WORDS)
        words = what if len(what) <= room else f"{what[: room - 3]}..."
        task = self.live.add_task(words, total=total, completed=done, rate="")
        self.draw()
        return _Bar(self, self.live, task, unit)

    def draw(self) -> None:
        """Draw the bars, if they were not just drawn."""
        if self.live is not None and time.monotonic() - self.drawn > REDRAW:
            self.live.refresh()
            self.drawn = time.monotonic()

    def ended(self) -> None:
        """A bar has ended; with the last one the display goes."""
        self.running -= 1
        if self.live is not None and not self.running:
            self.live.stop()
            self.live = None


@dataclass
class _Bar:
    bars: Bars
    live: Progress
    task: TaskID
    unit: str
    done: int = 0
    started: float = field(default_factory=time.monotonic)

    def advance(self, count: int) -> None:
        self.done += count
        speed = self.done / max(time.monotonic() - self.started, 1e-9)
        self.live.update(self.task, advance=count, rate=f"{shown_rate(speed)} {self.unit}/s")
        self.bars.draw()

    def end(self) -> None:
        self.live.remove_task(self.task)
        self.bars.ended()


def shown_rate(speed: float) -> str:
    """A rate with two digits or more: 0.083, 1.2, 340."""
    return f"{speed:.0f}" if speed >= 10 else f"{speed:.2g}"


def stderr_console() -> Console:
    """A console for bars, whose colours are legible on black and on white."""
    from rich.console import Console
    from rich.theme import Theme

    plain = dict.fromkeys(("progress.download", "progress.remaining"), "none")
    return Console(stderr=True, theme=Theme({**plain, "bar.back": "grey50"}))


def bar_columns() -> list[ProgressColumn]:
    """A bar, how many are done, the field `rate` and the time left."""
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.table import Column

    whole = Column(no_wrap=True)  # where there is little room, the bar is what becomes shorter
    return [
        BarColumn(),
        MofNCompleteColumn(table_column=whole),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(table_column=whole),
    ]


def with_progress(
    results: Iterable[T], expected: Iterable[object] | None, what: str = "scoring"
) -> Iterator[T]:
    """Iterate over results; show a bar on a terminal, and a line a minute elsewhere.

    Args:
        results: yielded unchanged.
        expected: has as many items as the results; counted in a background thread; None: unknown.
        what: a few words for the lines.
    """
    if not sys.stderr.isatty():
        yield from _with_lines(results, expected, what)
        return
    from rich.progress import Progress

    with Progress(*bar_columns(), console=stderr_console()) as progress:
        bar = progress.add_task("", total=None, rate="")

        def count() -> None:
            progress.update(bar, total=sum(1 for _ in expected or ()))

        if expected is not None:
            Thread(target=count, daemon=True).start()
        for result in results:
            done, seconds = progress.tasks[0].completed + 1, progress.tasks[0].elapsed or 1e-9
            progress.update(bar, completed=done, rate=f"{done / seconds:.1f} pictures/s")
            yield result


def _with_lines(results: Iterable[T], expected: Iterable[object] | None, what: str) -> Iterator[T]:
    step = Lines().begin(what, None, "pictures", 0)

    def count() -> None:
        step.total = sum(1 for _ in expected or ())

    if expected is not None:
        Thread(target=count, daemon=True).start()
    for result in results:
        yield result
        step.advance(1)
