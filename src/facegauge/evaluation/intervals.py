"""Bootstrap intervals: how far a figure would move with other pictures of the same kind."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

RESAMPLES = 1000
FEWEST = 3  # rows: of one or two all resamples are nearly alike, and would look like certainty


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate, its bootstrap interval, and the number of rows `n` it was made from."""

    value: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        if math.isnan(self.low):
            return f"{self.value:.4f} [too few rows: {self.n}]"
        return f"{self.value:.4f} [{self.low:.4f}, {self.high:.4f}]"

    def to_dict(self) -> dict[str, float | None]:
        """`{value, low, high}`; None stands for nan, which JSON does not have."""
        ends = {"value": self.value, "low": self.low, "high": self.high}
        return {key: None if math.isnan(end) else end for key, end in ends.items()}


def bootstrap(
    statistic: Callable[..., float],
    *arrays: npt.ArrayLike,
    resamples: int = RESAMPLES,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Percentile bootstrap over rows.

    Args:
        statistic: called with the arrays, all resampled with the same rows.
        arrays: each with N rows.
        resamples: how often N rows are drawn with replacement.
        level: share of the resampled values that the interval holds, 0..1.
        seed: same seed, same interval.

    Returns:
        The statistic of the arrays as given and its interval, which is widened, where the
        resampled values are biased, to hold the estimate. Its ends are nan where the estimate is,
        and for fewer than `FEWEST` rows.
    """
    sides = [np.asarray(array) for array in arrays]
    return intervals(lambda *rows: (statistic(*rows),), sides, resamples, level, seed)[0]


def paired_bootstrap(
    statistic: Callable[..., float],
    a: npt.ArrayLike,
    b: npt.ArrayLike,
    target: npt.ArrayLike,
    *,
    resamples: int = RESAMPLES,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Interval of `statistic(a, target) - statistic(b, target)`, both on the same resampled rows.

    An interval that leaves out 0 says that the two predictions differ.

    Args:
        statistic: called with a prediction and the target, as every metric is.
        a, b: (N,) two predictions of the same rows.
        target: (N,) what both are compared with.
        resamples, level, seed: see `bootstrap`.
    """
    return bootstrap(
        lambda p, q, y: statistic(p, y) - statistic(q, y),
        a, b, target, resamples=resamples, level=level, seed=seed,
    )  # fmt: skip


def intervals(
    figures: Callable[..., Sequence[float]],
    arrays: list[npt.NDArray[Any]],
    resamples: int,
    level: float,
    seed: int,
) -> list[Interval]:
    """One interval for each of the values of `figures`, all from the same resamples."""
    n = len(arrays[0])
    if any(len(array) != n for array in arrays):
        raise ValueError(f"arrays need the same length, got {[len(array) for array in arrays]}")
    values = figures(*arrays)
    rng = np.random.default_rng(seed)
    draws = np.full((resamples, len(values)), math.nan)
    for draw in draws if n else ():
        rows = rng.integers(0, n, n)
        draw[:] = figures(*(array[rows] for array in arrays))
    out = []
    for value, column in zip(values, draws.T, strict=True):
        defined = column[np.isfinite(column)]  # a small resample may have no spread
        if math.isnan(value) or not len(defined) or n < FEWEST:
            out.append(Interval(float(value), math.nan, math.nan, n))
            continue
        low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
        out.append(Interval(float(value), float(min(low, value)), float(max(high, value)), n))
    return out
