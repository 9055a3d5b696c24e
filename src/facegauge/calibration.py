"""The meaning of a score: a band, a percentile of named labels, and a conformal interval.

The interval is a split conformal prediction interval, Mondrian over bins of the predicted score
(Vovk et al., Algorithmic Learning in a Random World). In each bin, the offsets below and above the
score are the finite-sample-corrected quantiles of the signed errors on a calibration set that the
scorer was not trained on. Each side gets half of the allowed misses, so that skewed errors give a
skewed interval. For a picture that is exchangeable with the calibration set, the interval contains
the label with at least the stated probability in each bin (up to the bins' edges, which are
computed from the same scores).
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

# The names are those of ITU-R BT.500's quality scale. The edges are our choice and follow the
# challenge labels, whose median is 0.34: a soft web picture has about 0.3, a sharp one 0.7 or more.
BANDS = ("bad", "poor", "fair", "good", "excellent")
BAND_EDGES = (0.20, 0.30, 0.45, 0.65)


@dataclass(frozen=True, slots=True)
class Calibration:
    """Maps a score to an interval and a percentile; stored in the scorer's card.

    Attributes:
        reference: name of the labels that percentiles refer to.
        n: number of these labels.
        quantiles: the reference labels at percentiles 0, 1, ... 100; 101 ascending numbers.
        edges: inner edges of the bins of scores, ascending; a score on an edge is in the upper bin.
        lower: distance from the score to the interval's lower end, per bin; >= 0.
        upper: distance from the score to the interval's upper end, per bin; >= 0.
        level: fraction of labels that the interval is expected to contain, such as 0.9.

    Raises:
        ValueError: the lengths, the order or the range of the numbers do not fit.
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
                f"expected {len(self.edges) + 1} lower and upper offsets, one per bin, "
                f"got {len(self.lower)} and {len(self.upper)}"
            )
        if any(not offset >= 0 for offset in self.lower + self.upper):
            raise ValueError("expected offsets of 0 or more")
        if not 0 < self.level < 1:
            raise ValueError(f"expected a level between 0 and 1, got {self.level}")

    def describe(self, score: float) -> tuple[float, float, float, str]:
        """Interval, percentile and band of a score.

        Args:
            score: 0..1.

        Returns:
            Lower and upper end of the interval (0..1), percentile (0..100), and band.
        """
        low, high = self.interval(score)
        return low, high, self.percentile(score), band(score)

    def interval(self, score: float) -> tuple[float, float]:
        """Lower and upper end of the interval, clipped to 0..1; it contains the score."""
        index = bisect_right(self.edges, score)
        return max(0.0, score - self.lower[index]), min(1.0, score + self.upper[index])

    def percentile(self, score: float) -> float:
        """Percentage of reference labels at or below the score, linear between quantiles."""
        return float(np.interp(score, self.quantiles, np.arange(101)))


def band(score: float) -> str:
    """The band of a score in 0..1, one of `BANDS`."""
    return BANDS[bisect_right(BAND_EDGES, score)]
