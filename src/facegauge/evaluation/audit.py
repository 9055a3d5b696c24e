"""Are groups of people scored alike? Means, gaps and acceptance, with intervals for all groups.

Every group of every grouping has the level 1 - 0.05 / m, where m is their number (Bonferroni), so
that all intervals of one figure hold together with 95 %. Those of groups of 30 pictures and more
are bootstrap percentiles. Smaller groups, whose percentiles are too narrow, have Student's t (gaps:
Welch's; shares: Wilson's), and no interval of a rank correlation or a ratio.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from facegauge.arrays import Scores
from facegauge.data.groups import Grouping
from facegauge.errors import UsageError
from facegauge.evaluation.counterfactual import Drops
from facegauge.evaluation.intervals import FEW, Interval, bootstrap
from facegauge.evaluation.metrics import srcc
from facegauge.evaluation.strata import Draws, Strata, draws_interval

ERROR = 0.05  # of all intervals of one figure together
SRCC_RESAMPLES = 2_000


@dataclass(frozen=True, slots=True)
class GroupAudit:
    """The scores of one group.

    Attributes:
        by: the grouping, such as "gender, ethnicity".
        name: the group, such as "female, asian".
        n: its pictures with a score.
        mean: of the scores.
        spread: standard deviation of the scores.
        gap: mean of the group - mean of all others.
        accepted: share at or above the threshold, 0..1; None without one.
        alike: the gap that is left among pictures alike in other columns; None without those.
        residual: mean of score - label; None without labels.
        srcc: rank correlation with the labels; None without labels.
    """

    by: str
    name: str
    n: int
    mean: Interval
    spread: float
    gap: Interval
    accepted: Interval | None = None
    alike: Interval | None = None
    residual: Interval | None = None
    srcc: Interval | None = None

    @property
    def few(self) -> bool:
        """Whether it has fewer than 30 pictures."""
        return self.n < FEW

    def to_dict(self) -> dict[str, Any]:
        """The figures in JSON types."""
        found = {one.name: getattr(self, one.name) for one in fields(self)}
        found["spread"] = None if math.isnan(self.spread) else self.spread
        return {
            **{k: v.to_dict() if isinstance(v, Interval) else v for k, v in found.items()},
            "few": self.few,
        }


@dataclass(frozen=True, slots=True)
class AcceptRatio:
    """The least share accepted over the greatest, of the groups of one grouping.

    Attributes:
        by: the grouping.
        least, greatest: the groups.
        ratio: 0..1; nan if nothing is accepted.
    """

    by: str
    least: str
    greatest: str
    ratio: Interval


@dataclass(frozen=True, slots=True)
class DropGap:
    """How far the score of a group falls under one kind of degradation.

    Attributes:
        by, name: the group.
        kind: the degradation.
        drop: mean fall of the score over severities 1 to 3.
        gap: drop of the group - drop of all others; above 0 the group loses more.
    """

    by: str
    name: str
    kind: str
    drop: Interval
    gap: Interval


@dataclass(frozen=True, slots=True)
class Audit:
    """An audit of N pictures with a score.

    Attributes:
        n: pictures.
        mean: of all scores.
        level: of each interval, see the module.
        groups: in the order of the groupings, by name.
        threshold: of acceptance; None without one.
        ratios: one for each grouping, with a threshold.
        drops: for each group and kind, with counterfactuals. Their level allows for all of them.
        drop_level: of their intervals.
    """

    n: int
    mean: float
    level: float
    groups: Sequence[GroupAudit]
    threshold: float | None = None
    ratios: Sequence[AcceptRatio] = ()
    drops: Sequence[DropGap] = ()
    drop_level: float = math.nan

    def to_dict(self) -> dict[str, Any]:
        """The audit in JSON types."""
        return {
            "n": self.n,
            "mean": self.mean,
            "level": self.level,
            "groups": [group.to_dict() for group in self.groups],
            "threshold": self.threshold,
            "ratios": [
                {"by": one.by, "least": one.least, "greatest": one.greatest, **one.ratio.to_dict()}
                for one in self.ratios
            ],
            "drops": [
                {"by": one.by, "name": one.name, "kind": one.kind}
                | {"drop": one.drop.to_dict(), "gap": one.gap.to_dict()}
                for one in self.drops
            ],
            "drop_level": self.drop_level if self.drops else None,
        }


def audit(
    scores: Scores,
    groupings: Sequence[Grouping],
    *,
    labels: Scores | None = None,
    accept: float | None = None,
    alike: Mapping[str, Scores] | None = None,
    drops: Drops | None = None,
    seed: int = 0,
) -> Audit:
    """Compare the scores of groups.

    Pictures are resampled within the finest groups (the crossing of all groupings), so that the
    sizes of groups stay as they are. The mean of a group that is made of several of those is that
    of its pictures, not of its parts.

    Args:
        scores: (N,), finite.
        groupings: see `data.groups.groupings`; each with two groups or more.
        labels: (N,) on the scale of the scores.
        accept: the least score that is accepted.
        alike: numbers by name, (N,) each: gaps are shown among pictures alike in these too, by
            a regression on them and their squares within the finest groups. Pictures without one
            of the numbers are left out there.
        drops: of the same pictures.
        seed: of the bootstrap.

    Raises:
        UsageError: no grouping, or one with a single group.
    """
    if not groupings:
        raise UsageError("expected at least one column of groups")
    for grouping in groupings:
        if len(set(grouping.names)) < 2:
            named = next(iter(grouping.names), "none")
            raise UsageError(f"{grouping.by} has one group, {named}; expected two or more")
    strata = Strata(groupings)
    columns: dict[str, Scores] = {"score": scores}
    if accept is not None:
        columns["accepted"] = np.where(scores >= accept, 1.0, 0.0)
    if labels is not None:
        columns["residual"] = scores - labels
    if alike:
        columns["alike"] = adjusted(scores, list(alike.values()), strata.of_row)
    count = sum(len(set(grouping.names)) for grouping in groupings)
    level = 1 - ERROR / count
    drawn = strata.draw(columns, level, seed)
    audits, ratios = [], []
    for grouping in groupings:
        accepted: dict[str, tuple[float, Draws]] = {}
        for name in sorted(set(grouping.names)):
            rows = np.array([one == name for one in grouping.names])
            means = {key: drawn.mean(key, rows, level) for key in columns}
            rank = None
            if labels is not None and rows.sum() < FEW:
                value = srcc(scores[rows], labels[rows])
                rank = Interval(value, math.nan, math.nan, int(rows.sum()))
            elif labels is not None:
                rank = bootstrap(
                    srcc, scores[rows], labels[rows],
                    resamples=SRCC_RESAMPLES, level=level, seed=seed,
                )  # fmt: skip
            audits.append(
                GroupAudit(
                    grouping.by,
                    name,
                    int(rows.sum()),
                    means["score"],
                    float(scores[rows].std(ddof=1)) if rows.sum() > 1 else math.nan,
                    drawn.gap("score", rows, level),
                    means.get("accepted"),
                    drawn.gap("alike", rows, level) if alike else None,
                    means.get("residual"),
                    rank,
                )
            )
            if accept is not None:
                accepted[name] = (means["accepted"].value, drawn.draws("accepted", rows))
        if accept is not None:
            smallest = min(Counter(grouping.names).values())
            ratios.append(_ratio(grouping.by, accepted, smallest, level))
    falls, drop_level = _falls(groupings, strata, drops, count, seed) if drops else ([], math.nan)
    mean = float(scores.mean())
    return Audit(len(scores), mean, level, audits, accept, ratios, falls, drop_level)


def adjusted(scores: Scores, numbers: Sequence[Scores], cells: npt.NDArray[np.intp]) -> Scores:
    """Scores without what numbers explain within groups, on the mean of all pictures.

    Args:
        scores: (N,).
        numbers: (N,) each; nan where unknown.
        cells: (N,) the group of each picture.

    Returns:
        (N,); nan where a number is unknown.
    """
    known = np.isfinite(np.stack(numbers)).all(0)
    kept = np.stack([number[known] for number in numbers], 1)
    spread = kept.std(0)
    kept = (kept - kept.mean(0)) / np.where(spread > 0, spread, 1)
    terms = np.concatenate([kept, kept**2], 1)
    centred = np.column_stack([terms, scores[known]])
    for cell in np.unique(cells[known]):
        rows = cells[known] == cell
        centred[rows] -= centred[rows].mean(0)
    slopes = np.linalg.lstsq(centred[:, :-1], centred[:, -1], rcond=None)[0]
    out = np.full(len(scores), np.nan)
    out[known] = scores[known] - (terms - terms.mean(0)) @ slopes
    return out


def _ratio(
    by: str, accepted: Mapping[str, tuple[float, Draws]], n: int, level: float
) -> AcceptRatio:
    values = {name: value for name, (value, _) in accepted.items()}
    least, greatest = min(values, key=values.__getitem__), max(values, key=values.__getitem__)
    drawn = np.stack([draws for _, draws in accepted.values()])
    with np.errstate(invalid="ignore", divide="ignore"):
        ratios = drawn.min(0) / drawn.max(0)
    value = values[least] / values[greatest] if values[greatest] else math.nan
    if n < FEW:
        return AcceptRatio(by, least, greatest, Interval(value, math.nan, math.nan, n))
    return AcceptRatio(by, least, greatest, draws_interval(value, ratios, n, level))


def _falls(
    groupings: Sequence[Grouping], strata: Strata, drops: Drops, count: int, seed: int
) -> tuple[list[DropGap], float]:
    level = 1 - ERROR / (count * len(drops.values))
    columns = {kind: drops.mean(kind) for kind in drops.values}
    drawn = strata.draw(columns, level, seed)
    falls = []
    for grouping in groupings:
        for name in sorted(set(grouping.names)):
            rows = np.array([one == name for one in grouping.names])
            for kind in columns:
                both = drawn.mean(kind, rows, level), drawn.gap(kind, rows, level)
                falls.append(DropGap(grouping.by, name, kind, *both))
    return falls, level
