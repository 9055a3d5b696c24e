"""The faces of a finished score table, and the pictures that have none."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from facegauge.calibration import band
from facegauge.errors import UsageError
from facegauge.results import Box
from facegauge.schema import Schema, Value
from facegauge.tables.scores import read_rows, read_schema, same_file

EDGES = ("left", "top", "right", "bottom")


class TableFace(NamedTuple):
    """A face with a score.

    Attributes:
        path: its picture, as the table names it.
        number: of the face in the picture, 0 the largest.
        score: 0..1.
        band: the word for the score.
        box: in the upright picture; None where the whole picture was taken.
        row: all its cells.
    """

    path: str
    number: int
    score: float
    band: str
    box: Box | None
    row: Mapping[str, Value]


class Failure(NamedTuple):
    """A picture without a scored face."""

    path: str
    status: str
    message: str


@dataclass(frozen=True, slots=True, eq=False)
class FaceTable:
    """A score table that is read.

    Attributes:
        source: the file.
        schema: its columns.
        faces: in the table's order.
        failures: likewise.
        pictures: how many there are.
    """

    source: Path
    schema: Schema
    faces: tuple[TableFace, ...]
    failures: tuple[Failure, ...]
    pictures: int

    def file(self, path: str) -> Path:
        """Where a picture is: its path from the current folder, or else from the table's."""
        beside = self.source.parent / path
        return beside if not os.path.lexists(path) and os.path.lexists(beside) else Path(path)


def read_faces(path: str | os.PathLike[str]) -> FaceTable:
    """Read a score table of facegauge.

    Raises:
        UsageError: there is no such table, it is that of another tool, or a score or a box in it
            cannot be.
        MissingExtra: Parquet without pyarrow.
    """
    path = Path(path)
    if not path.is_file():
        raise UsageError(f"there is no table at {path}; expected one of facegauge score -o")
    schema = read_schema(path)
    faces: list[TableFace] = []
    failures: list[Failure] = []
    pictures = set()
    for number, row in enumerate(read_rows(path), 1):
        name = row["path"]
        if not isinstance(name, str):
            raise UsageError(f"{path}: row {number} has no path")
        pictures.add(same_file(name))
        if row["score"] is None:
            failures.append(Failure(name, str(row["status"]), str(row["message"] or "")))
        else:
            faces.append(_face(path, number, name, row))
    return FaceTable(path, schema, tuple(faces), tuple(failures), len(pictures))


def _face(path: Path, number: int, name: str, row: Mapping[str, Value]) -> TableFace:
    score = float(row["score"] or 0.0)
    if not 0 <= score <= 1:
        raise UsageError(f"{path}: row {number}: expected a score in 0..1, got {score:g}")
    edges = [row[edge] for edge in EDGES]
    try:
        known = [float(edge) for edge in edges if edge is not None]
        box = Box(*known) if len(known) == len(EDGES) else None
    except ValueError as error:
        raise UsageError(f"{path}: row {number}: {error}") from error
    return TableFace(name, int(row["face"] or 0), score, band(score), box, row)
