"""Agreement of predictions with labels: metrics, evaluations with intervals, and group gaps.

Every metric takes `(prediction, target)`, two (N,) arrays, as in torchmetrics, and returns a float.
A metric that is not defined (fewer than two rows, or constant values) is nan and raises no
exception; `Evaluation.notes` gives the reason.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from facegauge.evaluation.intervals import (
    FEW,
    MIN_ROWS,
    RESAMPLES,
    Interval,
    bootstrap,
    intervals,
    mean_interval,
    paired_bootstrap,
)
from facegauge.evaluation.logistic import cross_fit, fit_logistic

__all__ = [
    "Evaluation",
    "GroupGap",
    "Interval",
    "bootstrap",
    "challenge",
    "evaluate",
    "fit_logistic",
    "group_gaps",
    "krcc",
    "paired_bootstrap",
    "plcc",
    "rmse",
    "srcc",
]

Array = npt.NDArray[np.float64]

KRCC_RESAMPLES = 200  # Kendall's tau is about ten times slower than the others


def plcc(prediction: npt.ArrayLike, target: npt.ArrayLike) -> float:
    """Pearson's linear correlation coefficient, -1..1; nan for constant values."""
    a, b = _pair(prediction, target)
    if len(a) < 2 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return math.nan
    a, b = a - a.mean(), b - b.mean()
    spread = math.sqrt(float(a @ a)) * math.sqrt(float(b @ b))
    return min(1.0, max(-1.0, float(a @ b) / spread)) if spread > 0 else math.nan


def srcc(prediction: npt.ArrayLike, target: npt.ArrayLike) -> float:
    """Spearman's rank correlation coefficient, -1..1; ties get their average rank."""
    a, b = _pair(prediction, target)
    return plcc(_ranks(a), _ranks(b))


def krcc(prediction: npt.ArrayLike, target: npt.ArrayLike) -> float:
    """Kendall's rank correlation coefficient tau-b, -1..1, in O(n log n) (Knight 1966)."""
    a, b = (np.unique(side, return_inverse=True)[1] for side in _pair(prediction, target))
    pairs = len(a) * (len(a) - 1) // 2
    tied_a, tied_b = _tied_pairs(a), _tied_pairs(b)
    if pairs in (tied_a, tied_b):
        return math.nan
    tied_both = _tied_pairs(a.astype(np.int64) * len(b) + b)
    discordant = _inversions(b[np.lexsort((b, a))])
    difference = pairs - tied_a - tied_b + tied_both - 2 * discordant  # concordant - discordant
    return difference / math.sqrt(pairs - tied_a) / math.sqrt(pairs - tied_b)


def rmse(prediction: npt.ArrayLike, target: npt.ArrayLike) -> float:
    """Root mean squared error, on the scale of the labels; nan without rows."""
    a, b = _pair(prediction, target)
    return math.sqrt(float(np.mean((a - b) ** 2))) if len(a) else math.nan


def challenge(prediction: npt.ArrayLike, target: npt.ArrayLike) -> float:
    """The ranking score of the VQualA 2025 challenge, (SRCC + PLCC) / 2."""
    return (srcc(prediction, target) + plcc(prediction, target)) / 2


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Agreement of predictions with labels, each metric with an interval.

    Attributes:
        n: number of rows.
        srcc: Spearman's rank correlation coefficient.
        plcc: Pearson's correlation coefficient of the raw predictions.
        plcc_fitted: PLCC after a fitted logistic (see `evaluate`), as in many published tables.
            The curve may be decreasing, so this is positive for negatively correlated predictions.
        krcc: Kendall's tau-b.
        rmse: root mean squared error of the raw predictions; of those on another scale than the
            labels', of the fitted ones, which a note says.
        challenge: (srcc + plcc) / 2.
        notes: remarks for the reader, one sentence each.
    """

    n: int
    srcc: Interval
    plcc: Interval
    plcc_fitted: Interval
    krcc: Interval
    rmse: Interval
    challenge: Interval
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The evaluation in JSON types: n, notes, and `{value, low, high}` for each metric."""
        out: dict[str, Any] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            out[field.name] = value.to_dict() if isinstance(value, Interval) else value
        out["notes"] = list(self.notes)
        return out


