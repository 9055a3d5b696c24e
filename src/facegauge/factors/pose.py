"""How far a face is turned, by its five points."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from facegauge.faces.pose import UPRIGHT, pose
from facegauge.results import Point

# How far the five points lie before the plane of the eyes, in the unit of UPRIGHT, which is about
# 88 mm where eyes are 63 mm apart: the tip of the nose 35 mm, the corners of the mouth 9 mm.
DEPTHS = (0.0, 0.0, 0.4, 0.1, 0.1)


def turned_away(points: Sequence[Point]) -> float | None:
    """Degrees by which a face is turned sideways and tilted, both together; 0 or more.

    Sideways: a rigid model of the five points is fitted in three dimensions under weak perspective.
    Looking up or down is left out: five points do not tell it from the shape of a face.

    Args:
        points: five in pixels, as in `Face.points`, or none, which gives None.
    """
    if not points:
        return None
    seen = np.asarray(points, float)
    seen = seen - seen.mean(0)
    model = np.column_stack([UPRIGHT, DEPTHS])
    model -= model.mean(0)
    affine = np.linalg.lstsq(model, seen, rcond=None)[0].T  # (2, 3)
    left, sizes, right = np.linalg.svd(affine, full_matrices=False)
    if not sizes[0]:
        return None
    rotation = left @ right  # the nearest two rows of a rotation
    sideways = math.degrees(math.atan2(rotation[0, 2], np.cross(*rotation)[2]))
    return math.hypot(sideways, pose(points).angle)
