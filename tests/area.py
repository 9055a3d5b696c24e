"""Slow resampling by areas, to compare with."""

from __future__ import annotations

import numpy as np


def area_means(values: np.ndarray, grid: tuple[int, int]) -> np.ndarray:
    """(h, w) to another grid: repeat each cell, then average the pieces of each new cell."""
    for axis, (have, want) in enumerate(zip(values.shape, grid, strict=True)):
        pieces = np.repeat(values, want, axis)
        shape = [*pieces.shape[:axis], want, have, *pieces.shape[axis + 1 :]]
        values = pieces.reshape(shape).mean(axis + 1)
    return values
