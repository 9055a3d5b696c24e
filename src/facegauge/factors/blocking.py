"""Blocking: edges of the squares of 8 x 8 pixels that JPEG works on."""

from __future__ import annotations

import numpy as np

from facegauge.arrays import FloatArray

SIDE = 8  # px
LARGEST = 20  # grey levels; larger differences are edges of the face
FLOOR = 0.5  # grey levels; smaller differences are rounding


def blocking(own: FloatArray) -> float:
    """By how much differences at the edges of blocks exceed those elsewhere, over these; >= 0.

    Only in the picture's own pixels is the grid regular, so a picture that was compressed and then
    resized shows none. The place of the grid is searched, as a picture may have been cut.

    Args:
        own: (h, w) luma of the middle of the face, 0..255.
    """
    return (_along(own) + _along(own.T)) / 2


def _along(levels: FloatArray) -> float:
    differences = np.minimum(np.abs(levels[:, 1:] - levels[:, :-1]), LARGEST).mean(0)
    count = len(differences) // SIDE * SIDE
    if not count:
        return 0.0
    phases = differences[:count].reshape(-1, SIDE).mean(0)
    edges = int(phases.argmax())
    others = float(np.median(np.delete(phases, edges)))
    return max(0.0, float(phases[edges]) - others) / (others + FLOOR)
