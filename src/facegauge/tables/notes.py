"""The notes beside a table, `<table>.settings.json`: how it was made, its columns, its extent."""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from facegauge.errors import UsageError
from facegauge.outputs import replacing
from facegauge.schema import Column, Schema

logger = logging.getLogger(__name__)

RECORDED = ("facegauge", "version")  # settings that are written down and not compared
CALIBRATION = "calibration"
MEANING = " (intervals and percentiles of another calibration)"


@dataclass(frozen=True, slots=True)
class Notes:
    """What the notes of a table hold.

    Attributes:
        settings: what its rows depend on, as JSON types.
        schema: its columns; None if the notes do not have them, as those of version 0.1.0.
        whole: bytes of its lines when it was last closed; 0 if it never was.
        fewer: as many are as whole, while lines are taken out; 0 at other times.
        suspects: names of pictures that may have ended a run, see `held.Held.suspect`.
        more: what else there is, such as the mapping of pseudo-labels.
        finished: bytes of the finished table; None while it grows or can be resumed.
    """

    settings: Mapping[str, Any]
    schema: Schema | None = None
    whole: int = 0
    more: Mapping[str, Any] = field(default_factory=dict)
    fewer: int = 0
    suspects: tuple[str, ...] = ()
    finished: int | None = None


def notes_path(table: Path) -> Path:
    """Where the notes of a table are."""
    return table.with_name(table.name + ".settings.json")


def read_notes(table: Path) -> Notes:
    """The notes of a table.

    Raises:
        UsageError: they are missing or damaged.
    """
    file = notes_path(table)
    try:
        stored = json.loads(file.read_text(encoding="utf-8"))
        settings, whole = dict(stored.pop("settings")), int(stored.pop("whole", 0))
        fewer = int(stored.pop("fewer", 0))
        suspects = tuple(map(str, stored.pop("suspects", ())))
        finished = stored.pop("finished", None)
        finished = None if finished is None else int(finished)
        columns = stored.pop("columns", None)
        schema = None if columns is None else Schema(Column(**column) for column in columns)
        return Notes(settings, schema, whole, stored, fewer, suspects, finished)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, UsageError) as error:
        raise UsageError(f"{file.name}, which has the settings, is missing or damaged") from error


def write_notes(table: Path, notes: Notes) -> None:
    """Replace the notes of a table, all at once.

    Raises:
        OSError: they cannot be written; the old ones stay.
    """
    columns = [asdict(column) for column in notes.schema or ()]
    stored = {"settings": notes.settings, **notes.more, "columns": columns, "whole": notes.whole}
    if notes.fewer:
        stored["fewer"] = notes.fewer
    if notes.suspects:
        stored["suspects"] = notes.suspects
    if notes.finished is not None:
        stored["finished"] = notes.finished
    with replacing(notes_path(table)) as fresh:
        fresh.write_text(json.dumps(stored, indent=2) + "\n", encoding="utf-8")


def in_json(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values as they come back from JSON, so that new and stored ones compare equal."""
    return dict(json.loads(json.dumps(dict(values))))


def differences(
    old: Mapping[str, Any], new: Mapping[str, Any], same_as: Collection[str] = ()
) -> list[str]:
    """How the settings of a run differ from those that its table was begun with.

    Scorers are compared by `sha256` and `calibration`, where both have them, and not by name.
    Tables of version 0.2 and earlier have no `calibration`; they belong to the scorer of the same
    name. `RECORDED` is not compared.

    Args:
        old: settings of the table.
        new: settings of the run.
        same_as: sha256 of other scorers whose scores may stand beside the run's.

    Returns:
        Such as "faces was 'auto', is 'all'", one for each setting that differs.
    """
    ignored = set(RECORDED)
    begun = old.get("sha256")
    same = begun is not None and begun == new.get("sha256")
    if same and (CALIBRATION in old) == (CALIBRATION in new):
        ignored |= {"scorer"}  # a copy may have another name; what it makes of scores is compared
    else:
        ignored |= {CALIBRATION}
    if not same and begun is not None and begun in same_as:
        ignored |= {"sha256", "scorer"}
    return [
        f"{key} was {old.get(key)!r}, is {new.get(key)!r}{MEANING if key == CALIBRATION else ''}"
        for key in {**old, **new}
        if key not in ignored and old.get(key) != new.get(key)
    ]


def other_columns(old: Schema, new: Schema) -> list[str]:
    """Names of the columns that are not the same in two schemas, by name, type and order."""
    ours, theirs = ([(column.name, column.type) for column in one] for one in (new, old))
    if ours == theirs:
        return []
    return sorted({name for name, _ in {*theirs} ^ {*ours}} or new.names)


def say_other_scorer(table: Path, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """Log that a table goes on with other weights than it was begun with, which count as them."""
    if old.get("sha256") != new.get("sha256"):
        logger.info(
            "%s was begun with the scorer %s of sha256 %.12s..., which counts as %s %s",
            table,
            old.get("scorer"),
            old.get("sha256"),
            new.get("scorer"),
            new.get("version", ""),
        )
