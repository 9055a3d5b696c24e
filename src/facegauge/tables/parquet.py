"""Tables of any schema as Parquet; types, docs and settings travel in the file's metadata."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from facegauge.errors import MissingExtra
from facegauge.schema import Column, Schema
from facegauge.tables.cells import restore_paths, to_cell
from facegauge.tables.formats import Row

ROW_GROUP = 50_000  # rows held in memory while a file is written


def write_parquet(
    path: Path | BinaryIO,
    schema: Schema,
    rows: Iterable[Row],
    notes: Mapping[str, Any] | None = None,
) -> None:
    """Write a Parquet file in row groups.

    Args:
        path: is replaced; or an open file to write to.
        schema: each column's type and doc are stored with its field, as `type` and `doc`.
        rows: with the schema's columns.
        notes: JSON types, stored as `facegauge.<key>` in the metadata of the file.
    """
    arrow, parquet = _pyarrow(), _pyarrow("parquet")
    kinds = {"str": arrow.string(), "int": arrow.int64(), "float": arrow.float64()}
    fields = [
        arrow.field(
            column.name, kinds[column.type], metadata={"type": column.type, "doc": column.doc}
        )
        for column in schema
    ]
    metadata = {f"facegauge.{key}": json.dumps(value) for key, value in (notes or {}).items()}
    arrow_schema = arrow.schema(fields, metadata)
    texts = {column.name: to_cell(column.name) for column in schema if column.type == "str"}
    clean = (
        row | {name: cell(row[name]) for name, cell in texts.items() if row[name] is not None}
        for row in rows
    )
    with parquet.ParquetWriter(path, arrow_schema) as writer:
        while group := list(islice(clean, ROW_GROUP)):
            writer.write_table(arrow.Table.from_pylist(group, arrow_schema))


def read_parquet_schema(path: Path) -> Schema:
    """The columns of a Parquet file; types that are no number are "str"."""
    with _pyarrow("parquet").ParquetFile(path) as file:
        return Schema(_column(field) for field in file.schema_arrow)


def read_parquet_notes(path: Path | BinaryIO) -> dict[str, Any]:
    """The notes that `write_parquet` was given."""
    with _pyarrow("parquet").ParquetFile(path) as file:
        metadata = file.schema_arrow.metadata or {}
    prefix = b"facegauge."
    return {
        key.removeprefix(prefix).decode(): json.loads(value)
        for key, value in metadata.items()
        if key.startswith(prefix)
    }


def read_parquet(path: Path) -> Iterator[Row]:
    """The rows of a Parquet file, with all its columns; what is no number is text."""
    arrow = _pyarrow()
    with _pyarrow("parquet").ParquetFile(path) as file:
        fields = list(file.schema_arrow)
        texts = [field.name for field in fields if _column(field).type == "str"]
        odd = [name for name in texts if file.schema_arrow.field(name).type != arrow.string()]
        for batch in file.iter_batches():
            for row in batch.to_pylist():
                for name in odd:
                    row[name] = None if row[name] is None else str(row[name])
                yield restore_paths(row)


def require_parquet() -> None:
    """Check that Parquet can be read and written.

    Raises:
        MissingExtra: pyarrow is not installed.
    """
    _pyarrow()


def _column(field: Any) -> Column:
    types = _pyarrow().types
    known = {key.decode(): value.decode() for key, value in (field.metadata or {}).items()}
    if types.is_integer(field.type):
        return Column(field.name, "int", known.get("doc", ""))
    if types.is_floating(field.type):
        return Column(field.name, "float", known.get("doc", ""))
    return Column(field.name, "str", known.get("doc", ""))


def _pyarrow(module: str = "") -> Any:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise MissingExtra("Parquet", "parquet") from error
    return pyarrow.parquet if module else pyarrow
