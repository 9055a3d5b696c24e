"""The meaning of a score: a band, a percentile among named pictures, and a conformal interval.

The interval is a split conformal prediction interval (Vovk et al., Algorithmic Learning in a Random
World), made local by neighbours: at some scores, the knots, the offsets below and above are the
finite-sample-corrected quantiles of the signed errors of the calibration pictures whose scores are
nearest. Between knots the ends are linear, so that scores that differ little have intervals that
differ little, and both ends rise with the score. Each side gets half of the allowed misses, so that
skewed errors give a skewed interval.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

# The names are those of ITU-R BT.500's quality scale. The edges are our choice: percentiles 5, 25,
# 75 and 90 of the challenge labels of photos, rounded; see docs/meaning.md.
BANDS = ("bad", "poor", "fair", "good", "excellent")
BAND_EDGES = (0.20, 0.30, 0.41, 0.57)


@dataclass(frozen=True, slots=True)
class ScoreMap:
    """A rising curve from the scores of a network to other labels, linear between knots.

    Attributes:
        kind: how it was fitted, such as "isotonic".
        knots: scores, ascending, from 0 to 1.
        values: what they become, 0..1, never falling.

    Raises:
        ValueError: the lengths, the order or the range of the numbers do not fit.
    """

    kind: str
    knots: tuple[float, ...]
    values: tuple[float, ...]

    def __post_init__(self) -> None:
        rising = all(a < b for a, b in pairwise(self.knots))
        if len(self.knots) < 2 or not rising or self.knots[0] != 0 or self.knots[-1] != 1:
            raise ValueError(f"expected knots that ascend from 0 to 1, got {self.knots}")
        if len(self.values) != len(self.knots):
            raise ValueError(f"expected {len(self.knots)} values, got {len(self.values)}")
        if any(a > b for a, b in pairwise(self.values)) or not 0 <= self.values[0] <= 1:
            raise ValueError("expected values in 0..1 that never fall")
        if not self.values[-1] <= 1:
            raise ValueError("expected values in 0..1 that never fall")

    def __call__(self, scores: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Map scores (N,); those outside 0..1 count as 0 or 1, nan stays."""
        mapped = np.interp(np.asarray(scores, np.float64), self.knots, self.values)
        return np.asarray(mapped, np.float64)

    def fingerprint(self, network: str) -> str:
        """64 hex digits that stand for a network, by its sha256, with this map."""
        return hashlib.sha256(repr((network, self.knots, self.values)).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Offsets:
    """Distances from a score to the ends of its interval, linear between knots.

    Attributes:
        knots: scores at which the distances are given, ascending; one or more.
        lower: distance to the lower end, per knot; >= 0.
        upper: distance to the upper end, per knot; >= 0.

    Raises:
        ValueError: the lengths, the order or the range of the numbers do not fit.
    """

    knots: tuple[float, ...]
    lower: tuple[float, ...]
    upper: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.knots or any(a >= b for a, b in pairwise(self.knots)):
            raise ValueError(f"expected one or more ascending knots, got {self.knots}")
        if not len(self.lower) == len(self.upper) == len(self.knots):
            raise ValueError(
                f"expected {len(self.knots)} lower and upper offsets, one per knot, "
                f"got {len(self.lower)} and {len(self.upper)}"
            )
        if any(not offset >= 0 for offset in self.lower + self.upper):
            raise ValueError("expected offsets of 0 or more")

    def interval(self, score: float) -> tuple[float, float]:
        """Lower and upper end of the interval, clipped to 0..1; it contains the score."""
        lower = float(np.interp(score, self.knots, self.lower))
        upper = float(np.interp(score, self.knots, self.upper))
        return max(0.0, score - lower), min(1.0, score + upper)


@dataclass(frozen=True, slots=True)
class Calibration:
    """Maps a score to an interval and a percentile; stored in the scorer's card.

    Attributes:
        reference: what percentiles refer to, such as "scores of 712 photos".
        n: number of these pictures.
        quantiles: their scores or labels at percentiles 0, 1, ... 100; 101 ascending numbers.
        offsets: of the interval.
        whole: of the interval of pictures that are taken whole, as framed crops are; None: the
            same.
        level: fraction of labels that the interval is expected to contain, such as 0.9.

    Raises:
        ValueError: the number, the order or the range of the numbers does not fit.
    """

    reference: str
    n: int
    quantiles: tuple[float, ...]
    offsets: Offsets
    whole: Offsets | None = None
    level: float = 0.9

    def __post_init__(self) -> None:
        if len(self.quantiles) != 101 or any(a > b for a, b in pairwise(self.quantiles)):
            raise ValueError(f"expected 101 ascending quantiles, got {len(self.quantiles)}")
        if not 0 < self.level < 1:
            raise ValueError(f"expected a level between 0 and 1, got {self.level}")

    @property
    def digest(self) -> str:
        """16 hex digits that stand for what it makes of scores: percentiles and intervals."""
        ends = [
            None if one is None else (one.knots, one.lower, one.upper)
            for one in (self.offsets, self.whole)
        ]
        found = repr((self.quantiles, ends, self.level))
        return hashlib.sha256(found.encode()).hexdigest()[:16]

    def describe(self, score: float, *, whole: bool = False) -> tuple[float, float, float, str]:
        """Interval, percentile and band of a score.

        Args:
            score: 0..1.
            whole: whether the picture was taken whole.

        Returns:
            Lower and upper end of the interval (0..1), percentile (0..100), and band.
        """
        low, high = self.interval(score, whole=whole)
        return low, high, self.percentile(score), band(score)

    def interval(self, score: float, *, whole: bool = False) -> tuple[float, float]:
        """Lower and upper end of the interval, see `Offsets.interval`."""
        offsets = self.whole if whole and self.whole else self.offsets
        return offsets.interval(score)

    def percentile(self, score: float) -> float:
        """Percentage of reference pictures at or below the score, linear between quantiles."""
        return float(np.interp(score, self.quantiles, np.arange(101)))


def band(score: float) -> str:
    """The band of a score in 0..1, one of `BANDS`."""
    return BANDS[bisect_right(BAND_EDGES, score)]
