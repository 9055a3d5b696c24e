"""Shared by the degradations: interpolates strengths, converts to 8 bits."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from facegauge.arrays import Pixels

GAMMA = 2.2  # approximates sRGB: linear light is (level / 255) ** GAMMA

Table = tuple[float, float, float, float, float, float]
"""Strengths at severities 0, 1, 2, 3, 4 and 5."""


def strength(table: Table, severity: float) -> float:
    """The strength at a severity in 0..5, linear between the entries of the table."""
    return float(np.interp(severity, range(len(table)), table))


def to_uint8(values: npt.NDArray[np.floating]) -> Pixels:
    """Round grey levels and clip them to 0..255."""
    rounded: Pixels = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return rounded
