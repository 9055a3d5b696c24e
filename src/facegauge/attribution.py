"""What moved a score: an additive model of the factors of quality, stored in the scorer's card.

The model says how a scorer's scores go with the factors on pictures that it did not learn from: a
mean, and for each factor a curve whose value is added. It describes the scorer from outside; the
network knows no factors. So it is shown only where it explains at least half of the scores'
variance, and with that share.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

LEAST_R2 = 0.5  # below it no shares are shown


@dataclass(frozen=True, slots=True)
class Curve:
    """What a factor adds to the score: linear between knots, constant beyond them.

    Attributes:
        knots: values of the factor, ascending; two or more.
        values: what is added there; their mean over the pictures of the fit is 0.

    Raises:
        ValueError: the lengths or the order do not fit.
    """

    knots: tuple[float, ...]
    values: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.knots) < 2 or any(a >= b for a, b in pairwise(self.knots)):
            raise ValueError(f"expected two or more ascending knots, got {self.knots}")
        if len(self.values) != len(self.knots):
            raise ValueError(f"expected {len(self.knots)} values, got {len(self.values)}")

    def at(self, value: float) -> float:
        """What a value of the factor adds."""
        return float(np.interp(value, self.knots, self.values))


@dataclass(frozen=True, slots=True)
class Attribution:
    """An additive model of a scorer's scores.

    Attributes:
        n: pictures of val that it was fitted to.
        r2: share of the variance of their scores that it explains, each picture predicted by a fit
            without it; at most 1.
        low, high: bootstrap 95 % interval of `r2`.
        mean: the score of a picture whose factors add nothing.
        curves: by factor.
    """

    n: int
    r2: float
    low: float
    high: float
    mean: float
    curves: Mapping[str, Curve] = field(default_factory=dict)

    @property
    def explains(self) -> bool:
        """Whether it explains enough to be shown."""
        return self.r2 >= LEAST_R2

    def predict(self, values: Mapping[str, float | None]) -> float:
        """The score that the values of the factors give."""
        return self.mean + sum(self.shares(values).values())

    def shares(self, values: Mapping[str, float | None]) -> dict[str, float]:
        """What each factor adds to the score; 0 where it has no value. Largest first, by size."""
        found = {}
        for name, curve in self.curves.items():
            value = values.get(name)
            found[name] = 0.0 if value is None else curve.at(value)
        return dict(sorted(found.items(), key=lambda one: -abs(one[1])))
