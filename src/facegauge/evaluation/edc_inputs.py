"""An error-versus-discard curve from files: a table of scores and a list of pairs."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facegauge.arrays import Scores
from facegauge.data.list_files import Columns, read_columns, require_column
from facegauge.errors import UsageError
from facegauge.evaluation.edc import ErrorDiscard, error_discard
from facegauge.evaluation.intervals import RESAMPLES
from facegauge.evaluation.table_scores import OURS, TableOptions, TableScores, read_scores

TRUE, FALSE = ("1", "1.0", "true", "yes"), ("0", "0.0", "false", "no")


@dataclass(frozen=True, slots=True)
class JudgedPairs:
    """A curve, and what did not count in it.

    Attributes:
        curve: of the pairs whose pictures both have a score.
        left_out: number of other pairs.
        unscored: why pictures of pairs have no score, by name.
    """

    curve: ErrorDiscard
    left_out: int
    unscored: Mapping[str, str]


def judge_pairs(
    table: str | os.PathLike[str],
    pairs: str | os.PathLike[str],
    *,
    fmr: float = 1e-3,
    options: TableOptions = OURS,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> JudgedPairs:
    """Read scores and pairs, and work out the error-versus-discard curve.

    Args:
        table: see `table_scores.read_scores`.
        pairs: CSV, JSONL or Parquet with the columns `a` and `b`, pictures as in the table or
            relative to this file's folder; `similarity`, a number, higher is more alike; `mated`,
            1 or 0; and, for intervals by person, `identity_a` and `identity_b`.
        fmr, resamples, seed: see `edc.error_discard`.
        options: how the table is read and joined.

    Raises:
        UsageError: a missing file or column, a cell of another kind, or pairs without scores.
    """
    source = Path(pairs)
    if not source.is_file():
        raise UsageError(f"there is no list of pairs at {source}")
    columns = read_columns(source)
    names = [columns[require_column(columns, (key,), source)] for key in ("a", "b")]
    similarity = _similarity(columns, source)
    mated = _mated(columns, source)
    persons = None
    if "identity_a" in columns and "identity_b" in columns:
        persons = columns["identity_a"], columns["identity_b"]
        _check_persons(persons, mated.tolist(), source)
    opened = read_scores(table, options)
    found, unscored = _qualities(
        opened, list(dict.fromkeys([*names[0], *names[1]])), options, source
    )
    sides = [np.array([found[name] for name in side], np.float64) for side in names]
    quality = np.minimum(*sides)  # nan where a score is missing
    rows = np.isfinite(quality)
    if not rows.any():
        raise UsageError(f"of no pair of {source} both pictures have a score in {opened.source}")
    identities = None
    if persons is not None:
        first, second = (np.array(side)[rows].tolist() for side in persons)
        identities = first, second
    curve = error_discard(
        quality[rows],
        similarity[rows],
        mated[rows],
        fmr=fmr,
        identities=identities,
        resamples=resamples,
        seed=seed,
    )
    return JudgedPairs(curve, int((~rows).sum()), unscored)


def _qualities(
    table: TableScores, names: Sequence[str], options: TableOptions, source: Path
) -> tuple[dict[str, float], dict[str, str]]:
    """The score of each picture of the pairs, nan where there is none, and why."""
    joined = table.join(names, options.join, source.parent, (Path(), source.parent))
    scores = dict.fromkeys(names, np.nan)
    reasons = dict.fromkeys(names, f"no row in {table.source.name}")
    for left, right in joined.rows:
        scores[names[right]] = float(table.scores[left])
        reasons[names[right]] = table.reasons.get(left, "")
    unscored = {name: why for name, why in reasons.items() if not np.isfinite(scores[name])}
    return scores, unscored


def _check_persons(
    persons: tuple[Sequence[str], Sequence[str]], mated: Sequence[bool], source: Path
) -> None:
    for row, (a, b, same) in enumerate(zip(*persons, mated, strict=True)):
        if not (a and b):
            raise UsageError(
                f"{source}, row {row + 2}: expected identity_a and identity_b, got none"
            )
        if (a == b) != same:
            raise UsageError(
                f"{source}, row {row + 2}: the pair is {'' if same else 'not '}mated, but its "
                f"identities are {a!r} and {b!r}"
            )


def _similarity(columns: Columns, source: Path) -> Scores:
    cells = columns[require_column(columns, ("similarity",), source)]
    values = np.empty(len(cells))
    for row, text in enumerate(cells):
        try:
            values[row] = float(text)
        except ValueError:
            values[row] = np.nan
        if not np.isfinite(values[row]):
            raise UsageError(f"{source}, row {row + 2}: expected a similarity, got {text!r}")
    return values


def _mated(columns: Columns, source: Path) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    cells = columns[require_column(columns, ("mated",), source)]
    for row, text in enumerate(cells):
        if text.lower() not in (*TRUE, *FALSE):
            raise UsageError(f"{source}, row {row + 2}: expected mated to be 1 or 0, got {text!r}")
    return np.array([text.lower() in TRUE for text in cells], bool)