def evaluate(
    prediction: npt.ArrayLike,
    target: npt.ArrayLike,
    *,
    calibration: tuple[npt.ArrayLike, npt.ArrayLike] | None = None,
    on_label_scale: bool = True,
    resamples: int = RESAMPLES,
    level: float = 0.95,
    seed: int = 0,
    least: int = MIN_ROWS,
) -> Evaluation:
    """Evaluate predictions by all metrics.

    Args:
        prediction: (N,).
        target: (N,) labels.
        calibration: (prediction, target) of other pictures, to which the logistic of `plcc_fitted`
            is fitted; None: cross-fitting on two halves of the rows, see `cross_fit`. The
            bootstrap does not refit the curve.
        on_label_scale: whether predictions are meant to equal the labels, not only to order them.
        resamples: of the bootstrap; KRCC, which is slow, gets at most `KRCC_RESAMPLES`.
        level: of the intervals, 0..1.
        seed: of the bootstrap and the halves.
        least: rows; fewer have no intervals.

    Raises:
        ValueError: the arrays differ in length or contain values that are not finite.
    """
    p, y = _pair(prediction, target)
    if not (np.isfinite(y).all() and np.isfinite(p).all()):
        raise ValueError("expected finite predictions and labels; remove the other rows first")
    notes: list[str] = []
    if len(y) < 2 or np.ptp(y) == 0 or np.ptp(p) == 0:
        notes.append("correlations are not defined: " + _why_undefined(y))
        mapped, note = p, ""
    elif calibration is not None:
        raw, known = _pair(*calibration)
        curve = fit_logistic(raw, known)
        mapped = curve(p)
        note = curve.note
    else:
        mapped, note = cross_fit(p, y, seed)
    notes.extend([f"PLCC fitted: {note}"] if note else [])
    if not on_label_scale:
        notes.append("RMSE is that of the fitted scores; the raw ones are on another scale")

    def metrics(p: Array, mapped: Array, y: Array) -> Sequence[float]:
        rank, linear = srcc(p, y), plcc(p, y)
        error = rmse(p if on_label_scale else mapped, y)
        return rank, linear, plcc(mapped, y), error, (rank + linear) / 2

    rank, linear, fitted, error, mean = intervals(
        metrics, [p, mapped, y], resamples, level, seed, least=least
    )
    fewer = min(resamples, KRCC_RESAMPLES)
    tau = bootstrap(krcc, p, y, resamples=fewer, level=level, seed=seed, least=least)
    return Evaluation(len(y), rank, linear, fitted, tau, error, mean, tuple(notes))


@dataclass(frozen=True, slots=True)
class GroupGap:
    """The errors of one group of pictures.

    Attributes:
        name: the group's value.
        n: number of pictures in the group.
        residual: mean of prediction - target; above 0 the group's scores are too high.
        srcc: rank correlation coefficient within the group.
    """

    name: str
    n: int
    residual: Interval
    srcc: Interval

    def to_dict(self) -> dict[str, Any]:
        """The group gap in JSON types."""
        figures = {"residual": self.residual.to_dict(), "srcc": self.srcc.to_dict()}
        return {"name": self.name, "n": self.n, **figures}


def group_gaps(
    prediction: npt.ArrayLike,
    target: npt.ArrayLike,
    groups: Sequence[str],
    *,
    resamples: int = RESAMPLES,
    level: float = 0.95,
    seed: int = 0,
) -> list[GroupGap]:
    """Residual and rank correlation of each group.

    Args:
        prediction: (N,).
        target: (N,) labels.
        groups: the group of each row, N names.
        resamples: see `bootstrap`.
        level: see `bootstrap`.
        seed: see `bootstrap`.

    Returns:
        One `GroupGap` per group, largest group first.
    """
    p, y = _pair(prediction, target)
    names, member, counts = np.unique(np.asarray(groups), return_inverse=True, return_counts=True)
    gaps = []
    for index in np.argsort(-counts, kind="stable"):
        rows = member == index
        if counts[index] < FEW:
            residual = mean_interval(p[rows] - y[rows], level)
            rank = Interval(srcc(p[rows], y[rows]), math.nan, math.nan, int(counts[index]))
        else:
            residual, rank = intervals(
                lambda p, y: (float(np.mean(p - y)), srcc(p, y)), [p[rows], y[rows]],
                resamples, level, seed,
            )  # fmt: skip
        gaps.append(GroupGap(str(names[index]), int(counts[index]), residual, rank))
    return gaps


def _pair(prediction: npt.ArrayLike, target: npt.ArrayLike) -> tuple[Array, Array]:
    a, b = np.asarray(prediction, np.float64), np.asarray(target, np.float64)
    if a.ndim != 1 or a.shape != b.shape:
        raise ValueError(f"expected two (N,) arrays of one length, got {a.shape} and {b.shape}")
    return a, b


def _why_undefined(target: Array) -> str:
    if len(target) < 2:
        return f"they need at least two rows, got {len(target)}"
    constant = "labels" if np.ptp(target) == 0 else "predictions"
    return f"all {constant} are equal"


def _ranks(values: Array) -> Array:
    """Ranks from 1, ties averaged."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[inverse], np.float64)


def _tied_pairs(codes: npt.NDArray[np.integer]) -> int:
    counts = np.unique(codes, return_counts=True)[1].astype(np.int64)
    return int((counts * (counts - 1) // 2).sum())


def _inversions(codes: npt.NDArray[np.integer]) -> int:
    """Pairs i < j with codes[i] > codes[j], for codes >= 0.

    A radix sort from the highest bit. Two codes are separated at the highest bit in which they
    differ, and are inverted if the one with a 1 there comes first.
    """
    total = 0
    for bit in reversed(range(int(codes.max(initial=0)).bit_length())):
        above = codes >> (bit + 1)  # already sorted by the higher bits
        one = (codes >> bit) & 1
        ones_before = np.cumsum(one) - one
        in_group = ones_before - ones_before[np.searchsorted(above, above)]
        total += int(in_group[one == 0].sum())
        codes = codes[np.argsort(codes >> bit, kind="stable")]
    return total
