"""What a report says, as data: counts, faces, problems, failures, groups, agreement with labels."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from facegauge.arrays import Scores
from facegauge.calibration import BANDS
from facegauge.data.groups import groupings, ranges
from facegauge.data.label_scale import UNIT, LabelScale
from facegauge.data.manifests import Manifest, load_manifest
from facegauge.errors import UsageError
from facegauge.evaluation.audit import GroupAudit, audit
from facegauge.evaluation.intervals import FEW, Interval, intervals, mean_interval, mean_of
from facegauge.evaluation.logistic import FittedCurve, fit_logistic
from facegauge.evaluation.metrics import GroupGap, group_gaps, plcc, rmse, srcc
from facegauge.evaluation.predictions import join_table
from facegauge.evaluation.table_scores import OURS, TableOptions, read_scores
from facegauge.ratings import PROBLEM, RATING, RATINGS
from facegauge.tables.faces import FaceTable, Failure, TableFace, read_faces
from facegauge.tables.notes import read_notes
from facegauge.visual.sheet import worst_and_best

SHOWN, EXAMPLES = 60, 12  # faces of the worst and of the best; of a problem
FAILURES, REASONS = 50, 20  # pictures that are named, and reasons
RESAMPLES = 300  # of the intervals: reports of 10,000 faces take seconds
TOO_FEW = 5  # labelled pictures, for a curve and for ranges


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with some faces.

    Attributes:
        name: of the factor, for people.
        advice: what to do, in a sentence or two.
        faces: with a rating below 0.5, the worst first.
        measured: how many faces have a rating.
        mean, others: mean score of these faces, and of those without the problem.
    """

    name: str
    advice: str
    faces: tuple[TableFace, ...]
    measured: int
    mean: float
    others: float


@dataclass(frozen=True, slots=True, eq=False)
class Agreement:
    """Scores of n pictures beside their labels.

    Attributes:
        scores, labels: (N,).
        figures: SRCC, PLCC, RMSE and the mean error, score - label, by name.
        curve: the logistic from scores to labels that papers fit before PLCC; None of few rows.
        by_range: errors by five ranges of the labels, in order.
    """

    scores: Scores
    labels: Scores
    figures: Mapping[str, Interval]
    curve: FittedCurve | None
    by_range: Sequence[GroupGap]


@dataclass(frozen=True, slots=True, eq=False)
class Contents:
    """All that a report shows; see the other classes.

    `partners`: with a list, the pictures and rows that do not count beside it, by the reason why.
    """

    table: FaceTable
    settings: Mapping[str, Any]
    mean: Interval
    bands: Mapping[str, int]
    worst: tuple[TableFace, ...]
    best: tuple[TableFace, ...]
    notes: Mapping[str, int]
    problems: tuple[Problem, ...]
    failures: Mapping[str, int]
    reasons: Sequence[tuple[str, str, int]]
    named: tuple[Failure, ...]
    groups: Mapping[str, Sequence[GroupAudit]]
    level: float
    agreement: Agreement | None
    partners: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def shown(self) -> tuple[TableFace, ...]:
        """The faces with a thumbnail, each once: at most 400."""
        examples = (face for one in self.problems for face in one.faces[:EXAMPLES])
        faces = {(face.path, face.number): face for face in (*self.worst, *self.best, *examples)}
        return tuple(faces.values())


