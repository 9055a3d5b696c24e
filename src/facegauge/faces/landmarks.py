"""A face's five points as a vector for networks that use landmarks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from facegauge.arrays import FloatArray
from facegauge.errors import UsageError
from facegauge.results import Box, Point

FIVE = 10  # numbers in the vector of five points
SWAPPED = (1, 0, 2, 4, 3)  # eyes, nose, mouth corners: who is who in the mirror


def five_points(points: Sequence[Point], frame: Box) -> FloatArray:
    """Where five points lie in a frame.

    Args:
        points: of a `Face`, in the picture's pixels; or none.
        frame: what the network sees, in the same pixels.

    Returns:
        (10,) x and y of each point: -1 at the left and upper edge of the frame, 1 at the right and
        lower one, beyond that outside. Zeros when there are no points.

    Raises:
        UsageError: there are some, but not five.
    """
    if not len(points):
        return np.zeros(FIVE, np.float32)
    if len(points) != 5:
        raise UsageError(f"expected five points or none, got {len(points)}")
    places = np.asarray(points, float) - (frame.left, frame.top)
    return (2 * places / (frame.width, frame.height) - 1).astype(np.float32).reshape(FIVE)


def mirrored(vector: FloatArray) -> FloatArray:
    """What `preprocess.five_points` gives for the mirrored picture: left and right swap."""
    places = vector.reshape(5, 2)[list(SWAPPED)] * (-1, 1)
    return (places + 0).astype(np.float32).reshape(FIVE)  # + 0: no negative zeros
