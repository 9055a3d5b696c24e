"""Confidence intervals of statistics and of their differences: by bootstrap, and of few rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

RESAMPLES = 1000
FEW = 30  # rows; the percentiles of fewer resampled rows are too close to each other
MIN_ROWS = 3  # resamples of fewer rows are nearly equal, and give too narrow an interval
DEFINED = 0.95  # share of resamples with a value; those without would be left out as if alike


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate and its bootstrap interval.

    Attributes:
        value: the estimate.
        low: lower end of the interval; nan where it is not defined.
        high: upper end of the interval; nan where it is not defined.
        n: number of rows.
    """

    value: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        if math.isnan(self.low):
            return f"{self.value:.4f} [too few rows: {self.n}]"
        return f"{self.value:.4f} [{self.low:.4f}, {self.high:.4f}]"

    def to_dict(self) -> dict[str, float | None]:
        """The figures as `{value, low, high}`, with None for nan, which JSON does not have."""
        ends = {"value": self.value, "low": self.low, "high": self.high}
        return {key: None if math.isnan(end) else end for key, end in ends.items()}


def bootstrap(
    statistic: Callable[..., float],
    *arrays: npt.ArrayLike,
    resamples: int = RESAMPLES,
    level: float = 0.95,
    seed: int = 0,
    least: int = MIN_ROWS,
) -> Interval:
    """Percentile bootstrap over rows (Efron and Tibshirani 1993, chapter 13).

    Args:
        statistic: called with the arrays, all resampled with the same rows.
        arrays: N rows each.
        resamples: number of resamples of N rows, drawn with replacement.
        level: fraction of the resampled values within the interval, 0..1.
        seed: of the random rows.
        least: rows; fewer have no interval.

    Returns:
        The statistic of the arrays, and an interval that always contains it. The ends are nan if
        the statistic is nan, for fewer than `least` rows, and if it is nan in more than one
        resample of twenty.

    Raises:
        ValueError: the arrays differ in length.
    """
    columns = [np.asarray(array) for array in arrays]
    return intervals(
        lambda *rows: (statistic(*rows),), columns, resamples, level, seed, least=least
    )[0]


def paired_bootstrap(
    statistic: Callable[..., float],
    a: npt.ArrayLike,
    b: npt.ArrayLike,
    target: npt.ArrayLike,
    *,
    resamples: int = RESAMPLES,
    level: float = 0.95,
    seed: int = 0,
    least: int = MIN_ROWS,
) -> Interval:
    """Interval of `statistic(a, target) - statistic(b, target)` on the same resampled rows.

    The two predictions differ significantly if the interval does not contain 0.

    Args:
        statistic: a metric, called with a prediction and the target.
        a: (N,) first prediction.
        b: (N,) second prediction of the same rows.
        target: (N,) labels.
        resamples: see `bootstrap`.
        level: see `bootstrap`.
        seed: see `bootstrap`.
        least: see `bootstrap`.
    """
    return bootstrap(
        lambda p, q, y: statistic(p, y) - statistic(q, y),
        a, b, target, resamples=resamples, level=level, seed=seed, least=least,
    )  # fmt: skip


def mean_interval(values: npt.ArrayLike, level: float = 0.95) -> Interval:
    """Mean of any number of rows and its interval by Student's t, without resampling.

    Args:
        values: (N,); the interval is nan for fewer than `MIN_ROWS`, and where all are equal.
        level: 0..1.
    """
    rows = np.asarray(values, np.float64)
    n = len(rows)
    mean = float(rows.mean()) if n else math.nan
    if n < MIN_ROWS or np.ptp(rows) == 0:
        return Interval(mean, math.nan, math.nan, n)
    half = t_quantile(level, n - 1) * float(rows.std(ddof=1)) / math.sqrt(n)
    return Interval(mean, mean - half, mean + half, n)


def difference_interval(a: npt.ArrayLike, b: npt.ArrayLike, level: float = 0.95) -> Interval:
    """Mean of a - mean of b, with Welch's interval: spreads and numbers may differ.

    Args:
        a, b: (N,) and (M,); the interval is nan where one has fewer than `MIN_ROWS` rows, and where
            each side has equal values.
        level: 0..1.
    """
    sides = [np.asarray(side, np.float64) for side in (a, b)]
    n = min(map(len, sides))
    if not n:
        return Interval(math.nan, math.nan, math.nan, n)
    value = float(sides[0].mean() - sides[1].mean())
    if n < MIN_ROWS or not any(np.ptp(side) for side in sides):
        return Interval(value, math.nan, math.nan, n)
    parts = [float(side.var(ddof=1)) / len(side) for side in sides]
    of_each = sum(part**2 / (len(side) - 1) for part, side in zip(parts, sides, strict=True))
    half = t_quantile(level, sum(parts) ** 2 / of_each) * math.sqrt(sum(parts))
    return Interval(value, value - half, value + half, n)


