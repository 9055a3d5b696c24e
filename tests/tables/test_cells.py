"""Names and texts as cells: what they look like, and that they come back."""

from __future__ import annotations

import csv
import os
import random
import sys
from pathlib import Path
from urllib.parse import unquote_to_bytes

import pytest

import facegauge
from facegauge.data.list_files import read_columns, write_csv
from facegauge.tables.cells import path_from_cell, path_to_cell, text_from_cell, text_to_cell

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such names")
BYTES = b"/\\%:;,=+-@'\" \t\r\nabf\xe9\xc3\xa9\xff\x80il"


def names(count: int = 3000) -> list[str]:
    """Names of random bytes, often UTF-8 by chance, and names that look like cells."""
    rng = random.Random(0)
    drawn = [bytes(rng.choices(BYTES, k=rng.randint(1, 12))) for _ in range(count)]
    prefixes = [b"", b"file:", b"'", b"=", b"file:%"]
    return [os.fsdecode(rng.choice(prefixes) + name) for name in drawn]


@pytest.mark.parametrize(
    "name", ["a.jpg", "é 名/%41.jpg", "C:\\a.jpg", "File:a", "=1.jpg", "'a", ""]
)
def test_names_that_are_utf8_stay_as_they_are(name: str) -> None:
    assert path_to_cell(name) == name and path_from_cell(name) == name


@POSIX
def test_a_name_that_is_not_utf8_is_a_uri() -> None:
    name = os.fsdecode("/é/caf".encode() + b"\xe9 %.jpg")
    cell = path_to_cell(name)
    assert cell == "file:/%C3%A9/caf%E9%20%25.jpg"
    assert os.fsdecode(unquote_to_bytes(cell.removeprefix("file:"))) == name
    assert facegauge.path_from_cell(cell) == name


@POSIX
@pytest.mark.parametrize("excel", [False, True])
def test_every_name_comes_back_and_no_two_names_are_one_cell(excel: bool) -> None:
    cells = {}
    for name in names():
        cell = path_to_cell(name, excel=excel)
        cell.encode()
        assert path_from_cell(cell) == name
        assert cells.setdefault(cell, name) == name
        if excel:
            assert cell[:1] not in [*"=+-@\t\r\n"] and ";=" not in cell
    assert len(cells) > 2000


@pytest.mark.parametrize("excel", [False, True])
def test_every_text_comes_back(excel: bool) -> None:
    for name in names():
        text = name.encode("utf-8", "backslashreplace").decode()
        cell = text_to_cell(text, excel=excel)
        assert text_from_cell(cell, excel=excel) == text
        if excel:
            assert cell[:1] not in [*"=@\t\r\n"]
    assert text_to_cell("\udce9") == "\\udce9"


@pytest.mark.parametrize(
    "text", ["=1", "+1x", "-x", "@a", "\tx", "\rx", " =1", "＝1", "'=1", "-1_0"]
)
def test_formulas_get_an_apostrophe_in_tables_for_spreadsheets_only(text: str) -> None:
    assert text_to_cell(text) == text and text_from_cell("'" + text) == "'" + text
    assert text_to_cell(text, excel=True) == "'" + text


@pytest.mark.parametrize("text", ["-1.5", "+3e-7", "a=b", "'a", "1-2", ""])
def test_numbers_and_other_texts_do_not(text: str) -> None:
    assert text_to_cell(text, excel=True) == text


def test_half_a_character_is_written_all_the_same() -> None:
    path_to_cell("\ud800.jpg").encode()


@pytest.mark.parametrize("excel", [False, True])
def test_columns_come_back_from_csv(tmp_path: Path, excel: bool) -> None:
    columns = {
        "image": ("=a.png", os.fsdecode(b"b\xe9.png"), "file:c.png"),
        "who": ("@x", "'=y", "-3"),
    }
    write_csv(tmp_path / "t.csv", columns, excel=excel)
    assert read_columns(tmp_path / "t.csv") == columns
    with (tmp_path / "t.csv").open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.reader(file))
    assert (rows[1] == ["file:%3Da.png", "'@x"]) == excel
    assert rows[3] == ["file:file%3Ac.png", "-3"]


def test_a_list_that_excel_separated_by_semicolons_is_read(tmp_path: Path) -> None:
    text = '\ufeffimage;score;who\r\n"a;b.png";0,25;1,5,7\r\nc.png;1;x\r\n'
    (tmp_path / "t.csv").write_text(text, encoding="utf-8")
    assert read_columns(tmp_path / "t.csv") == {
        "image": ("a;b.png", "c.png"),
        "score": ("0.25", "1"),
        "who": ("1,5,7", "x"),
    }


@POSIX
@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_pyarrow_reads_every_table(tmp_path: Path, suffix: str) -> None:
    pytest.importorskip("pyarrow")
    from pyarrow import csv as arrow_csv
    from pyarrow import json as arrow_json
    from pyarrow import parquet

    from facegauge.results import ImageScore, Status
    from facegauge.tables.scores import open_table

    given = [os.fsdecode(b"caf\xe9.jpg"), "é.jpg", "b\\xe9.jpg"]
    for excel in (False, True)[: 1 + (suffix == ".csv")]:
        file = tmp_path / f"t{excel}{suffix}"
        with open_table(file, excel=excel) as table:
            for name in given:
                table.write(ImageScore(name, Status.NO_FACE, (), "no face"))
        read = {
            ".csv": arrow_csv.read_csv,
            ".jsonl": arrow_json.read_json,
            ".parquet": parquet.read_table,
        }[suffix]
        cells = read(file).column("path").to_pylist()
        assert [path_from_cell(cell) for cell in cells] == given
        assert cells[1:] == given[1:]
