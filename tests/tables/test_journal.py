"""The journal that score tables and label tables share: columns, other scorers, crashes."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from facegauge.errors import UsageError
from facegauge.schema import Column, Schema
from facegauge.tables.appended import AppendedFile
from facegauge.tables.files import table_rows, write_table
from facegauge.tables.journal import Journal
from facegauge.tables.notes import notes_path

SCHEMA = Schema([Column("name", "str", "A text."), Column("share", "float", "A number.")])
SETTINGS = {"scorer": "toy", "version": "1.0", "sha256": "b" * 64}


def journal(path: Path, schema: Schema = SCHEMA, **options: Any) -> Journal:
    options = {"in_place": False, "noun": "toy table", "restart": "start anew"} | options
    return Journal(path, schema, key="name", **options)


def written(path: Path, *names: str, settings: Any = SETTINGS, **options: Any) -> None:
    growing = journal(path, **options)
    growing.begin(settings)
    for name in names:
        growing.append([{"name": name, "share": 0.5}])
    growing.close(publish=True)


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_a_journal_beside_the_table_becomes_the_table(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"t{suffix}"
    growing = journal(file)
    growing.begin(SETTINGS, {"extra": [1]})
    growing.append([{"name": "a", "share": 1 / 3}])
    assert not file.exists() and growing.lines.exists() and growing.exists
    growing.close(publish=True)
    assert file.exists() and not growing.lines.exists()
    assert list(table_rows(file, SCHEMA)) == [{"name": "a", "share": 0.333333}]
    again = journal(file)
    assert again.resume(SETTINGS) == {"extra": [1]} and again.held.done == {"a"}
    again.append([{"name": "b", "share": None}])
    again.close(publish=True)
    assert [row["name"] for row in table_rows(file, SCHEMA)] == ["a", "b"]


@pytest.mark.parametrize("in_place", [True, False])
@pytest.mark.parametrize(
    ("schema", "named"),
    [
        (SCHEMA + Schema([Column("more", "int", "")]), "more"),
        (Schema([Column("name", "str", ""), Column("share", "int", "")]), "share"),
        (Schema(reversed(SCHEMA.columns)), "name, share"),
    ],
)
def test_other_columns_are_refused(
    tmp_path: Path, in_place: bool, schema: Schema, named: str
) -> None:
    file = tmp_path / "t.csv"
    written(file, "a", in_place=in_place)
    before = file.read_bytes()
    with pytest.raises(UsageError, match=f"with other columns: {named}; start anew$"):
        journal(file, schema, in_place=in_place).resume(SETTINGS)
    assert file.read_bytes() == before


def test_other_docs_of_the_same_columns_are_welcome(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    written(file, "a")
    growing = journal(file, Schema(Column(one.name, one.type, "New.") for one in SCHEMA))
    growing.resume(SETTINGS)
    growing.close(publish=True)
    stored = json.loads(notes_path(file).read_text())
    assert [column["doc"] for column in stored["columns"]] == ["New.", "New."]


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_columns_that_a_person_added_are_not_dropped_silently(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"t{suffix}"
    written(file, "a")
    schema = SCHEMA + Schema([Column("split", "str", "")])
    write_table(file, schema, [{"name": "a", "share": 0.5, "split": "train"}])
    before = file.read_bytes()
    with pytest.raises(UsageError, match="with other columns: split"):
        journal(file).resume(SETTINGS)
    assert file.read_bytes() == before and not journal(file).lines.exists()


def test_a_scorer_that_counts_as_the_same_resumes_and_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "t.csv"
    old = {"scorer": "toy", "sha256": "a" * 64, "facegauge": "0.1.0"}
    written(file, "a", settings=old)
    with pytest.raises(UsageError, match="sha256 was 'aaa"):
        journal(file).resume(SETTINGS)
    growing = journal(file)
    with caplog.at_level(logging.INFO, "facegauge"):
        growing.resume(SETTINGS, same_as=["c" * 64, "a" * 64])
    assert growing.held.done == {"a"}
    (record,) = caplog.records
    assert "sha256 aaaaaaaaaaaa..." in record.getMessage() and "toy 1.0" in record.getMessage()
    growing.close(publish=True)
    assert json.loads(notes_path(file).read_text())["settings"] == SETTINGS
    caplog.clear()
    again = journal(file)
    again.resume(SETTINGS)
    again.close(publish=True)
    assert not caplog.records


def test_a_run_killed_between_any_two_steps_of_begin_is_begun_or_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Old rows must never count as rows of new settings."""
    file = tmp_path / "t.csv"
    for place, step in ((Journal, "_save"), (AppendedFile, "write")):
        written(file, "a", settings={"scorer": "old"}, in_place=True)
        growing = journal(file, in_place=True)

        def killed(*_: object) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(place, step, killed)
            growing.begin({"scorer": "new"})
        assert not journal(file, in_place=True).exists


def test_nothing_is_published_unless_the_run_ended_well(tmp_path: Path) -> None:
    file = tmp_path / "t.parquet"
    growing = journal(file)
    growing.begin(SETTINGS)
    growing.append([{"name": "a", "share": 0.5}])
    growing.close(publish=False)
    assert not file.exists() and growing.lines.exists()
