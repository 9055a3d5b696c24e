"""Finished tables of any schema, by suffix: CSV, JSONL or Parquet; columns of others are kept."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from facegauge.errors import UsageError
from facegauge.outputs import replacing
from facegauge.schema import Column, ColumnType, Schema
from facegauge.tables.cells import restore_paths
from facegauge.tables.formats import Lines, Row, csv_lines, csv_records, json_objects, jsonl_lines
from facegauge.tables.parquet import (
    read_parquet,
    read_parquet_schema,
    require_parquet,
    write_parquet,
)

SUFFIXES = (".csv", ".jsonl", ".parquet")
WHOLE_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)")
NO_NUMBER = re.compile(r"[+-]?0[0-9]|.*[_\s]")  # though `float` takes it


def suffix_of(path: Path, suffixes: tuple[str, ...] = SUFFIXES) -> str:
    """The suffix of a table's name, which says its format, in lower case.

    Raises:
        UsageError: none of `suffixes`.
        MissingExtra: Parquet without pyarrow.
    """
    suffix = path.suffix.lower()
    if suffix not in suffixes:
        expected = f"{', '.join(suffixes[:-1])} or {suffixes[-1]}"
        raise UsageError(f"{path}: expected a table's name to end in {expected}")
    if suffix == ".parquet":
        require_parquet()
    return suffix


def lines_of(suffix: str, schema: Schema, *, excel: bool = False) -> Lines:
    """The format of lines of a suffix: CSV of .csv, for spreadsheets or not; JSONL of others."""
    return csv_lines(schema, excel=excel) if suffix == ".csv" else jsonl_lines(schema)


def check_excel(path: Path, excel: bool) -> None:
    """Refuse a table for spreadsheets that is no CSV.

    Raises:
        UsageError: it is in another format.
    """
    if excel and path.suffix.lower() != ".csv":
        raise UsageError(f"{path}: a table for spreadsheets (--excel) is a CSV file, .csv")


def table_schema(path: Path, known: Schema, stored: Iterable[Column] = ()) -> Schema:
    """The columns of a finished table.

    Args:
        path: of the table.
        known: columns that it must have, in any order.
        stored: other columns that it may have, from its notes. The types of yet others are those
            of a Parquet file, or the narrowest that all their values in the table have.

    Raises:
        OSError: unreadable.
        ValueError, TypeError: no such table.
    """
    suffix = suffix_of(path)
    described = {column.name: column for column in [*stored, *known]}
    if suffix == ".parquet":
        found = list(read_parquet_schema(path))
    else:
        found = (_csv_columns if suffix == ".csv" else _json_columns)(path, known, described)
    names = [column.name for column in found]
    if missing := [name for name in known.names if name not in names]:
        raise ValueError(f"it has no column {', '.join(missing)}")
    if len(set(names)) < len(names):
        raise ValueError("it has two columns of the same name")
    return Schema(described.get(column.name, column) for column in found)


def table_rows(path: Path, schema: Schema) -> Iterator[Row]:
    """The rows of a finished table whose columns are `table_schema`'s; empty cells are None.

    Raises:
        OSError: unreadable.
        ValueError, KeyError, TypeError: not such a table.
    """
    suffix = suffix_of(path)
    if suffix == ".parquet":
        yield from read_parquet(path)
    elif suffix == ".csv":
        with path.open("rb") as file:
            yield from (row for row, _ in csv_lines(schema).decode(file) if row is not None)
    else:
        names = schema.names
        # columns without a doc are those of other tools, whose values may be of any type
        texts = [one.name for one in schema if one.type == "str" and not one.doc]
        with path.open("rb") as file:
            for found, _ in json_objects(file):
                row = {name: found.get(name) for name in names}
                for name in texts:
                    if not isinstance(cell := row[name], str) and cell is not None:
                        row[name] = json.dumps(cell)
                yield restore_paths(row)


def write_table(
    path: Path,
    schema: Schema,
    rows: Iterable[Row],
    notes: Mapping[str, Any] | None = None,
    *,
    excel: bool = False,
) -> None:
    """Write a whole table; it appears under its name once it is complete.

    Args:
        path: is replaced; its suffix says the format.
        schema: the columns.
        rows: with these columns.
        notes: JSON types for the metadata of a Parquet file; other formats have no place for them.
        excel: whether a CSV file is for spreadsheets.
    """
    suffix = suffix_of(path)
    with replacing(path) as fresh:
        if suffix == ".parquet":
            write_parquet(fresh, schema, rows, notes)
        else:
            lines = lines_of(suffix, schema, excel=excel)
            with fresh.open("wb") as file:
                file.write(lines.header)
                file.writelines(lines.encode([row]) for row in rows)


def copy_rows(path: Path, lines: Lines, out: BinaryIO, keep: Callable[[Row], bool]) -> None:
    """Copy a file of lines, byte by byte, but the rows that are not to be kept.

    Raises:
        OSError: unreadable, or `out` cannot be written.
        ValueError, KeyError, TypeError: a line is no row.
    """
    start = 0
    with path.open("rb") as file, path.open("rb") as data:
        for row, end in lines.decode(file):
            line = data.read(end - start)
            start = end
            if row is None or keep(row):
                out.write(line)


def _csv_columns(path: Path, known: Schema, described: Mapping[str, Column]) -> list[Column]:
    with path.open("rb") as file:
        records = csv_records(file)
        names, _ = next(records, (list(known.names), 0))
        guessed: dict[str, ColumnType | None] = {n: None for n in names if n not in described}
        places = [(name, names.index(name)) for name in guessed]
        for cells, end in records if guessed else ():
            if len(cells) != len(names):
                raise ValueError(f"{len(cells)} cells, expected {len(names)}, up to byte {end}")
            for name, place in places:
                guessed[name] = _wider(guessed[name], _type_of_text(cells[place]))
    return [described.get(name) or Column(name, guessed[name] or "str", "") for name in names]


def _json_columns(path: Path, known: Schema, described: Mapping[str, Column]) -> list[Column]:
    """The known columns, and the keys of any row that are none of them."""
    guessed: dict[str, ColumnType | None] = {}
    with path.open("rb") as file:
        for row, _ in json_objects(file):
            if missing := [name for name in known.names if name not in row]:
                raise ValueError(f"a row has no {', '.join(missing)}")
            if len(row) > len(known):
                for name in row:
                    if name not in known:
                        guessed[name] = _wider(guessed.get(name), _type_of_value(row[name]))
    return [*known, *(Column(name, type_ or "str", "") for name, type_ in guessed.items())]


def _type_of_text(text: str) -> ColumnType | None:
    """The narrowest type of a CSV cell; numbers with leading zeros are text, as identifiers."""
    if not text:
        return None
    if WHOLE_NUMBER.fullmatch(text):
        return "int"
    try:
        float(text)
    except ValueError:
        return "str"
    return "str" if NO_NUMBER.match(text) else "float"


def _type_of_value(value: object) -> ColumnType | None:
    if value is None:
        return None
    kinds: dict[type, ColumnType] = {int: "int", float: "float"}
    return kinds.get(type(value), "str")


def _wider(one: ColumnType | None, other: ColumnType | None) -> ColumnType | None:
    """The narrower of the types that hold both."""
    order: list[ColumnType | None] = [None, "int", "float", "str"]
    return max(one, other, key=order.index)
