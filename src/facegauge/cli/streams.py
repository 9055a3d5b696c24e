"""Standard streams, which may be missing, closed or of any encoding."""

from __future__ import annotations

import codecs
import io
import os
import shutil
import sys
import tempfile
from collections import deque
from collections.abc import Iterator
from threading import Lock
from typing import BinaryIO

from facegauge.errors import UsageError

BOMS = (  # those of UTF-32 first: that of its little endian form begins like UTF-16's
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)

CHUNK = 1 << 20  # bytes that are read at a time, and by which the encoding is told
IN_MEMORY = 1 << 24  # bytes of a list that is kept in memory


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


class PathList:
    """The paths of a list: one a line, or separated by NUL as `find -print0` writes them.

    The list may be in UTF-16 or UTF-32, as programs for Windows write it, with a byte order mark or
    without; blank lines are left out. Cells of a table that begin with `file:` are the names that
    they stand for, unless there is a file of that very name.

    A long list is kept in a temporary file. It can be read several times, also at the same time.

    Args:
        stream: read to its end.

    Raises:
        UsageError: a path cannot be decoded.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._file = tempfile.SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115  # closed with this object
        self._lock = Lock()
        shutil.copyfileobj(stream, self._file, CHUNK)
        head = next(self._chunks(), b"")
        self._encoding = _wide_encoding(head)
        self._end = b"\0" if b"\0" in head else b"\n"
        if self._encoding or os.name == "nt":  # what cannot be decoded is told at once
            deque(self, maxlen=0)

    def __iter__(self) -> Iterator[str]:
        if self._encoding:
            return (_named(line) for line in self._wide_lines() if line.strip("\0 \t\r"))
        return (_named(_decode(line)) for line in self._lines() if line.strip())

    def _lines(self) -> Iterator[bytes]:
        rest, mark = b"", codecs.BOM_UTF8
        for chunk in self._chunks():
            *lines, rest = (rest + chunk.removeprefix(mark)).split(self._end)
            mark = b""
            yield from map(self._line, lines)
        yield self._line(rest)

    def _line(self, line: bytes) -> bytes:
        return line.removesuffix(b"\r") if self._end == b"\n" else line

    def _wide_lines(self) -> Iterator[str]:
        decoder = codecs.getincrementaldecoder(self._encoding)()
        rest, mark = "", "\ufeff"
        try:
            for chunk in self._chunks():
                *lines, rest = (rest + decoder.decode(chunk).removeprefix(mark)).split("\n")
                mark = ""
                yield from (line.removesuffix("\r") for line in lines)
            yield rest + decoder.decode(b"", final=True)
        except UnicodeDecodeError as error:
            raise UsageError(
                f"stdin has a list that begins as {self._encoding.upper()} and cannot be decoded; "
                "expected UTF-8, a path a line"
            ) from error

    def _chunks(self) -> Iterator[bytes]:
        place = 0
        while True:
            with self._lock:
                self._file.seek(place)
                chunk = self._file.read(CHUNK)
            if not chunk:
                return
            place += len(chunk)
            yield chunk


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
