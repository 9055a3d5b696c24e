"""A bootstrap within strata: the pictures of each finest group are resampled by themselves."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from facegauge.arrays import Scores
from facegauge.data.groups import Grouping
from facegauge.evaluation.intervals import (
    DEFINED,
    FEW,
    MIN_ROWS,
    Interval,
    difference_interval,
    mean_interval,
    share_interval,
)

BEYOND = 10  # resamples that should lie beyond each end of an interval
MAX_RESAMPLES = 20_000
CHUNK = 4_000_000  # counts drawn at a time

Draws = npt.NDArray[np.float64]


class Strata:
    """The finest groups: pictures that are in the same group of every grouping.

    Args:
        groupings: of N pictures each.

    Attributes:
        of_row: (N,) the stratum of each picture.
        count: number of strata.
    """

    def __init__(self, groupings: Iterable[Grouping]) -> None:
        rows = list(zip(*(grouping.names for grouping in groupings), strict=True))
        numbers = {row: number for number, row in enumerate(dict.fromkeys(rows))}
        self.of_row = np.array([numbers[row] for row in rows], np.intp)
        self.count = len(numbers)

    def draw(self, columns: Mapping[str, Scores], level: float, seed: int) -> Resampled:
        """Resample pictures within strata, often enough for the level.

        Args:
            columns: (N,) values by name; nan where unknown.
            level: of the intervals that will be taken, 0..1.
            seed: of the random rows.
        """
        resamples = min(MAX_RESAMPLES, max(1000, math.ceil(2 * BEYOND / (1 - level))))
        rng = np.random.default_rng(seed)
        values = np.stack(list(columns.values()), 1)
        known = np.isfinite(values)
        both = np.concatenate([np.where(known, values, 0.0), known], 1)  # sums, then counts
        drawn = np.zeros((resamples, self.count, both.shape[1]))
        for cell in range(self.count):
            rows = both[self.of_row == cell]
            step = max(1, CHUNK // len(rows))
            for start in range(0, resamples, step):
                size = min(step, resamples - start)
                times = rng.multinomial(len(rows), np.full(len(rows), 1 / len(rows)), size)
                drawn[start : start + size, cell] = times @ rows
        width = len(columns)
        sums = {key: drawn[:, :, place] for place, key in enumerate(columns)}
        counts = {key: drawn[:, :, width + place] for place, key in enumerate(columns)}
        return Resampled(self.of_row, columns, sums, counts)


@dataclass(frozen=True, slots=True, eq=False)
class Resampled:
    """Values by column, and sums and counts of their finite ones in resamples.

    Attributes:
        of_row: (N,) the stratum of each picture.
        values: (N,) by column.
        sums, counts: (resamples, strata) by column.
    """

    of_row: npt.NDArray[np.intp]
    values: Mapping[str, Scores]
    sums: Mapping[str, Draws]
    counts: Mapping[str, Draws]

    def draws(self, key: str, rows: npt.NDArray[np.bool_]) -> Draws:
        """Means of resampled pictures, (resamples,); the rows are whole strata."""
        cells = np.unique(self.of_row[rows])
        with np.errstate(invalid="ignore"):
            return np.asarray(
                self.sums[key][:, cells].sum(1) / self.counts[key][:, cells].sum(1), np.float64
            )

    def mean(self, key: str, rows: npt.NDArray[np.bool_], level: float) -> Interval:
        """The mean of some pictures, (N,) a mask of whole strata.

        Of fewer than `FEW` pictures it is an interval by Student's t, or Wilson's of a share; so is
        that of a share of 0 or 1, whose resamples are all alike.
        """
        values = self.values[key][rows]
        known = _finite(values)
        share = self.is_share(key)
        if 0 < len(known) < FEW or (share and len(known) and np.ptp(known) == 0):
            return (share_interval if share else mean_interval)(known, level)
        return draws_interval(_mean(values), self.draws(key, rows), _known(values), level)

    def is_share(self, key: str) -> bool:
        """Whether the values of a column are 0 and 1."""
        return bool(np.isin(self.values[key], (0.0, 1.0)).all())

    def gap(self, key: str, rows: npt.NDArray[np.bool_], level: float) -> Interval:
        """The mean of some pictures - that of all others; by Welch where one has few pictures."""
        inside, outside = self.values[key][rows], self.values[key][~rows]
        if 0 < min(_known(inside), _known(outside)) < FEW:
            return difference_interval(_finite(inside), _finite(outside), level)
        draws = self.draws(key, rows) - self.draws(key, ~rows)
        fewer = min(_known(inside), _known(outside))
        return draws_interval(_mean(inside) - _mean(outside), draws, fewer, level)


def draws_interval(value: float, draws: Draws, n: int, level: float) -> Interval:
    """The percentile interval of an estimate from its resamples, which contains the estimate.

    Args:
        value: the estimate.
        draws: its resamples; if more than one of twenty is not defined, the ends are nan.
        n: rows; the ends are nan for fewer than `intervals.MIN_ROWS`.
        level: 0..1.
    """
    defined = draws[np.isfinite(draws)]
    if math.isnan(value) or n < MIN_ROWS or len(defined) < max(1, DEFINED * len(draws)):
        return Interval(value, math.nan, math.nan, n)
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return Interval(value, float(min(low, value)), float(max(high, value)), n)


def _finite(values: Scores) -> Scores:
    return values[np.isfinite(values)]


def _mean(values: Scores) -> float:
    finite = _finite(values)
    return float(finite.mean()) if len(finite) else math.nan


def _known(values: Scores) -> int:
    return int(np.isfinite(values).sum())
