"""One column of a list of any length, read as it comes: CSV, JSONL or Parquet."""

from __future__ import annotations

import codecs
import csv
import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from facegauge.data.list_files import EXPECTED, SUFFIXES, refuse_utf16, separator_of
from facegauge.errors import MissingExtra, UsageError
from facegauge.tables.cells import path_from_cell, text_from_cell


def read_paths(source: Path, column: str) -> Iterator[str]:
    """The paths in a column of a list; few rows are held at a time.

    Blank cells are left out, and a path that the row before has too, such as that of another face
    in a score table.

    Args:
        source: a .csv, .jsonl or .parquet file.
        column: its name.

    Yields:
        The paths as they are written; relative ones start from the current folder. Cells that
        begin with `file:` are the names that they stand for, see `tables.cells`.

    Raises:
        UsageError: the file cannot be read, is no list, or has no such column.
        MissingExtra: it is Parquet and pyarrow is not installed.
    """
    readers = {".csv": _csv_cells, ".jsonl": _json_cells, ".parquet": _parquet_cells}
    if source.suffix.lower() not in SUFFIXES:
        raise UsageError(f"{source} is no list with columns; expected {EXPECTED}")
    last = None
    try:
        for cell in readers[source.suffix.lower()](source, column):
            if cell and cell != last and not cell.isspace():
                yield path_from_cell(cell)
            last = cell
    except OSError as error:
        raise UsageError(f"cannot read {source}: {error.strerror or error}") from error


def _csv_cells(source: Path, column: str) -> Iterator[str]:
    with source.open("rb") as file:
        start = file.read(len(codecs.BOM_UTF8))
    refuse_utf16(start, source)
    marked = start == codecs.BOM_UTF8
    encoding = "utf-8-sig" if marked else "utf-8"
    opened = partial(source.open, encoding=encoding, errors="surrogateescape", newline="")
    with opened() as file:
        mark = separator_of(file.readline())
    try:
        with opened() as file:
            records = csv.reader(file, delimiter=mark)
            names = [name.strip() for name in next(records, [])]
            place = _place(source, names, column)
            for number, cells in enumerate(records, start=2):
                if cells and len(cells) != len(names):
                    raise UsageError(
                        f"{source}, row {number}: expected {len(names)} fields, got {len(cells)}"
                    )
                if cells:
                    yield text_from_cell(cells[place], excel=marked)
    except csv.Error as error:
        raise UsageError(f"{source} is not a CSV file: {error}") from error


def _json_cells(source: Path, column: str) -> Iterator[str]:
    with source.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except ValueError as error:
                raise UsageError(f"{source}, line {number}: no JSON: {error}") from error
            if not isinstance(row, dict):
                raise UsageError(f"{source}, line {number}: expected a JSON object")
            if column not in row:
                _place(source, list(row), column)
            yield "" if row[column] is None else str(row[column])


def _parquet_cells(source: Path, column: str) -> Iterator[str]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise MissingExtra("reading Parquet", "parquet") from error
    try:
        with parquet.ParquetFile(source) as file:
            _place(source, file.schema_arrow.names, column)
            for batch in file.iter_batches(columns=[column]):
                for value in batch.column(0).to_pylist():
                    yield "" if value is None else str(value)
    except pyarrow.ArrowInvalid as error:
        raise UsageError(f"cannot read {source} as Parquet: {error}") from error


def _place(source: Path, names: list[str], column: str) -> int:
    """Where a column is."""
    if column not in names:
        raise UsageError(
            f"{source} has no column {column}; its columns are {', '.join(names) or 'none'}"
        )
    return names.index(column)
