"""Rows of any schema as lines and back: CSV and JSONL."""

from __future__ import annotations

import codecs
import csv
import io
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import IO, Any

from facegauge.schema import Column, Schema

Row = dict[str, Any]

DECIMALS = 6  # of floats in lines
KEEP_BYTES = sys.getfilesystemencodeerrors()  # for paths that are not UTF-8, see `os.fsdecode`
NEVER_NONE = "message"  # a text column whose empty CSV cells are "", not None


@dataclass(frozen=True, slots=True)
class Lines:
    """A format of lines for one schema.

    Attributes:
        header: the first bytes of a file.
        encode: rows to bytes that end in a newline; floats are rounded to `DECIMALS`.
        decode: a file, open at its start, to its rows and the offset where each ends; the header
            gives None for a row, and a last line without its newline is left out. Raises
            ValueError, KeyError or TypeError at a line that is no row of the schema.
    """

    header: bytes
    encode: Callable[[Iterable[Row]], bytes]
    decode: Callable[[IO[bytes]], Iterator[tuple[Row | None, int]]]


def csv_lines(schema: Schema) -> Lines:
    """CSV with a header; in UTF-8, but paths of other bytes keep them."""
    line = csv.writer(_Encoder(), lineterminator="\r\n").writerow
    names = schema.names
    converters = [(column.name, _converter(column)) for column in schema]

    def encode(rows: Iterable[Row]) -> bytes:
        return b"".join([line(_rounded(row, names).values()) for row in rows])

    def decode(file: IO[bytes]) -> Iterator[tuple[Row | None, int]]:
        records = csv_records(file)
        for header, end in records:
            if tuple(header) != names:
                raise ValueError(f"expected the header {','.join(names)}")
            yield None, end
            break
        for texts, end in records:
            pairs = zip(converters, texts, strict=True)
            yield {name: convert(text) for (name, convert), text in pairs}, end

    return Lines(line(names), encode, decode)


def csv_records(file: IO[bytes]) -> Iterator[tuple[list[str], int]]:
    """The cells of each record of a CSV file, and the offset where it ends.

    Raises:
        ValueError: quotes that do not match.
    """
    record, start, end = b"", 0, 0
    for line in file:
        record += line
        end += len(line)
        if not record.endswith(b"\n") or record.count(b'"') % 2:
            continue  # cut, or inside a quoted cell
        if end == len(record):  # the first one, before which Excel puts a mark
            record = record.removeprefix(codecs.BOM_UTF8)
        text = record.decode("utf-8", KEEP_BYTES).rstrip("\r\n")
        if not text:
            raise ValueError(f"an empty line at byte {start}")
        if '"' in text or "\r" in text:
            try:
                (cells,) = csv.reader(io.StringIO(text, newline=""), strict=True)
            except csv.Error as error:
                raise ValueError(f"{error} at byte {start}") from error
        else:
            cells = text.split(",")
        yield cells, end
        record, start = b"", end


def jsonl_lines(schema: Schema) -> Lines:
    """A JSON object a line, in ASCII."""
    names = schema.names
    dumps = json.JSONEncoder(check_circular=False).encode  # rows are flat

    def encode(rows: Iterable[Row]) -> bytes:
        return b"".join([dumps(_rounded(row, names)).encode() + b"\n" for row in rows])

    def decode(file: IO[bytes]) -> Iterator[tuple[Row | None, int]]:
        for row, end in json_objects(file):
            yield {name: row[name] for name in names}, end

    return Lines(b"", encode, decode)


def json_objects(file: IO[bytes]) -> Iterator[tuple[Row, int]]:
    """The objects of a JSONL file, and the offset where each line ends.

    Raises:
        ValueError: a line that is no JSON.
        TypeError: a line that is no object.
    """
    end = 0
    for line in file:
        end += len(line)
        if line.endswith(b"\n"):
            row = json.loads(line)
            if not isinstance(row, dict):
                raise TypeError(f"expected an object, got {row!r}")
            yield row, end


def without_bytes(text: str) -> str:
    """Text that is valid Unicode: bytes that are not UTF-8 become backslash escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


class _Encoder:
    """A file for `csv.writer`, whose `writerow` returns what `write` returns: the line's bytes."""

    def write(self, line: str) -> bytes:
        # the writer quotes lone carriage returns only if its own line end has one
        return line[:-2].encode("utf-8", KEEP_BYTES) + b"\n"


def _rounded(row: Row, names: tuple[str, ...]) -> Row:
    """The cells of the named columns, in their order, floats at `DECIMALS`."""
    return {
        name: round(cell, DECIMALS) if isinstance(cell := row[name], float) else cell
        for name in names
    }


def _converter(column: Column) -> Callable[[str], Any]:
    if column.name == NEVER_NONE:
        return str
    if column.type == "str":
        return lambda text: text or None
    if column.type == "float":
        return lambda text: float(text) if text else None
    return lambda text: _whole(text) if text else None


def _whole(text: str) -> int:
    """A whole number, also as "2.0", as tools write it that have no empty whole numbers."""
    try:
        return int(text)
    except ValueError:
        if (number := float(text)).is_integer():
            return int(number)
        raise
