"""The scale that labels were given on, and the line that maps it to 0..1."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from facegauge.arrays import Scores
from facegauge.errors import UsageError


@dataclass(frozen=True, slots=True)
class LabelScale:
    """A range of labels: `low` becomes 0 and `high` becomes 1.

    Attributes:
        low: the worst label.
        high: the best one; below `low` where small numbers are good.
        name: what the labels are called, as in "MOS".

    Raises:
        UsageError: the ends are equal or not finite.
    """

    low: float = 0.0
    high: float = 1.0
    name: str = "label"

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high)) or self.low == self.high:
            raise UsageError(
                f"expected a scale with two different ends, got {self.low:g} and {self.high:g}"
            )

    @classmethod
    def parse(cls, text: str, name: str = "label") -> LabelScale:
        """The scale in text such as "1,5".

        Raises:
            UsageError: it is no scale.
        """
        try:
            low, high = (float(end) for end in text.split(","))
        except ValueError:
            raise UsageError(
                f"expected --scale to be two numbers, such as 0,100; got {text!r}"
            ) from None
        return cls(low, high, name)

    @property
    def is_unit(self) -> bool:
        """Whether labels stay as they are."""
        return (self.low, self.high) == (0.0, 1.0)

    def __contains__(self, label: float) -> bool:
        return bool(min(self.low, self.high) <= label <= max(self.low, self.high))

    def to_unit(self, labels: npt.ArrayLike) -> Scores:
        """Map labels (N,) to 0..1."""
        values = np.asarray(labels, np.float64)
        return (values - self.low) / (self.high - self.low)

    def __str__(self) -> str:
        """For cards and tables: "MOS, 1 to 5 as 0 to 1", or the name alone."""
        ends = "" if self.is_unit else f", {self.low:g} to {self.high:g} as 0 to 1"
        return self.name + ends


UNIT = LabelScale()
