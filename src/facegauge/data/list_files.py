"""Files with lists of pictures as columns of text: CSV, JSONL and Parquet; and back to CSV."""

from __future__ import annotations

import codecs
import csv
import io
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from facegauge.errors import MissingExtra, UsageError
from facegauge.outputs import replacing
from facegauge.tables.cells import path_from_cell, text_from_cell, to_cell

Row = list[str]
Columns = dict[str, tuple[str, ...]]

SUFFIXES = (".csv", ".jsonl", ".parquet")
EXPECTED = "a .csv, .jsonl or .parquet file"
IMAGE, PATH = "image", "path"  # of manifests; of the tables that `facegauge score` writes
DECIMAL_COMMA = re.compile(r"([+-]?[0-9]+),([0-9]+)")


def read_columns(source: Path) -> Columns:
    """The columns of a list by name, as text; an empty cell is "".

    Cells of `image` and `path` are the names of files that they stand for, see `tables.cells`.

    Raises:
        UsageError: the file cannot be read, has two columns of one name, or no rows.
        MissingExtra: it is Parquet and pyarrow is not installed.
    """
    if source.suffix.lower() not in SUFFIXES:
        raise UsageError(f"{source} is not a list or table; expected {EXPECTED}")
    readers = {".csv": _read_csv, ".jsonl": _read_jsonl, ".parquet": _read_parquet}
    header, rows = readers[source.suffix.lower()](source)
    names = [name.strip() for name in header]
    if len(set(names)) < len(names):
        raise UsageError(f"{source} has two columns of one name; it has {', '.join(names)}")
    columns = dict(zip(names, _complete(source, names, rows), strict=True))
    for name in {IMAGE, PATH} & {*columns}:
        columns[name] = tuple(map(path_from_cell, columns[name]))
    return columns


def write_csv(
    target: Path,
    columns: Mapping[str, Sequence[str]],
    *,
    paths: Sequence[str] = (IMAGE, PATH),
    excel: bool = False,
) -> None:
    """Write columns of N texts as CSV; the file appears once it is complete.

    Args:
        target: is replaced.
        columns: N cells each, by name.
        paths: columns that hold names of files.
        excel: for spreadsheets, see `tables.cells`.

    Raises:
        OSError: it cannot be written.
    """
    cells = [
        map(to_cell(IMAGE if name in paths else name, excel=excel), texts)
        for name, texts in columns.items()
    ]
    header = map(to_cell("", excel=excel), columns)
    encoding = "utf-8-sig" if excel else "utf-8"
    with replacing(target) as fresh, fresh.open("w", newline="", encoding=encoding) as file:
        csv.writer(file).writerows([[*header], *zip(*cells, strict=True)])


def require_column(columns: Columns, names: Sequence[str], source: Path, option: str = "") -> str:
    """The first of some names that a file has.

    Args:
        columns: of the file.
        names: in the order of preference.
        source: the file, for the message.
        option: that names another column, for the message.

    Raises:
        UsageError: it has none of them.
    """
    found = next((name for name in names if name in columns), None)
    if found is None:
        hint = f"; name it with {option}" if option else ""
        raise UsageError(
            f"{source} has no column {' or '.join(names)}; its columns are {', '.join(columns)}"
            f"{hint}"
        )
    return found


def refuse_utf16(start: bytes, source: Path) -> None:
    """Refuse text in UTF-16, as spreadsheets save it, by the mark at its start.

    Raises:
        UsageError: it is that.
    """
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise UsageError(f"{source} is text in UTF-16; expected UTF-8: save it as CSV UTF-8")


def separator_of(header: str) -> str:
    """What separates the cells of a CSV file with this first line: a comma, semicolon or tab."""
    return next((mark for mark in ",;\t" if mark in header), ",")


def _complete(source: Path, names: Sequence[str], rows: Iterable[Row]) -> Iterable[tuple[str, ...]]:
    """The columns, after a check of every row's length; blank lines count as rows."""
    complete = []
    for number, row in enumerate(rows, start=2):
        if row and len(row) != len(names):
            raise UsageError(
                f"{source}, row {number}: expected {len(names)} fields, got {len(row)}"
            )
        complete.append(row or [""] * len(names))
    while complete and not any(complete[-1]):
        complete.pop()
    if not complete:
        raise UsageError(f"{source} has a header and no rows")
    return zip(*complete, strict=True)


def _read_csv(source: Path) -> tuple[Row, list[Row]]:
    """A CSV file; where its header has no comma, semicolons or tabs separate the cells.

    With semicolons, as Excel saves it in some countries, numbers have a comma for a point; they get
    a point. In a file with a byte order mark the cells are those of a table for spreadsheets.
    """
    try:
        data = source.read_bytes()
        refuse_utf16(data, source)
        excel = data.startswith(codecs.BOM_UTF8)
        text = data.removeprefix(codecs.BOM_UTF8).decode("utf-8", "surrogateescape")
        header = text.partition("\n")[0]
        mark = separator_of(header)
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=mark))
    except csv.Error as error:
        raise UsageError(f"{source} is not a CSV file: {error}") from error
    except OSError as error:
        raise UsageError(f"cannot read {source}: {error.strerror or error}") from error
    if not rows:
        raise UsageError(f"{source} is empty; expected a header with the names of its columns")
    if mark == ";":
        rows = [
            [
                DECIMAL_COMMA.sub(r"\1.\2", cell) if DECIMAL_COMMA.fullmatch(cell) else cell
                for cell in row
            ]
            for row in rows
        ]
    if excel:
        rows = [[text_from_cell(cell, excel=True) for cell in row] for row in rows]
    return rows[0], rows[1:]


def _read_jsonl(source: Path) -> tuple[Row, list[Row]]:
    try:
        lines = source.read_text(encoding="utf-8-sig").split("\n")  # strings may hold other breaks
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read {source} as JSON lines: {error}") from error
    objects = [
        _object(line, f"{source}, line {n}") for n, line in enumerate(lines, 1) if line.strip()
    ]
    if not objects:
        raise UsageError(f"{source} is empty; expected one JSON object a line")
    names = list(dict.fromkeys(name for one in objects for name in one))
    return names, [[_text(one.get(name)) for name in names] for one in objects]


def _object(line: str, place: str) -> dict[str, object]:
    try:
        found = json.loads(line)
    except ValueError as error:
        raise UsageError(f"{place}: no JSON: {error}") from error
    if not isinstance(found, dict):
        raise UsageError(f"{place}: expected a JSON object")
    return found


def _read_parquet(source: Path) -> tuple[Row, list[Row]]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise MissingExtra("reading Parquet", "parquet") from error
    try:
        table = parquet.read_table(source)
    except (pyarrow.ArrowInvalid, OSError) as error:
        raise UsageError(f"cannot read {source} as Parquet: {error}") from error
    columns = [[_text(value) for value in column.to_pylist()] for column in table.columns]
    return list(table.column_names), [list(row) for row in zip(*columns, strict=True)]


def _text(value: object) -> str:
    return "" if value is None else str(value)
