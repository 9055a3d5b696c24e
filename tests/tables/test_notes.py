"""Notes beside a table: what they hold, and which settings count as the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from facegauge.errors import UsageError
from facegauge.schema import Column, Schema
from facegauge.tables.notes import Notes, differences, notes_path, read_notes, write_notes

SCHEMA = Schema([Column("a", "int", "A toy."), Column("b", "str", "Another.")])
OLD = {"facegauge": "0.1.0", "scorer": "mobile", "sha256": "old", "faces": "auto"}
NEW = {"facegauge": "0.2.0", "scorer": "mobile", "version": "1.0", "sha256": "new", "faces": "auto"}


def test_notes_come_back(tmp_path: Path) -> None:
    notes = Notes({"scorer": "toy"}, SCHEMA, 17, {"mapping": {"linear": [1, 2]}}, fewer=9)
    write_notes(tmp_path / "t.csv", notes)
    assert read_notes(tmp_path / "t.csv") == notes
    assert [entry.name for entry in tmp_path.iterdir()] == ["t.csv.settings.json"]
    stored = json.loads(notes_path(tmp_path / "t.csv").read_text())
    assert stored["columns"][0] == {"name": "a", "type": "int", "doc": "A toy.", "unit": ""}


def test_notes_of_the_first_version_have_no_columns(tmp_path: Path) -> None:
    notes_path(tmp_path / "t.csv").write_text('{"settings": {"scorer": "toy"}, "whole": 5}')
    assert read_notes(tmp_path / "t.csv") == Notes({"scorer": "toy"}, None, 5)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"settings": 3}', '{"settings": {}, "whole": "x"}',
     '{"settings": {}, "columns": [{"name": "a"}]}', '{"settings": {}, "columns": 3}'],
)  # fmt: skip
def test_damaged_notes_are_refused(tmp_path: Path, text: str) -> None:
    notes_path(tmp_path / "t.csv").write_text(text)
    with pytest.raises(UsageError, match=r"^t\.csv\.settings\.json.* is missing or damaged$"):
        read_notes(tmp_path / "t.csv")


def test_scorers_are_compared_by_what_their_weights_hash_to() -> None:
    assert differences(OLD, OLD | {"facegauge": "0.2.0", "version": "1.0", "scorer": "m"}) == []
    assert differences(OLD, NEW) == ["sha256 was 'old', is 'new'"]
    assert differences(OLD, NEW, same_as=["other", "old"]) == []
    assert differences(OLD, NEW | {"scorer": "dsl"}) == [
        "scorer was 'mobile', is 'dsl'",
        "sha256 was 'old', is 'new'",
    ]
    assert differences(OLD, NEW | {"faces": "all"}, ["old"]) == ["faces was 'auto', is 'all'"]


def test_copies_of_a_scorer_differ_by_what_they_make_of_its_scores() -> None:
    one, other = OLD | {"calibration": "a"}, OLD | {"calibration": "b"}
    assert differences(one, one | {"scorer": "m"}) == []
    (told,) = differences(one, other)
    assert told.startswith("calibration was 'a', is 'b' (intervals and percentiles of another")
    assert differences(OLD, one) == differences(one, OLD) == []  # a table of an earlier version
    copied = "scorer was 'mobile', is 'mobile-calibrated'"
    assert differences(OLD, other | {"scorer": "mobile-calibrated"}) == [copied]
    assert differences(OLD, NEW | {"calibration": "b"}, same_as=["old"]) == []


def test_settings_without_weights_are_compared_one_by_one() -> None:
    assert differences({"scorer": "a"}, {"scorer": "b"}) == ["scorer was 'a', is 'b'"]
    assert differences({}, {"factors": ["x"]}) == ["factors was None, is ['x']"]
    assert differences({"factors": ["x"]}, {}) == ["factors was ['x'], is None"]
    assert differences({"min_face": 24}, {"min_face": 24.0}) == []
