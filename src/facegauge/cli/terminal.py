"""What the verbs share: names from the command line, lines for people, tables and progress."""

from __future__ import annotations

import io
import logging
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from threading import Thread
from typing import TYPE_CHECKING, Literal, TypeVar

from facegauge.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

T = TypeVar("T")


def printable(text: str) -> str:
    """Text for a terminal: control characters and bytes that are no text become escapes."""
    return "".join(
        character
        if character.isprintable()
        else character.encode("unicode_escape", "surrogatepass").decode("ascii")
        for character in text
    )


def counted(number: int, thing: str) -> str:
    """1 face, 2 faces."""
    return f"{number} {thing}{'' if number == 1 else 's'}"


def say(message: str) -> None:
    """A line for a person on stderr, or a few where the message itself has several."""
    lines = [printable(line) for line in message.split("\n")]
    print("\n".join([f"facegauge: {lines[0]}", *lines[1:]]), file=sys.stderr)


class _LogLines(logging.Handler):
    """Shows what the library logs as lines for a person."""

    def emit(self, record: logging.LogRecord) -> None:
        say(record.getMessage())


def show_logs() -> None:
    """Show the library's log on stderr, from level INFO."""
    logger = logging.getLogger("facegauge")
    logger.setLevel(logging.INFO)
    if not any(isinstance(handler, _LogLines) for handler in logger.handlers):
        logger.addHandler(_LogLines())


def stdout_console() -> Console:
    """For tables on stdout; lines are not cut when they go to a pipe or file."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 100_000, highlight=False, markup=False)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table on stdout; columns whose name begins with ">" are set flush right."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        header = Text(column.removeprefix(">"))
        justify: Literal["left", "right"] = "right" if column.startswith(">") else "left"
        table.add_column(header, justify=justify, overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    stdout_console().print(table)


def escape_unprintable() -> None:
    """What a stream's encoding does not have, as on a Windows pipe, is written as an escape."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.encoding.lower() != "utf-8":
            stream.reconfigure(errors="backslashreplace")


def named_paths(paths: Sequence[str]) -> list[str]:
    """The paths of the command line, with `-` replaced by the list on stdin.

    That list has one path a line, or paths that end in NUL as `find -print0` writes them.

    Raises:
        UsageError: a path on stdin is not text in the system's encoding of file names.
    """
    named: list[str] = []
    for path in paths:
        if path == "-":
            data = sys.stdin.buffer.read()
            if b"\0" in data:
                lines = data.split(b"\0")
            else:
                lines = [line.removesuffix(b"\r") for line in data.split(b"\n")]
            named += [_decoded(line) for line in lines if line.strip()]
        else:
            named.append(path)
    return named


def _decoded(path: bytes) -> str:
    try:
        return os.fsdecode(path)
    except UnicodeDecodeError as error:  # on Windows alone
        raise UsageError(f"the list on stdin has {path!r}; expected UTF-8 (chcp 65001)") from error


def find_some(paths: Sequence[str]) -> Callable[[], Iterator[str]]:
    """A function that finds, as often as it is called, the pictures of the paths.

    Raises:
        UsageError: there are none.
    """
    from facegauge.images.discovery import find_pictures

    if next(find_pictures(paths), None) is None:
        where = ", ".join(paths[:3]) + (", ..." if len(paths) > 3 else "")
        raise UsageError(f"no pictures found in {where or 'an empty list'}")
    return lambda: find_pictures(paths)


def watched(results: Iterable[T], expected: Iterable[object]) -> Iterator[T]:
    """The results, with a progress bar on stderr while they come if that is a terminal.

    Args:
        results: passed through.
        expected: something as long as the results; counted in the background.
    """
    if not sys.stderr.isatty():
        yield from results
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"))
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as progress:
        bar = progress.add_task("", total=None, rate="")

        def count() -> None:
            progress.update(bar, total=sum(1 for _ in expected))

        Thread(target=count, daemon=True).start()
        for result in results:
            done, seconds = progress.tasks[0].completed + 1, progress.tasks[0].elapsed or 1e-9
            progress.update(bar, completed=done, rate=f"{done / seconds:.1f} pictures/s")
            yield result
