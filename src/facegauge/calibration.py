"""What a score means: a word, a percentile against named labels, and a conformal interval.

The interval is split conformal prediction, Mondrian over bins of the predicted score (Vovk et
al.): in each bin the offsets below and above the score are the finite-sample-corrected quantiles
of the signed errors on a calibration set that the scorer was not trained on. Each side is given
half of the allowed misses, so that a skewed error makes a skewed interval. For a picture that is
exchangeable with that set, the interval then holds the label with at least the stated probability
within each bin (up to the bins' edges, which are taken from the same scores).
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from facegauge.errors import UsageError

# Our choice, not a standard: the five words are those of ITU-R BT.500's quality scale, the edges
# follow the challenge labels, whose median is 0.34. A soft web picture lies at about 0.3, a crisp
# one at 0.7 and above.
BANDS = ("bad", "poor", "fair", "good", "excellent")
BAND_EDGES = (0.20, 0.30, 0.45, 0.65)


@dataclass(frozen=True, slots=True)
class Calibration:
    """What is needed to say what a score means; stored in the scorer's card.

    Attributes:
        reference: name of the labels that percentiles refer to.
        n: how many labels these are.
        quantiles: the reference labels at percentiles 0, 1, ... 100; 101 ascending numbers.
        edges: inner edges of the score's bins, ascending; a score on an edge is in the upper bin.
        lower, upper: per bin, how far the interval reaches below and above the score; >= 0.
        level: share of labels that the interval is made to hold, such as 0.9.
    """

    reference: str
    n: int
    quantiles: tuple[float, ...]
    edges: tuple[float, ...]
    lower: tuple[float, ...]
    upper: tuple[float, ...]
    level: float = 0.9

    def __post_init__(self) -> None:
        if len(self.quantiles) != 101 or any(a > b for a, b in pairwise(self.quantiles)):
            raise ValueError(f"expected 101 ascending quantiles, got {len(self.quantiles)}")
        if any(a >= b for a, b in pairwise(self.edges)):
            raise ValueError(f"expected ascending edges, got {self.edges}")
        if not len(self.lower) == len(self.upper) == len(self.edges) + 1:
            raise ValueError(
                f"expected {len(self.edges) + 1} lower and upper offsets, one a bin, "
                f"got {len(self.lower)} and {len(self.upper)}"
            )
        if any(not offset >= 0 for offset in self.lower + self.upper):
            raise ValueError("expected offsets of 0 or more")
        if not 0 < self.level < 1:
            raise ValueError(f"expected a level between 0 and 1, got {self.level}")

    def describe(self, score: float) -> tuple[float, float, float, str]:
        """Low and high end of the interval (0..1), percentile (0..100) and band of a 0..1 score."""
        low, high = self.interval(score)
        return low, high, self.percentile(score), band(score)

    def interval(self, score: float) -> tuple[float, float]:
        """The interval around the score, cut to 0..1; it always contains the score."""
        place = bisect_right(self.edges, score)
        return max(0.0, score - self.lower[place]), min(1.0, score + self.upper[place])

    def percentile(self, score: float) -> float:
        """Share of the reference labels at or below the score, 0..100, linear between quantiles."""
        return float(np.interp(score, self.quantiles, np.arange(101)))


def band(score: float) -> str:
    """The word for a score on the 0..1 scale."""
    return BANDS[bisect_right(BAND_EDGES, score)]


def fit_calibration(
    scores: npt.ArrayLike,
    labels: npt.ArrayLike,
    reference_labels: npt.ArrayLike,
    reference_name: str,
    *,
    level: float = 0.9,
    bins: int = 5,
) -> Calibration:
    """Calibration from scored and labelled pictures that the scorer was not trained on.

    Args:
        scores: (N,) the scorer's outputs, 0..1.
        labels: (N,) the labels of the same pictures, 0..1.
        reference_labels: (M,) labels that percentiles refer to, 0..1.
        reference_name: what to call these labels.
        level: share of labels the interval shall hold.
        bins: number of bins of about equal count over the scores; fewer where scores are tied.

    Returns:
        The calibration, its numbers rounded to 6 decimals. A bin with too few pictures for the
        level (under 19 for 0.9) gets the offset 1 and so an interval that excludes nothing.

    Raises:
        UsageError: arrays empty, of different length, or not all numbers in 0..1.
    """
    predicted = _unit("scores", scores)
    truth = _unit("labels", labels)
    reference = _unit("reference_labels", reference_labels)
    if len(predicted) != len(truth):
        raise UsageError(f"expected one label a score, got {len(predicted)} and {len(truth)}")
    inner = np.round(np.quantile(predicted, np.arange(1, bins) / bins), 6)
    edges = np.unique(inner)
    place = np.searchsorted(edges, predicted, side="right")
    errors = [(truth - predicted)[place == number] for number in range(len(edges) + 1)]
    return Calibration(
        reference=reference_name,
        n=len(reference),
        quantiles=_rounded(np.quantile(reference, np.arange(101) / 100)),
        edges=_rounded(edges),
        lower=_rounded([_offset(-error, level) for error in errors]),
        upper=_rounded([_offset(error, level) for error in errors]),
        level=level,
    )


def _offset(errors: npt.NDArray[np.float64], level: float) -> float:
    """The ceil((n + 1) (1 - miss))-th smallest error, miss = (1 - level) / 2; within 0..1."""
    rank = math.ceil((len(errors) + 1) * (1 + level) / 2 - 1e-9)
    if rank > len(errors):
        return 1.0
    return float(np.clip(np.sort(errors)[rank - 1], 0, 1))


def _unit(name: str, values: npt.ArrayLike) -> npt.NDArray[np.float64]:
    array = np.asarray(values, np.float64)
    if array.ndim != 1 or not len(array) or not ((array >= 0) & (array <= 1)).all():
        raise UsageError(f"expected {name} to be a non-empty list of numbers in 0..1")
    return array


def _rounded(values: Sequence[float] | npt.NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(round(float(value), 6) for value in values)
