"""Scores from a table of ours or of another tool, one for each picture, and joined to a list."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from facegauge.arrays import Scores
from facegauge.data.list_files import IMAGE, PATH, SUFFIXES, Columns, read_columns, require_column
from facegauge.data.manifests import Manifest
from facegauge.errors import UsageError
from facegauge.evaluation.pairing import Pairs, by_name, by_path
from facegauge.results import FIRST_COLUMNS
from facegauge.tables.scores import same_file

FACES = ("0", "best")
JOINS = ("path", "name")


@dataclass(frozen=True, slots=True)
class TableOptions:
    """How a table is read and joined; a score table of facegauge needs none of it.

    Attributes:
        path_column: column of the pictures' paths; None: `path` or `image`.
        score_column: column of the scores; None: `score`.
        lower_better: whether a lower score is a better picture; not of the score of our tables.
        face: of several rows of a picture, "0": face number 0, or the first row of a table without
            face numbers; "best": the row with the best score.
        join: "path": a path of the table is that of a picture, relative to the current folder, the
            table's or the list's; "name": its file name is, with or without the suffix.

    Raises:
        UsageError: another value of `face` or `join`.
    """

    path_column: str | None = None
    score_column: str | None = None
    lower_better: bool = False
    face: str = "0"
    join: str = "path"

    def __post_init__(self) -> None:
        if self.face not in FACES:
            raise UsageError(f"expected --face to be one of {', '.join(FACES)}, got {self.face!r}")
        if self.join not in JOINS:
            raise UsageError(f"expected --join to be one of {', '.join(JOINS)}, got {self.join!r}")


OURS = TableOptions()


@dataclass(frozen=True, slots=True, eq=False)
class TableScores:
    """The scores of a table, one for each of N pictures.

    Attributes:
        source: the table.
        paths: N pictures as the table names them, in its order.
        scores: (N,), higher is better; nan where a picture has none.
        reasons: why a picture has no score, by row.
        doubled: pictures with more rows than count; the first row did.
        on_label_scale: whether all scores are in 0..1, higher better.
        lower_better: whether the table's scores were lower for better pictures, and are negated.
        columns: the cells of the other columns, of the row that counts.
    """

    source: Path
    paths: tuple[str, ...]
    scores: Scores
    reasons: Mapping[int, str]
    doubled: tuple[str, ...]
    on_label_scale: bool
    lower_better: bool = False
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def join(
        self, right: Sequence[str], join: str, folder: Path, bases: Sequence[Path] = (Path(),)
    ) -> Pairs:
        """Pair the table's pictures with other paths.

        Args:
            right: paths, absolute or relative to one of the bases.
            join: see `TableOptions.join`.
            folder: that the table's paths may be relative to, beside its own.
            bases: folders; by default the current one.

        Raises:
            UsageError: not one pair.
        """
        if join == "name":
            pairs = by_name(self.paths, right)
        else:
            pairs = by_path(self.paths, (Path(), self.source.parent, folder), right, bases)
        if not pairs.rows:
            hint = "" if join == "name" else "; try --join name"
            shown = repr(right[0]) if right else "none"
            raise UsageError(
                f"no row of {self.source} is one of the {len(right)} pictures: the table has "
                f"{self.paths[0]!r}, expected such as {shown}{hint}"
            )
        return pairs


def is_table(text: str | os.PathLike[str]) -> bool:
    """Whether it is a file, or has the suffix of a table; scorers and runs are folders."""
    path = Path(text)
    return path.is_file() or (path.suffix.lower() in SUFFIXES and not path.is_dir())


def read_scores(path: str | os.PathLike[str], options: TableOptions = OURS) -> TableScores:
    """Read one score for each picture of a table.

    Args:
        path: a score table of facegauge, or another tool's CSV, JSONL or Parquet.
        options: which columns and rows count.

    Raises:
        UsageError: there is no such table, or it lacks a column.
        MissingExtra: Parquet without pyarrow.
    """
    path = Path(path)
    if not path.is_file():
        raise UsageError(f"there is no table at {path}")
    columns = read_columns(path)
    ours = all(name in columns for name in FIRST_COLUMNS.names)
    # a table of ours that lacks the column of an option has its own
    named = [options.path_column, options.score_column]
    path_column, score_column = (None if ours and name not in columns else name for name in named)
    known = (path_column,) if path_column else (PATH, IMAGE)
    paths = columns[require_column(columns, known, path, "--path-column")]
    chosen = require_column(columns, (score_column or "score",), path, "--score-column")
    lower_better = options.lower_better and not (ours and chosen == "score")
    values, reasons = _numbers(columns, chosen, ours)
    if lower_better:
        values = -values
    kept, doubled = _one_each(paths, values, columns["face"] if ours else None, options.face)
    scores = values[kept]
    on_scale = not lower_better and bool(((scores >= 0) & (scores <= 1) | np.isnan(scores)).all())
    return TableScores(
        path,
        tuple(paths[row] for row in kept),
        scores,
        {place: reasons[row] for place, row in enumerate(kept) if row in reasons},
        doubled,
        on_scale,
        lower_better,
        {name: tuple(cells[row] for row in kept) for name, cells in columns.items()},
    )


def missing_rows(pairs: Pairs, table: TableScores, manifest: Manifest) -> dict[int, str]:
    """Why pictures of a list have no score in a table, by row of the list."""
    reasons = dict.fromkeys(pairs.right_alone, f"no row in {table.source.name}")
    reasons |= dict.fromkeys(pairs.right_doubled, "several pictures or rows have its name")
    for left, right in pairs.rows:
        if left in table.reasons:
            reasons[right] = table.reasons[left]
    return dict(sorted(reasons.items()))


def ignored_rows(pairs: Pairs, table: TableScores) -> dict[str, tuple[str, ...]]:
    """Rows of a table that do not count, by the reason why."""
    ignored = {
        "rows without a picture in the list": [table.paths[row] for row in pairs.left_alone],
        "rows whose name several pictures have": [table.paths[row] for row in pairs.left_doubled],
        "further rows of a picture, of which the first counts": table.doubled,
    }
    return {reason: tuple(names) for reason, names in ignored.items() if names}


def _numbers(columns: Columns, name: str, ours: bool) -> tuple[Scores, dict[int, str]]:
    """A column's finite numbers, nan for other cells, and what is wrong with those."""
    values, reasons = np.full(len(columns[name]), np.nan), {}
    for row, text in enumerate(columns[name]):
        try:
            value = float(text) if text.strip() else np.nan
        except ValueError:
            reasons[row] = f"its score is not a number: {text!r}"
            continue
        if np.isfinite(value):
            values[row] = value
        elif not text.strip():
            told = (columns["message"][row] or columns["status"][row]) if ours else ""
            reasons[row] = "its row has no score" if told in ("", "ok") else told
        else:
            reasons[row] = f"its score is not finite: {text}"
    return values, reasons


def _one_each(
    paths: Sequence[str], values: Scores, faces: Sequence[str] | None, face: str
) -> tuple[list[int], tuple[str, ...]]:
    """The row that counts of each picture, and the pictures with a row too many."""
    kept: dict[str, int] = {}
    seen: set[tuple[str, str]] = set()
    doubled: dict[str, None] = {}
    for row, path in enumerate(paths):
        if not path:  # an empty line
            continue
        key = same_file(path)
        number = faces[row] if faces is not None else ""
        first = kept.setdefault(key, row)
        if faces is None and face == "0":
            again = first != row
        else:
            again = faces is not None and (key, number) in seen
        seen.add((key, number))
        if again:
            doubled[path] = None
        elif face == "best":
            if not values[first] >= values[row]:
                kept[key] = row if np.isfinite(values[row]) else first
        elif number in ("0", "0.0") and faces is not None:
            kept[key] = row
    return list(kept.values()), tuple(doubled)
