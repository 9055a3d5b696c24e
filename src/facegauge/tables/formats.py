"""Rows of any schema as lines and back: CSV and JSONL."""

from __future__ import annotations

import codecs
import csv
import io
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import IO, Any

from facegauge.schema import Column, Schema
from facegauge.tables.cells import (
    PATHS,
    path_from_cell,
    restore_paths,
    text_from_cell,
    to_cell,
)

Row = dict[str, Any]

DECIMALS = 6  # of floats in lines
KEEP_BYTES = sys.getfilesystemencodeerrors()  # of tables of earlier versions, see `os.fsdecode`
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


def csv_lines(schema: Schema, *, excel: bool = False) -> Lines:
    """CSV with a header, in UTF-8.

    Args:
        schema: the columns.
        excel: for spreadsheets: with a byte order mark, and no cell that they take for a formula.
    """
    line = csv.writer(_Encoder(), lineterminator="\r\n").writerow
    names = schema.names
    written = _cells(schema, excel=excel)

    def encode(rows: Iterable[Row]) -> bytes:
        return b"".join([line(written(row).values()) for row in rows])

    def decode(file: IO[bytes]) -> Iterator[tuple[Row | None, int]]:
        marked = file.read(len(codecs.BOM_UTF8)) == codecs.BOM_UTF8
        file.seek(0)
        converters = [(column.name, _converter(column, marked)) for column in schema]
        records = csv_records(file)
        for header, end in records:
            if tuple(header) != names:
                raise ValueError(f"expected the header {','.join(names)}")
            yield None, end
            break
        for texts, end in records:
            pairs = zip(converters, texts, strict=True)
            yield {name: convert(text) for (name, convert), text in pairs}, end

    return Lines((codecs.BOM_UTF8 if excel else b"") + line(names), encode, decode)


def csv_records(file: IO[bytes]) -> Iterator[tuple[list[str], int]]:
    """The cells of each record of a CSV file, and the offset where it ends.

    Raises:
        ValueError: quotes that do not match, or cells separated by semicolons.
    """
    record, start, end = b"", 0, 0
    for line in file:
        record += line
        end += len(line)
        if not record.endswith(b"\n") or record.count(b'"') % 2:
            continue  # cut, or inside a quoted cell
        if end == len(record):  # the first one, before which Excel puts a mark
            record = record.removeprefix(codecs.BOM_UTF8)
            if b";" in record and b"," not in record:
                raise ValueError(
                    "its cells are separated by semicolons, as Excel does in some countries; "
                    "expected commas, and points in numbers"
                )
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
    written = _cells(schema)
    dumps = json.JSONEncoder(check_circular=False).encode  # rows are flat

    def encode(rows: Iterable[Row]) -> bytes:
        return b"".join([dumps(written(row)).encode() + b"\n" for row in rows])

    def decode(file: IO[bytes]) -> Iterator[tuple[Row | None, int]]:
        for row, end in json_objects(file):
            yield restore_paths({name: row[name] for name in names}), end

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


class _Encoder:
    """A file for `csv.writer`, whose `writerow` returns what `write` returns: the line's bytes."""

    def write(self, line: str) -> bytes:
        # the writer quotes lone carriage returns only if its own line end has one
        return line[:-2].encode() + b"\n"


def _cells(schema: Schema, *, excel: bool = False) -> Callable[[Row], Row]:
    """What makes a row's cells, in the order of the columns; floats at `DECIMALS`."""
    texts = {column.name: to_cell(column.name, excel=excel) for column in schema}

    def cell(name: str, value: Any) -> Any:
        if isinstance(value, float):
            return round(value, DECIMALS)
        return texts[name](value) if isinstance(value, str) else value

    return lambda row: {name: cell(name, row[name]) for name in texts}


def _converter(column: Column, marked: bool) -> Callable[[str], Any]:
    """What reads a cell; in a file with a byte order mark the cells are those for spreadsheets."""
    if column.name == NEVER_NONE:
        return partial(text_from_cell, excel=marked)
    if column.name in PATHS:
        return lambda text: path_from_cell(text) or None
    if column.type == "str":
        return lambda text: text_from_cell(text, excel=marked) or None
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
