"""Reads the label files of data sets: text, CSV and JSON, with errors that name file and row."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from facegauge.errors import UsageError


def read_text(file: Path) -> str:
    """The text of a UTF-8 file.

    Raises:
        UsageError: the file cannot be read, or is not UTF-8.
    """
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read {file} as UTF-8 text: {error}") from error


def read_json_columns(file: Path) -> dict[str, list[Any]]:
    """The columns of a JSON file `{"Image": [...], "MOS": [...]}`, all of equal length.

    Raises:
        UsageError: the file cannot be read or has another structure.
    """
    try:
        columns = json.loads(read_text(file))
    except ValueError as error:
        raise UsageError(f"{file} is not JSON: {error}") from error
    expected = 'expected {"Image": [...], "MOS": [...]}'
    if not isinstance(columns, dict) or not {"Image", "MOS"} <= set(columns):
        raise UsageError(f"{file} has no labels; {expected}")
    lengths = {
        name: len(values) if isinstance(values, list) else -1 for name, values in columns.items()
    }
    if len(set(lengths.values())) > 1 or -1 in lengths.values():
        raise UsageError(f"{file} has lists of unequal length: {lengths}; {expected}")
    return columns


def read_csv_lists(file: Path, fields: int | None = None) -> list[list[str]]:
    """The rows of a CSV file, with or without a header; blank rows at the end are dropped.

    Args:
        file: a CSV file in UTF-8, with or without a byte order mark.
        fields: number of fields in a row; None: as many as the first row has.

    Raises:
        UsageError: the file cannot be read, is empty, or a row has another number of fields.
    """
    try:
        with file.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as stream:
            rows = [[cell.strip() for cell in row] for row in csv.reader(stream)]
    except csv.Error as error:
        raise UsageError(f"{file} is not a CSV file: {error}") from error
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror or error}") from error
    while rows and not any(rows[-1]):
        rows.pop()
    if not rows:
        raise UsageError(f"{file} is empty")
    count = fields or len(rows[0])
    for number, row in enumerate(rows, start=1):
        if len(row) != count:
            raise UsageError(f"{file}, row {number}: expected {count} fields, got {len(row)}")
    return rows


def read_csv_rows(file: Path, required: Sequence[str]) -> list[dict[str, str]]:
    """The rows of a CSV file with a header, by column name.

    Raises:
        UsageError: as `read_csv_lists`, or a required column is missing.
    """
    header, *rows = read_csv_lists(file)
    missing = [name for name in required if name not in header]
    if missing:
        raise UsageError(f"{file} has no column {missing[0]}; its columns are {', '.join(header)}")
    return [dict(zip(header, row, strict=True)) for row in rows]


def parse_label(value: object, location: str) -> float:
    """A label as a number.

    Raises:
        UsageError: it is not a number; the message begins with `location`.
    """
    try:
        return float(str(value))
    except ValueError:
        raise UsageError(f"{location}: expected a number as label, got {value!r}") from None


def hash_fraction(name: str, salt: str) -> float:
    """A number in 0..1 that depends only on the name, so that drawn splits never change."""
    digest = hashlib.sha256(f"{salt}/{name}".encode("utf-8", "surrogateescape")).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
