"""A face's five landmarks as a vector, for networks that take landmarks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from facegauge.arrays import FloatArray
from facegauge.errors import UsageError
from facegauge.results import Box, Point

LANDMARK_SIZE = 10  # x and y of five points
MIRROR_ORDER = (1, 0, 2, 4, 3)  # left and right eye swap, and the two corners of the mouth


def landmark_vector(points: Sequence[Point], frame: Box) -> FloatArray:
    """Coordinates of five points, relative to a frame.

    Args:
        points: left eye, right eye, nose, left and right corner of the mouth, in the picture's
            pixels, as in `Face.points`; or an empty sequence.
        frame: the part of the picture that the network gets, in the same pixels.

    Returns:
        (10,) float32: x and y of each point, -1 at the left or top edge of the frame and 1 at the
        right or bottom edge; points outside the frame lie beyond. Zeros without points.

    Raises:
        UsageError: the number of points is neither five nor zero.
    """
    if not len(points):
        return np.zeros(LANDMARK_SIZE, np.float32)
    if len(points) != 5:
        raise UsageError(f"expected five points or none, got {len(points)}")
    offsets = np.asarray(points, float) - (frame.left, frame.top)
    return (2 * offsets / (frame.width, frame.height) - 1).astype(np.float32).reshape(LANDMARK_SIZE)


def mirror_landmarks(vector: FloatArray) -> FloatArray:
    """The landmark vector of the horizontally mirrored picture.

    Args:
        vector: (10,) of `landmark_vector`.

    Returns:
        (10,) float32; left and right points are swapped.
    """
    points = vector.reshape(5, 2)[list(MIRROR_ORDER)] * (-1, 1)
    return (points + 0).astype(np.float32).reshape(LANDMARK_SIZE)  # + 0: no negative zeros
