"""What a score means: a word, a percentile against named labels, and a conformal interval.

The interval is split conformal prediction, Mondrian over bins of the predicted score (Vovk et
al.): in each bin the offsets below and above the score are the finite-sample-corrected quantiles
of the signed errors on a calibration set that the scorer was not trained on. Each side is given
half of the allowed misses, so that a skewed error makes a skewed interval. For a picture that is
exchangeable with that set, the interval then holds the label with at least the stated probability
within each bin (up to the bins' edges, which are taken from the same scores).
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

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
