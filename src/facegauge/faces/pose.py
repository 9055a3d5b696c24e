"""How a face is turned in the picture's plane, by its five points."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from facegauge.results import Point

# Left eye, right eye, nose, left and right corner of the mouth of an upright face: the mean of
# CenterFace's points on 300 portraits, made symmetric, about their centre and with unit length.
UPRIGHT = np.array(
    [(-0.357, -0.376), (0.357, -0.376), (0.0, 0.036), (-0.295, 0.358), (0.295, 0.358)]
)
MAX_MISFIT = 0.35  # upright portraits: 0.08 is the median; faces turned by half: 0.4 and more
NOTED_MISFIT = 0.3  # labelled photos and crops of val: at most 0.28; profiles: 0.3 to 0.45
NOTED_TILT = 30.0  # degrees; scorers have not learned from faces that are turned by more
MAX_TILT = 35.0  # degrees; beyond it, the points of a face may be those of a turned one
WIDE = 1.15  # width over height of a face box; upright portraits have 0.77, turned ones 1.5


class Pose(NamedTuple):
    """What five points say.

    Attributes:
        angle: by which the face is turned clockwise in the picture, in degrees, -180 to 180.
        misfit: distance of the points from those of an upright face that is turned, scaled and
            shifted as fits best; 0: none, 1: as far as the points are from their own centre.
    """

    angle: float
    misfit: float

    @property
    def fits(self) -> bool:
        """Whether the points look like those of a face, however it is turned."""
        return self.misfit <= MAX_MISFIT

    @property
    def quarter_turns(self) -> int:
        """By how many quarters the face is turned clockwise, 0 to 3; 0 if the points do not fit."""
        return round(self.angle / 90) % 4 if self.fits else 0

    @property
    def tilt(self) -> float:
        """Degrees, at most 45 either way, by which it is turned beyond the nearest quarter."""
        return self.angle - 90 * round(self.angle / 90)


def pose(points: Sequence[Point] | np.ndarray) -> Pose:
    """The pose of a face by its points; that of an upright face without any.

    Args:
        points: five or none, as in `Face.points`, in the picture's pixels.
    """
    if not len(points):
        return Pose(0.0, 0.0)
    x, y = (np.asarray(points, float) - np.mean(points, 0)).T
    seen, model = x + 1j * y, UPRIGHT[:, 0] + 1j * UPRIGHT[:, 1]
    size = float(np.linalg.norm(seen))
    if not size:
        return Pose(0.0, 1.0)
    turn = np.vdot(model, seen) / np.vdot(model, model)
    misfit = float(np.linalg.norm(seen - turn * model)) / size
    return Pose(math.degrees(np.angle(turn)), misfit)


def is_upright(width: float, height: float, points: Sequence[Point] | np.ndarray) -> bool:
    """Whether the box, by its sides, and the points of a face are those of an upright one."""
    found = pose(points)
    return found.fits and abs(found.angle) <= MAX_TILT and width <= WIDE * height
