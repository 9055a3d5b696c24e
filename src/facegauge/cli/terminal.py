"""Shared by the verbs: messages, tables, how to go on."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from rich.console import Console


Narrower = tuple[Sequence[str], Iterable[Sequence[str]]]  # titles and cells
LEAST_WIDTH = 24  # columns of a terminal into which the last column of a table may be broken


def printable(text: str) -> str:
    """Text for a terminal, with control characters and undecodable bytes escaped."""
    return "".join(
        character
        if character.isprintable()
        else character.encode("unicode_escape", "surrogatepass").decode("ascii")
        for character in text
    )


def with_noun(number: int, noun: str) -> str:
    """A number with its noun: 1 face, 2 faces."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def say(message: str) -> None:
    """Print a message on stderr, after `facegauge: `."""
    lines = [printable(line) for line in message.split("\n")]
    print("\n".join([f"facegauge: {lines[0]}", *lines[1:]]), file=sys.stderr)


def stdout_console() -> Console:
    """A console for tables on stdout, which does not wrap lines in a pipe or file."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 100_000, highlight=False, markup=False)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]], *more: Narrower) -> None:
    """Print a table on stdout.

    On a terminal that is too narrow for it, only the cells of the last column are broken; where
    that does not do, each row becomes a block of lines under its first cell.

    Args:
        columns: titles; ">" in front of a title aligns the column to the right.
        rows: cells as text.
        more: narrower tables that say less, one of which is printed where it fits and this one
            does not.
    """
    console = stdout_console()
    tables = [
        (titles, [[printable(cell) for cell in row] for row in cells])
        for titles, cells in ((columns, rows), *more)
    ]
    for titles, lines in tables:
        if _least_width(titles, lines) <= console.width:
            _print_table(console, titles, lines)
            return
    titles, lines = tables[0]
    _print_blocks(console, [title.removeprefix(">") for title in titles], lines)


def _least_width(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> int:
    """Of a table whose last column alone is broken."""
    from rich.cells import cell_len

    titles = [column.removeprefix(">") for column in columns]
    widths = [max(map(cell_len, cells)) for cells in zip(titles, *rows, strict=True)]
    return sum(widths[:-1]) + min(widths[-1], LEAST_WIDTH) + 3 * (len(widths) - 1)


def _print_blocks(console: Console, titles: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    from rich.text import Text

    width = max(map(len, titles[1:]), default=0)
    for name, *cells in rows:
        console.print(Text(f"\n{name}" if name else "", style="bold"))
        for title, cell in zip(titles[1:], cells, strict=True):
            console.print(Text(f"  {title:{width}}  {cell}"))


def _print_table(console: Console, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for number, column in enumerate(columns, 1):
        header = Text(column.removeprefix(">"))
        justify: Literal["left", "right"] = "right" if column.startswith(">") else "left"
        table.add_column(header, justify=justify, overflow="fold", no_wrap=number < len(columns))
    for row in rows:
        table.add_row(*map(Text, row))
    console.print(table)


@contextmanager
def resumable(begun: Callable[[], bool]) -> Iterator[None]:
    """Ctrl-C in the block prints the command that goes on, if there is something to go on with."""
    try:
        yield
    except KeyboardInterrupt:
        if not begun():
            raise
        raise KeyboardInterrupt(f"continue with: {resuming(sys.argv[1:])}") from None


def resuming(words: Sequence[str]) -> str:
    """The command that continues the one with these words."""
    import shlex

    kept = [word for word in words if word not in ("--resume", "--overwrite")]
    return shlex.join(["facegauge", *kept, "--resume"])
