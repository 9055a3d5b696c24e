"""Rows of a score table as bytes and back: CSV and JSONL line by line, Parquet as a whole file."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Any

from facegauge.errors import MissingExtra
from facegauge.results import COLUMNS as SCHEMA
from facegauge.results import ImageScore

Row = dict[str, Any]

COLUMNS = SCHEMA.names
TEXTS = ("path", "status", "band", "message")
DECIMALS = 6  # of numbers in tables
ROW_GROUP = 50_000  # rows held in memory while a Parquet file is written
KEEP_BYTES = sys.getfilesystemencodeerrors()  # paths that are not UTF-8, as `os.fsdecode` has them


@dataclass(frozen=True, slots=True)
class Lines:
    """A format of lines.

    Attributes:
        header: what a file begins with.
        encode: a row to bytes that end in a newline.
        decode: a file to its rows (None for the header) and the offset where each ends; a cut
            last line is left out. A line that is no row is a ValueError, KeyError or TypeError.
    """

    header: bytes
    encode: Callable[[Row], bytes]
    decode: Callable[[IO[bytes]], Iterator[tuple[Row | None, int]]]


def rounded_rows(result: ImageScore) -> list[Row]:
    """The rows of one picture with its numbers at 6 decimals."""
    return [
        {
            name: round(value, DECIMALS) if isinstance(value, float) else value
            for name, value in row.items()
        }
        for row in result.rows()
    ]


def _csv_line(cells: Iterable[Any]) -> bytes:
    text = io.StringIO()
    # with this line end the writer quotes lone carriage returns too
    csv.writer(text, lineterminator="\r\n").writerow(cells)
    return text.getvalue()[:-2].encode("utf-8", KEEP_BYTES) + b"\n"


def _encode_csv(row: Row) -> bytes:
    return _csv_line(row[name] for name in COLUMNS)


def _decode_csv(file: IO[bytes]) -> Iterator[tuple[Row | None, int]]:
    record, start, end = b"", 0, 0
    for line in file:
        record += line
        end += len(line)
        if not record.endswith(b"\n") or record.count(b'"') % 2:
            continue  # cut, or inside a quoted cell
        text = record.decode("utf-8", KEEP_BYTES).rstrip("\r\n")
        try:
            (cells,) = csv.reader(io.StringIO(text, newline=""), strict=True)
        except csv.Error as error:
            raise ValueError(f"{error} at byte {start}") from error
        if start == 0 and tuple(cells) != COLUMNS:
            raise ValueError(f"expected the header {','.join(COLUMNS)}")
        yield (_typed(dict(zip(COLUMNS, cells, strict=True))) if start else None), end
        record, start = b"", end


def _typed(cells: dict[str, str]) -> Row:
    """CSV's texts as a row's types."""
    row: Row = {}
    for name, cell in cells.items():
        if name in TEXTS:
            row[name] = cell if cell or name == "message" else None
        else:
            row[name] = (int if name == "face" else float)(cell) if cell else None
    return row


def _encode_json(row: Row) -> bytes:
    return json.dumps(row).encode() + b"\n"


def _decode_json(file: IO[bytes]) -> Iterator[tuple[Row | None, int]]:
    end = 0
    for line in file:
        end += len(line)
        if line.endswith(b"\n"):
            row = json.loads(line)
            yield {name: row[name] for name in COLUMNS}, end


CSV = Lines(_csv_line(COLUMNS), _encode_csv, _decode_csv)
JSONL = Lines(b"", _encode_json, _decode_json)


def without_bytes(text: str) -> str:
    """Text that is valid Unicode: bytes that are not UTF-8 become backslash escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def read_parquet(path: Path) -> Iterator[Row]:
    """The rows of a Parquet file."""
    with _pyarrow("parquet").ParquetFile(path) as file:
        if missing := set(COLUMNS) - set(file.schema_arrow.names):
            raise ValueError(f"it has no column {', '.join(sorted(missing))}")
        for batch in file.iter_batches(columns=list(COLUMNS)):
            yield from batch.to_pylist()


def write_parquet(path: Path, rows: Iterable[Row]) -> None:
    """Write a Parquet file in row groups; it appears under its name once it is whole."""
    arrow, parquet = _pyarrow(), _pyarrow("parquet")
    kinds = {"face": arrow.int32()} | dict.fromkeys(TEXTS, arrow.string())
    schema = arrow.schema([(name, kinds.get(name, arrow.float64())) for name in COLUMNS])
    fresh = path.with_name(path.name + ".new")
    clean = (
        row | {name: without_bytes(row[name]) for name in TEXTS if row[name] is not None}
        for row in rows
    )
    with parquet.ParquetWriter(fresh, schema) as writer:
        while group := list(islice(clean, ROW_GROUP)):
            writer.write_table(arrow.Table.from_pylist(group, schema))
    fresh.replace(path)


def require_parquet() -> None:
    """Raises MissingExtra when Parquet cannot be read or written here."""
    _pyarrow()


def _pyarrow(module: str = "") -> Any:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise MissingExtra("Parquet", "parquet") from error
    return pyarrow.parquet if module else pyarrow
