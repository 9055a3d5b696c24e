"""Lines of any schema: what comes back, what is refused, and what other tools read."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable

import pytest

from facegauge.schema import Column, Schema
from facegauge.tables.formats import Lines, Row, csv_lines, jsonl_lines

SCHEMA = Schema(
    [
        Column("name", "str", "A text."),
        Column("number", "int", "A whole number."),
        Column("share", "float", "A number."),
        Column("message", "str", "Never None."),
    ]
)
BOTH = pytest.mark.parametrize("lines", [csv_lines(SCHEMA), jsonl_lines(SCHEMA)])
ODD = "odd, \"quoted\"\nnew line\rreturn\ttab 'x' ä 鏡"


def row(*values: object) -> Row:
    return dict(zip(SCHEMA.names, values, strict=True))


def read(lines: Lines, data: bytes) -> list[Row | None]:
    return [found for found, _ in lines.decode(io.BytesIO(data))]


@BOTH
def test_rows_come_back_with_their_types(lines: Lines) -> None:
    rows = [
        row("a", 3, 0.5, ""),
        row(None, None, None, "why"),
        row(ODD, -7, 1e-6, ODD),
        row("file:x", 10**12, 0.0, "\r"),
    ]
    data = lines.header + lines.encode(rows)
    assert [one for one in read(lines, data) if one is not None] == rows
    assert data == lines.header + b"".join(lines.encode([one]) for one in rows)


@BOTH
def test_floats_have_six_decimals_and_whole_numbers_stay_whole(lines: Lines) -> None:
    data = lines.header + lines.encode([row("a", 3, 1 / 3, ""), row("b", 4, 2, "")])
    one, other = (found for found in read(lines, data) if found)
    assert one["share"] == 0.333333 and other["share"] == 2
    assert b".0" not in data.splitlines()[-1]


@BOTH
def test_offsets_are_the_ends_of_rows_and_a_cut_line_is_left_out(lines: Lines) -> None:
    rows = [row("a", 1, 0.5, ""), row(ODD, 2, 0.5, "x"), row("c", 3, None, "")]
    data = lines.header + lines.encode(rows)
    ends = [len(lines.header) + len(lines.encode(rows[:count])) for count in range(len(rows) + 1)]
    ends = ends if lines.header else ends[1:]
    for length in range(len(data) + 1):
        found = [end for _, end in lines.decode(io.BytesIO(data[:length]))]
        assert found == [end for end in ends if end <= length], length


def test_csv_is_what_other_readers_of_csv_read() -> None:
    lines = csv_lines(SCHEMA)
    data = lines.header + lines.encode([row(ODD, 1, 0.25, ""), row("b", None, None, "c")])
    (first, second) = csv.DictReader(io.StringIO(data.decode(), newline=""))
    assert first == {"name": ODD, "number": "1", "share": "0.25", "message": ""}
    assert second == {"name": "b", "number": "", "share": "", "message": "c"}
    assert data.startswith(b"name,number,share,message\n")


def test_jsonl_is_an_object_a_line_in_the_order_of_the_schema() -> None:
    data = jsonl_lines(SCHEMA).encode([row("ä", 1, 0.25, "")])
    assert data == b'{"name": "\\u00e4", "number": 1, "share": 0.25, "message": ""}\n'


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_csv_of_other_tools_is_read(end: str) -> None:
    text = end.join(["name,number,share,message", '"a",2.0,1,', "b,,1e-3,x", ""])
    first, second = read(csv_lines(SCHEMA), text.encode())[1:]
    assert first == row("a", 2, 1.0, "") and second == row("b", None, 0.001, "x")
    assert first is not None and [type(first[key]) for key in ("number", "share")] == [int, float]


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (csv_lines, "name,number\n"),
        (csv_lines, "number,name,share,message\n"),
        (csv_lines, "name,number,share,message\na,1,0.5\n"),
        (csv_lines, "name,number,share,message\na,1,0.5,,\n"),
        (csv_lines, "name,number,share,message\na,1.5,0.5,\n"),
        (csv_lines, "name,number,share,message\na,one,0.5,\n"),
        (csv_lines, "name,number,share,message\na,1,half,\n"),
        (csv_lines, "name,number,share,message\n\n"),
        (csv_lines, 'name,number,share,message\n"a"b,1,0.5,\n""\n'),
        (jsonl_lines, '{"name": "a"}\n'),
        (jsonl_lines, "[1]\n"),
        (jsonl_lines, "nonsense\n"),
    ],
)
def test_what_is_no_row_of_the_schema_is_refused(
    make: Callable[[Schema], Lines], text: str
) -> None:
    with pytest.raises((ValueError, KeyError, TypeError)):
        read(make(SCHEMA), text.encode())


def test_a_schema_of_one_column() -> None:
    schema = Schema([Column("only", "float", "A number.")])
    for lines in (csv_lines(schema), jsonl_lines(schema)):
        data = lines.header + lines.encode([{"only": 1 / 3}, {"only": 0.5}])
        assert [one for one in read(lines, data) if one] == [{"only": 0.333333}, {"only": 0.5}]


def test_json_lines_are_json() -> None:
    (line,) = jsonl_lines(SCHEMA).encode([row("\u00e9", 1, None, "")]).splitlines()
    assert line.isascii() and json.loads(line)["name"] == "\u00e9"
