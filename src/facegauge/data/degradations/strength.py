"""What the degradations share: from a severity to a strength, and back to 8 bits."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from facegauge.arrays import Pixels

GAMMA = 2.2  # of sRGB, nearly: light is (level / 255) ** GAMMA

Table = tuple[float, float, float, float, float, float]


def strength(table: Table, severity: float) -> float:
    """A table's value, linear between the six severities."""
    return float(np.interp(severity, range(len(table)), table))


def to_uint8(values: npt.NDArray[np.floating]) -> Pixels:
    """Grey levels, rounded and clipped."""
    rounded: Pixels = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return rounded
