"""Finished tables: columns that are known, described or guessed; Parquet's metadata."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from facegauge.errors import UsageError
from facegauge.schema import Column, Schema
from facegauge.tables.files import (
    replacing,
    suffix_of,
    table_rows,
    table_schema,
    write_table,
)
from facegauge.tables.parquet import read_parquet_notes

KNOWN = Schema([Column("name", "str", "A text."), Column("share", "float", "A number.")])
MORE = KNOWN + Schema([Column("count", "int", "A whole number.")])
ALL = [".csv", ".jsonl", ".parquet"]


def types(schema: Schema) -> dict[str, str]:
    return {column.name: column.type for column in schema}


@pytest.mark.parametrize("suffix", ALL)
def test_a_table_of_any_schema_comes_back(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"t{suffix}"
    rows = [
        {"name": "a", "share": 0.5, "count": 3},
        {"name": None, "share": None, "count": None},
        {"name": 'b, "c"\n', "share": 1e-6, "count": -1},
    ]
    write_table(file, MORE, rows, {"settings": {"scorer": "toy"}})
    schema = table_schema(file, KNOWN)
    assert types(schema) == {"name": "str", "share": "float", "count": "int"}
    assert list(table_rows(file, schema)) == rows
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [file.name]


def test_parquet_has_types_docs_and_settings_in_its_metadata(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    file = tmp_path / "t.parquet"
    write_table(file, MORE, [], {"settings": {"scorer": "toy", "sizes": [1, 2]}})
    schema = parquet.read_schema(file)
    for column in MORE:
        expected = {b"type": column.type.encode(), b"doc": column.doc.encode()}
        assert schema.field(column.name).metadata == expected
    stored = json.loads(schema.metadata[b"facegauge.settings"])
    assert stored == {"scorer": "toy", "sizes": [1, 2]}
    assert read_parquet_notes(file) == {"settings": stored}
    assert table_schema(file, KNOWN) == MORE  # its docs too


CELLS: dict[str, tuple[list[str], str, list[Any]]] = {
    "whole": (["1", "", "-20"], "int", [1, None, -20]),
    "number": (["1", "0.5", "1e3"], "float", [1.0, 0.5, 1000.0]),
    "identity": (["007", "12", ""], "str", ["007", "12", None]),
    "underscored": (["1_000", "2", "3"], "str", ["1_000", "2", "3"]),
    "word": (["1", "x", ""], "str", ["1", "x", None]),
    "nothing": (["", "", ""], "str", [None, None, None]),
    "": (["0", "1", "2"], "int", [0, 1, 2]),  # as pandas writes its index
}


def test_unknown_columns_of_csv_are_kept_with_the_narrowest_type(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    lines = [",".join([*CELLS, "share", "name"])]
    for place in range(3):
        lines.append(",".join([*(cells[place] for cells, _, _ in CELLS.values()), "0.5", "a"]))
    file.write_text("\n".join([*lines, ""]))
    schema = table_schema(file, KNOWN)
    assert types(schema) == {
        **{name: type_ for name, (_, type_, _) in CELLS.items()},
        "share": "float",
        "name": "str",
    }
    for place, row in enumerate(table_rows(file, schema)):
        expected = {name: values[place] for name, (_, _, values) in CELLS.items()}
        assert row == expected | {"share": 0.5, "name": "a"}


def test_unknown_columns_of_jsonl_are_kept_wherever_they_begin(tmp_path: Path) -> None:
    file = tmp_path / "t.jsonl"
    rows: list[dict[str, Any]] = [
        {"name": "a", "share": 0.5, "count": 1},
        {"name": "b", "share": 1, "count": 2.5, "text": "12"},
        {"name": "c", "share": None, "list": [1, 2], "flag": True},
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    schema = table_schema(file, KNOWN)
    assert types(schema) == {
        "name": "str",
        "share": "float",
        "count": "float",
        "text": "str",
        "list": "str",
        "flag": "str",
    }
    assert [tuple(row) for row in table_rows(file, schema)] == [schema.names] * 3
    assert [row["text"] for row in table_rows(file, schema)] == [None, "12", None]
    last = list(table_rows(file, schema))[-1]
    assert (last["list"], last["flag"], last["count"]) == ("[1, 2]", "true", None)


def test_unknown_columns_of_parquet_are_kept(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    columns = {
        "name": ["a"],
        "share": [0.5],
        "small": arrow.array([3], arrow.int8()),
        "half": arrow.array([0.25], arrow.float32()),
        "flag": [True],
    }
    file = tmp_path / "t.parquet"
    parquet.write_table(arrow.table(columns), file)
    schema = table_schema(file, KNOWN)
    assert types(schema) == {
        "name": "str",
        "share": "float",
        "small": "int",
        "half": "float",
        "flag": "str",
    }
    expected = {"name": "a", "share": 0.5, "small": 3, "half": 0.25, "flag": "True"}
    assert list(table_rows(file, schema)) == [expected]


def test_stored_columns_say_the_type_and_doc(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_text("name,share,code\na,0.5,1\n")
    stored = Column("code", "str", "A code.")
    schema = table_schema(file, KNOWN, [stored, Column("gone", "int", "")])
    assert schema["code"] == stored and "gone" not in schema
    assert next(iter(table_rows(file, schema)))["code"] == "1"


@pytest.mark.parametrize(
    ("suffix", "text", "message"),
    [
        (".csv", "name\na\n", "no column share"),
        (".csv", "name,share,name\na,1,b\n", "two columns of the same name"),
        (".csv", "name,share,x\na,1\n", "2 cells, expected 3"),
        (".jsonl", '{"name": "a"}\n', "a row has no share"),
    ],
)
def test_files_that_are_no_such_table(tmp_path: Path, suffix: str, text: str, message: str) -> None:
    file = tmp_path / f"t{suffix}"
    file.write_text(text)
    with pytest.raises(ValueError, match=message):
        table_schema(file, KNOWN)


def test_a_file_that_cannot_be_finished_leaves_the_old_one(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_text("old")
    with pytest.raises(ZeroDivisionError), replacing(file) as fresh:
        fresh.write_text("half")
        raise ZeroDivisionError
    assert [entry.name for entry in tmp_path.iterdir()] == ["t.csv"]
    assert file.read_text() == "old"


def test_the_suffix_says_the_format() -> None:
    assert suffix_of(Path("a/b.CSV")) == ".csv"
    with pytest.raises(UsageError, match=r"to end in \.csv or \.parquet"):
        suffix_of(Path("t.jsonl"), (".csv", ".parquet"))
