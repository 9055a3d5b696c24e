"""Texts as cells of tables, and back: names of files, and formulas that spreadsheets would run.

Every cell is valid Unicode, in CSV, JSONL and Parquet alike. A name that is valid UTF-8 stays as it
is. One that is not is written as a URI: `file:` and its bytes, percent-encoded (RFC 3986), such as
`file:album/caf%E9.jpg`. So is a name that itself begins with `file:`; hence every cell that begins
so stands for one name, and `path_from_cell` gives it back.

In tables for spreadsheets, names that would be taken for a formula are written as such a URI too.
Other texts that would be get an apostrophe in front; those that begin with apostrophes before a
formula get one more.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import quote, unquote_to_bytes

PATHS = ("path", "image")  # the columns that hold names of files
SCHEME = "file:"

# with the wide forms, which some spreadsheets take for the narrow ones
FORMULA = re.compile(r"'*(?:\s*[=+\-@＝＋－＠]|[\t\r\n])")
# also where a spreadsheet that expects semicolons would begin a cell
FORMULA_IN_NAME = re.compile(r"(?:^|[;\t\r\n])\s*[=+\-@＝＋－＠]|^[\t\r\n]")
NUMBER = re.compile(r"[+-]?[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?")


def path_to_cell(path: str, *, excel: bool = False) -> str:
    """A file name as it stands in a table.

    Args:
        path: bytes that are not UTF-8 are surrogate escapes, as `os.fsdecode` makes them.
        excel: whether the table is for spreadsheets.

    Returns:
        The name itself, or `file:` and its percent-encoded bytes.
    """
    if not path.startswith(SCHEME) and not (excel and FORMULA_IN_NAME.search(path)):
        if path.isascii():
            return path
        try:
            path.encode()
        except UnicodeEncodeError:
            pass
        else:
            return path
    return SCHEME + quote(path_bytes(path))


def path_from_cell(cell: str) -> str:
    """The file name that a cell of the column `path` or `image` stands for.

        path = facegauge.path_from_cell(row["path"])

    Args:
        cell: as it stands in a CSV, JSONL or Parquet table of facegauge.

    Returns:
        The cell itself; for one that begins with `file:` the name whose bytes it encodes. Bytes
        that are not UTF-8 are surrogate escapes, which `open`, `pathlib` and `os.fsencode` take.
    """
    if not cell.startswith(SCHEME):
        return cell
    try:
        return os.fsdecode(unquote_to_bytes(path_bytes(cell.removeprefix(SCHEME))))
    except UnicodeDecodeError:  # on Windows, which has no such names
        return cell


def text_to_cell(text: str, *, excel: bool = False) -> str:
    """A text that is no file name as it stands in a table; see the module.

    Bytes that are not UTF-8 become backslash escapes, which are for people to read.
    """
    text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return f"'{text}" if excel and FORMULA.match(text) and not NUMBER.fullmatch(text) else text


def text_from_cell(cell: str, *, excel: bool = False) -> str:
    """The text that a cell stands for."""
    return cell[1:] if excel and cell[:1] == "'" and FORMULA.match(cell[1:]) else cell


def to_cell(column: str, *, excel: bool = False) -> Callable[[str], str]:
    """How the texts of a column are written."""
    return partial(path_to_cell if column in PATHS else text_to_cell, excel=excel)


def restore_paths(row: dict[str, Any]) -> dict[str, Any]:
    """The same row, in place, with the names of files that its cells stand for."""
    for column in PATHS:
        if isinstance(cell := row.get(column), str):
            row[column] = path_from_cell(cell)
    return row


def path_bytes(path: str) -> bytes:
    """The bytes of a file name, also of one that no file can have."""
    try:
        return os.fsencode(path)
    except UnicodeEncodeError:  # half a character, which no file name has
        return path.encode("utf-8", "surrogatepass")