def share_interval(values: npt.ArrayLike, level: float = 0.95) -> Interval:
    """The share of ones among zeros and ones, with Wilson's interval (1927); within 0..1.

    Args:
        values: (N,) 0 or 1; the interval is nan for fewer than `MIN_ROWS`.
        level: 0..1.
    """
    rows = np.asarray(values, np.float64)
    n = len(rows)
    share = float(rows.mean()) if n else math.nan
    if n < MIN_ROWS:
        return Interval(share, math.nan, math.nan, n)
    z = NormalDist().inv_cdf((1 + level) / 2)
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return Interval(share, max(0.0, min(share, middle - half)), max(share, middle + half), n)


def mean_of(
    values: npt.ArrayLike, resamples: int = RESAMPLES, level: float = 0.95, seed: int = 0
) -> Interval:
    """The mean of (N,) rows: with percentiles of resamples, of fewer than `FEW` by Student's t."""
    rows = np.asarray(values, np.float64)
    if len(rows) < FEW:
        return mean_interval(rows, level)
    return bootstrap(
        lambda one: float(one.mean()), rows, resamples=resamples, level=level, seed=seed
    )


def share_of(
    values: npt.ArrayLike, resamples: int = RESAMPLES, level: float = 0.95, seed: int = 0
) -> Interval:
    """The share of ones among (N,) zeros and ones; by Wilson of fewer than `FEW`, and of 0 or 1.

    All resamples of rows that are alike are alike, though other pictures need not be.
    """
    rows = np.asarray(values, np.float64)
    if len(rows) < FEW or np.ptp(rows) == 0:
        return share_interval(rows, level)
    return mean_of(rows, resamples, level, seed)


def t_quantile(level: float, free: float) -> float:
    """The t of Student's distribution that |T| exceeds with a probability of 1 - level.

    T = sqrt(free) tan(x), where the density of x is cos(x) ** (free - 1), summed up on a grid.

    Args:
        level: 0..1.
        free: degrees of freedom, 1 or more.
    """
    edge = min(math.pi / 2, 40 / math.sqrt(free))  # beyond it there is nothing
    x = np.linspace(0, edge, 40_001)
    density = np.cos(x) ** (free - 1)
    whole = np.concatenate([[0.0], np.cumsum(density[1:] + density[:-1])])
    return math.sqrt(free) * math.tan(float(np.interp(level, whole / whole[-1], x)))


def intervals(
    statistics: Callable[..., Sequence[float]],
    arrays: list[npt.NDArray[Any]],
    resamples: int,
    level: float,
    seed: int,
    *,
    least: int = MIN_ROWS,
) -> list[Interval]:
    """Intervals of several statistics from the same resamples.

    Args:
        statistics: called with the arrays; returns the values of all statistics.
        arrays: N rows each.
        resamples: see `bootstrap`.
        level: see `bootstrap`.
        seed: see `bootstrap`.
        least: see `bootstrap`.

    Raises:
        ValueError: the arrays differ in length.
    """
    n = len(arrays[0])
    if any(len(array) != n for array in arrays):
        raise ValueError(f"expected arrays of one length, got {[len(array) for array in arrays]}")
    values = statistics(*arrays)
    rng = np.random.default_rng(seed)
    draws = np.full((resamples, len(values)), math.nan)
    for draw in draws if n else ():
        rows = rng.integers(0, n, n)
        draw[:] = statistics(*(array[rows] for array in arrays))
    out = []
    for value, column in zip(values, draws.T, strict=True):
        defined = column[np.isfinite(column)]  # a small resample may have no spread
        if math.isnan(value) or n < least or len(defined) < max(1, DEFINED * resamples):
            out.append(Interval(float(value), math.nan, math.nan, n))
            continue
        low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
        out.append(Interval(float(value), float(min(low, value)), float(max(high, value)), n))
    return out