def read_contents(
    table: str | os.PathLike[str],
    *,
    data: str | os.PathLike[str] | None = None,
    by: Iterable[str] = (),
    scale: LabelScale = UNIT,
    options: TableOptions = OURS,
) -> Contents:
    """Work out what a report on a score table says.

    Args:
        table: of facegauge.
        data: a list of pictures with labels, or with columns of groups, or both.
        by: columns of the list, see `data.groups.groupings`.
        scale: of the list's labels.
        options: how the table is joined to the list.

    Raises:
        UsageError: no such table, no scored face, no list for groups, an empty join, one group.
        MissingExtra: Parquet without pyarrow.
    """
    by = [by] if isinstance(by, str) else list(by)
    if by and data is None:
        raise UsageError("groups are columns of a list: expected --data LIST beside --by")
    found = read_faces(table)
    if not found.faces:
        raise UsageError(f"{table} has no face with a score, of {found.pictures} pictures")
    agreement: Agreement | None = None
    groups: Mapping[str, Sequence[GroupAudit]] = {}
    level = 0.95
    partners: Mapping[str, Sequence[str]] = {}
    if data is not None:
        manifest = load_manifest(data, scale=scale, must_exist=False)
        if manifest.scores is None and not by:
            raise UsageError(f"{data} has no column score; name columns of groups with --by")
        agreement, groups, level, partners = _joined(found, manifest, by, options)
    worst, best = worst_and_best(found.faces, SHOWN)
    bands = Counter(face.band for face in found.faces)
    words = Counter(
        word for face in found.faces for word in str(face.row.get("notes") or "").split()
    )
    reasons = Counter((one.status, one.message) for one in found.failures)
    return Contents(
        table=found,
        settings=_settings(found),
        mean=mean_interval([face.score for face in found.faces]),
        bands={word: bands[word] for word in BANDS},
        worst=worst,
        best=best,
        notes=dict(words.most_common()),
        problems=_problems(found),
        failures=dict(Counter(one.status for one in found.failures).most_common()),
        reasons=[(*reason, count) for reason, count in reasons.most_common(REASONS)],
        named=found.failures[:FAILURES],
        groups=groups,
        level=level,
        agreement=agreement,
        partners=partners,
    )


def _settings(table: FaceTable) -> Mapping[str, Any]:
    """How the table was made; empty where its notes are gone."""
    try:
        return read_notes(table.source).settings
    except UsageError:
        return {}


def _problems(table: FaceTable) -> tuple[Problem, ...]:
    """By factor, the most frequent first."""
    problems = []
    for factor, rating in RATINGS.items():
        name = RATING + factor
        if name not in table.schema:
            continue
        known = [face for face in table.faces if face.row[name] is not None]
        rated = [(float(face.row[name] or 0), face) for face in known]
        bad = sorted((one for one in rated if one[0] < PROBLEM), key=lambda one: one[0])
        others = [face.score for seen, face in rated if seen >= PROBLEM]
        faces = tuple(face for _, face in bad)
        advice = " ".join(filter(None, [rating.advice, rating.low_advice]))
        mean = mean_interval([face.score for face in faces]).value
        found = rating.title, advice, faces, len(rated), mean, mean_interval(others).value
        problems.append(Problem(*found))
    return tuple(sorted(problems, key=lambda one: -len(one.faces)))


def _joined(
    table: FaceTable, manifest: Manifest, by: Sequence[str], options: TableOptions
) -> tuple[Agreement | None, dict[str, list[GroupAudit]], float, Mapping[str, Sequence[str]]]:
    """Agreement with the labels of a list, groups by its columns, the level of their gaps, and what
    has no partner."""
    wanted = groupings(manifest.group, by)
    predictions = join_table(read_scores(table.source, options), manifest, options.join)
    rows = np.isfinite(predictions.scores)
    if not rows.any():
        raise UsageError(f"no picture of {manifest.source} has a score in {table.source}")
    scores = predictions.scores[rows]
    groups: dict[str, list[GroupAudit]] = {}
    level = 0.95
    if wanted:
        audited = audit(scores, [grouping.take(rows) for grouping in wanted])
        level = audited.level
        for group in audited.groups:
            groups.setdefault(group.by, []).append(group)
    unscored = [f"{manifest.paths[row]}: {why}" for row, why in predictions.unscored.items()]
    partners = {
        **({"pictures of the list without a score": tuple(unscored)} if unscored else {}),
        **predictions.ignored,
    }
    if manifest.scores is None:
        return None, groups, level, partners
    labels = manifest.scores[rows]
    figures = intervals(
        lambda p, y: (srcc(p, y), plcc(p, y), rmse(p, y)),
        [scores, labels], RESAMPLES, 0.95, 0, least=FEW,
    )  # fmt: skip
    figures.append(mean_of(scores - labels, RESAMPLES))
    enough = len(scores) >= TOO_FEW
    names = ranges("label", labels).names
    gaps = group_gaps(scores, labels, names, resamples=RESAMPLES) if enough else []
    return (
        Agreement(
            scores,
            labels,
            dict(zip(("SRCC", "PLCC", "RMSE", "mean error"), figures, strict=True)),
            fit_logistic(scores, labels) if enough else None,
            sorted(gaps, key=lambda gap: gap.name),
        ),
        groups,
        level,
        partners,
    )
