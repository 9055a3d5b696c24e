"""Shared by the verbs: messages, tables, how to go on."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from facegauge.cli.fitting import cell_len, shortened, width_of, wrapped

if TYPE_CHECKING:
    from rich.console import Console


Narrower = tuple[Sequence[str], Iterable[Sequence[str]]]  # titles and cells
LEAST_WIDTH = 24  # columns into which the last column of a table may be broken
LEAST_NAME = 16  # columns to which names may be shortened
EDGES = 2  # columns of a table's left and right edge
JOINER = "\u200d"  # makes one picture of several emoji


def printable(text: str) -> str:
    """Text for a terminal, with control characters and undecodable bytes escaped."""
    return "".join(
        character
        if character.isprintable() or (character == JOINER and not before.isascii())
        else character.encode("unicode_escape", "surrogatepass").decode("ascii")
        for before, character in zip(" " + text, text, strict=False)
    )


def with_noun(number: int, noun: str) -> str:
    """A number with its noun: 1 face, 2 faces."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def say(message: str) -> None:
    """Print a message on stderr, after `facegauge: `; on a terminal broken between words."""
    lines = "\n".join(map(printable, message.split("\n")))
    print(wrapped(f"facegauge: {lines}", width_of(sys.stderr), "  "), file=sys.stderr)


def tell(text: str) -> None:
    """Print a text of one or more lines on stdout; on a terminal broken between words."""
    lines = "\n".join(map(printable, text.split("\n")))
    print(wrapped(lines, width_of(sys.stdout), "  "))


def stdout_console() -> Console:
    """A console for tables on stdout, which does not wrap lines in a pipe or file."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 100_000, highlight=False, markup=False)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]], *more: Narrower) -> None:
    """Print a table on stdout.

    On a terminal that is too narrow for it, names are shortened in the middle and the cells of the
    last column are broken between words; where that does not do, each row becomes a block of lines
    under its first cell.

    Args:
        columns: titles; ">" in front of a title aligns the column to the right, "/" says that it
            holds paths or other names, which may be shortened.
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
        fitting = _with_short_names(titles, lines, console.width)
        if _least_width(titles, fitting) <= console.width:
            _print_table(console, titles, fitting)
            return
    titles, lines = tables[0]
    _print_blocks(console, titles, lines)


def _title(column: str) -> str:
    return column.removeprefix(">").removeprefix("/")


def _with_short_names(
    columns: Sequence[str], rows: Sequence[Sequence[str]], width: int
) -> list[list[str]]:
    """The rows, with names shortened as far as the width asks for."""
    fitting = [list(row) for row in rows]
    for number, column in enumerate(columns):
        longest = max((cell_len(row[number]) for row in fitting), default=0)
        excess = sum(_widths(columns, fitting)) + 3 * (len(columns) - 1) + EDGES - width
        least = max(LEAST_NAME, cell_len(_title(column)), longest - excess)
        if column.startswith("/") and excess > 0:
            names = {row[number]: shortened(row[number], least) for row in fitting}
            if len(set(names.values())) < len(names):
                continue  # two would look alike
            for row in fitting:
                row[number] = names[row[number]]
    return fitting


def _widths(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[int]:
    titles = map(_title, columns)
    return [max(map(cell_len, column)) for column in zip(titles, *rows, strict=True)]


def _least_width(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> int:
    """Of a table whose last column alone is broken."""
    *widths, last = _widths(columns, rows)
    return sum(widths) + min(last, LEAST_WIDTH) + 3 * len(widths) + EDGES


def _print_blocks(console: Console, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    from rich.text import Text

    width = max(map(len, map(_title, columns[1:])), default=0)
    room = console.width - width - 4
    for name, *cells in rows:
        named = shortened(name, console.width)
        console.print(Text(f"\n{named}" if name else "", style="bold"))
        for column, cell in zip(columns[1:], cells, strict=True):
            text = shortened(cell, room) if column.startswith("/") else wrapped(cell, room)
            lines = text.replace("\n", "\n" + " " * (width + 4))
            console.print(Text(f"  {_title(column):{width}}  {lines}"), soft_wrap=True)


def _print_table(console: Console, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for number, column in enumerate(columns, 1):
        justify: Literal["left", "right"] = "right" if column.startswith(">") else "left"
        alone = number < len(columns)
        table.add_column(Text(_title(column)), justify=justify, overflow="fold", no_wrap=alone)
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
