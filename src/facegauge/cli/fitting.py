"""Text fitted to a terminal: broken between words, or shortened in the middle."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import TextIO

GAP = "..."
DEFAULT_WIDTH = 80  # columns of a terminal that does not tell
COMMANDS = re.compile(r"pip install (?:'[^']*'|\S+)|facegauge [a-z]+ --?[\w-]+")
GOES_ON = "continue with: "  # a command comes after it, which has to stay one line


def width_of(stream: TextIO) -> int | None:
    """Columns of the terminal that a stream writes to; None for pipes and files."""
    if not stream.isatty():
        return None
    with suppress(ValueError):
        if (columns := int(os.environ.get("COLUMNS", ""))) > 0:
            return columns
    try:
        return os.get_terminal_size(stream.fileno()).columns or DEFAULT_WIDTH
    except (OSError, ValueError):
        return DEFAULT_WIDTH


def cell_len(text: str) -> int:
    """Columns that a text takes: two for wide characters, none for combining ones."""
    if text.isascii():
        return len(text)
    from rich import cells

    return cells.cell_len(text)


def shortened(text: str, width: int) -> str:
    """A text in at most `width` columns; of a longer one the middle is left out.

    More is kept of the end, where the names of files are.
    """
    if cell_len(text) <= width:
        return text
    room = max(width - len(GAP), 2)
    head = _taken(text, room // 3)
    return head + GAP + _taken(text[::-1], room - cell_len(head))[::-1]


def _taken(text: str, width: int) -> str:
    """As many characters of the beginning as fit."""
    end = taken = 0
    for end, character in enumerate(text):
        taken += cell_len(character)
        if taken > width:
            return text[:end]
    return text


def wrapped(text: str, width: int | None, indent: str = "") -> str:
    """A text of one or more lines, each broken between words; longer words stay whole.

    Args:
        text: commands to type in it are not broken where they are short, or after `GOES_ON`.
        width: columns; None leaves the text as it is.
        indent: in front of what continues a line.
    """
    if width is None:
        return text
    broken = (piece for line in text.split("\n") for piece in _broken(line, width, indent))
    return "\n".join(broken)


def _broken(line: str, width: int, indent: str) -> Iterator[str]:
    line, goes_on, command = line.partition(GOES_ON)
    line += goes_on.rstrip()
    first = line[: len(line) - len(line.lstrip())]
    held = COMMANDS.sub(lambda match: match[0].replace(" ", "\0"), line.strip())
    words = [word.replace("\0", " ") for word in held.split(" ")]
    current = first + words[0]
    for word in words[1:]:
        if cell_len(current) + 1 + cell_len(word) > width:
            yield current
            current = first + indent + word
        else:
            current += f" {word}"
    yield current
    if command:
        yield f"  {command}"
