"""Standard streams, which may be missing, closed or of any encoding."""

from __future__ import annotations

import codecs
import io
import os
import sys

from facegauge.errors import UsageError

BOMS = (  # those of UTF-32 first: that of its little endian form begins like UTF-16's
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def open_missing_streams() -> None:
    """Open the null device for each standard stream that is None or closed.

    Their numbers must be taken, or the next file that is opened, such as a table, gets one of them
    and with it what libraries print.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            null = os.open(os.devnull, os.O_RDWR)
            if null != number:
                os.dup2(null, number)
                os.close(null)
        stream = getattr(sys, name)
        if stream is None or stream.closed:
            mode = "r" if name == "stdin" else "w"
            fresh = open(os.devnull, mode, encoding="utf-8", errors="surrogateescape")  # noqa: PTH123, SIM115
            setattr(sys, name, fresh)


def escape_unprintable() -> None:
    """Escape characters that stdout or stderr cannot encode, such as in a pipe on Windows."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.encoding.lower() != "utf-8":
            stream.reconfigure(errors="backslashreplace")


def paths_in(data: bytes) -> list[str]:
    """The paths of a list: one a line, or separated by NUL as `find -print0` writes them.

    The list may be in UTF-16 or UTF-32, as programs for Windows write it, with a byte order mark or
    without; blank lines are left out. Cells of a table that begin with `file:` are the names that
    they stand for, unless there is a file of that very name.

    Raises:
        UsageError: a path cannot be decoded.
    """
    if encoding := _wide_encoding(data):
        try:
            text = data.decode(encoding).removeprefix("\ufeff")
        except UnicodeDecodeError as error:
            raise UsageError(
                f"stdin has a list that begins as {encoding.upper()} and cannot be decoded; "
                "expected UTF-8, a path a line"
            ) from error
        texts = text.replace("\r\n", "\n").split("\n")
        return [_named(line) for line in texts if line.strip("\0 \t\r")]
    data = data.removeprefix(codecs.BOM_UTF8)
    if b"\0" in data:
        lines = data.split(b"\0")
    else:
        lines = [line.removesuffix(b"\r") for line in data.split(b"\n")]
    return [_named(_decode(line)) for line in lines if line.strip()]


def _wide_encoding(data: bytes) -> str:
    """The encoding of text whose characters take two or four bytes; "" for other text."""
    for mark, encoding in BOMS:
        if data.startswith(mark):
            return encoding
    if b"\0" not in data:
        return ""
    for encoding in ("utf-32-le", "utf-32-be", "utf-16-le", "utf-16-be"):
        newline = "\n".encode(encoding)
        width = len(newline)
        if len(data) % width:
            continue
        units = [data[place : place + width] for place in range(0, len(data), width)]
        # every line feed is a whole character, and there is one
        if newline in units and units.count(newline) == data.count(b"\n"):
            return encoding
        # a single path without a line feed: as a list of NUL it would be one of single letters
        letters = {"./\\"[place].encode(encoding) for place in range(3)}
        plain = all(unit.strip(b"\0") and len(unit.strip(b"\0")) == 1 for unit in units)
        if plain and len(units) > 2 and letters & set(units):
            return encoding
    return ""


def _named(cell: str) -> str:
    from facegauge.tables.cells import SCHEME, path_from_cell

    if not cell.startswith(SCHEME) or os.path.lexists(cell):
        return cell
    return path_from_cell(cell)


def _decode(path: bytes) -> str:
    try:
        return os.fsdecode(path)
    except UnicodeDecodeError as error:  # only on Windows
        raise UsageError(f"stdin has the path {path!r}; expected UTF-8 (chcp 65001)") from error
