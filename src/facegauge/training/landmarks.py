"""Landmarks as a vector of fixed size for each crop, for DSL-FIQA's confidence head.

Two kinds. *Points*, ours and the default: where the detector's five points lie in the frame, as
`preprocess.five_points` has it.
*Numbers*, the paper's (arXiv 2406.09622, as its code has it): which of many dense landmarks lie in
the crop, by their numbers and without their places; the reference keeps them as `.npy` files.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from facegauge.errors import UsageError
from facegauge.preprocess import FIVE, Vector
from facegauge.results import Box

Points = npt.NDArray[np.float64]

NUMBERS = 500  # in the vector of dense landmarks
SWAPPED = (1, 0, 2, 4, 3)  # eyes, nose, mouth corners: who is who in the mirror
IBUG = (
    *range(16, -1, -1),  # the 68 points of iBUG 300-W: jaw
    *range(26, 16, -1),  # brows
    *range(27, 31),  # bridge of the nose
    *range(35, 30, -1),  # below the nose
    *(45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40),  # eyes
    *range(54, 47, -1),  # lips, outside, upper
    *range(59, 54, -1),  # and lower
    *range(64, 59, -1),  # inside, upper
    *range(67, 64, -1),  # and lower
)


def mirrored(vector: Vector) -> Vector:
    """What `preprocess.five_points` gives for the mirrored picture: left and right swap."""
    places = vector.reshape(5, 2)[list(SWAPPED)] * (-1, 1)
    return (places + 0).astype(np.float32).reshape(FIVE)  # + 0: no negative zeros


def landmark_file(picture: Path) -> Path:
    """Where DSL-FIQA's layout keeps a picture's landmarks: `x/img/1.png`, `x/landmark/1.npy`."""
    return picture.parent.parent / "landmark" / f"{picture.stem}.npy"


def load_points(file: Path) -> Points:
    """Dense landmarks from a `.npy` file: (N, 2), x then y, in the picture's pixels.

    Raises:
        UsageError: it cannot be read, or holds something else.
    """
    try:
        points = np.load(file, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise UsageError(f"cannot read landmarks from {file}: {error}") from error
    numbers = isinstance(points, np.ndarray) and points.dtype.kind in "fiu"
    if not numbers or points.ndim != 2 or points.shape[1] != 2 or not np.isfinite(points).all():
        shape = getattr(points, "shape", "an archive")
        raise UsageError(f"{file} holds no landmarks: expected finite (N, 2), got {shape}")
    found: Points = points.astype(np.float64)
    return found


def mirrored_points(points: Points, width: float, partners: Sequence[int] | None = None) -> Points:
    """Dense landmarks of the mirrored picture.

    Args:
        points: (N, 2).
        width: of the picture, in pixels.
        partners: for every number, the number that a detector would give the point in the mirror,
            and the other way round; None: `IBUG` for 68 points, else every point keeps its own.
    """
    if partners is None:
        partners = IBUG if len(points) == len(IBUG) else range(len(points))
    return (points * (-1, 1) + (width, 0))[list(partners)]


def numbers_inside(points: Points, crop: Box, count: int = NUMBERS, seed: int = 20) -> Vector:
    """Which landmarks lie in a crop, by their numbers (as in the reference's code).

    Of more than `count`, as many are drawn, always the same ones and in order (ours; the reference
    draws anew each time). Fewer are followed by N + 1, which is no landmark's number. The numbers
    are then scaled so that the least becomes -1 and the greatest 1.

    Args:
        points: (N, 2), in the picture's pixels.
        crop: in the same pixels; its border belongs to it.

    Returns:
        (count,) in -1..1; all -1 when none lies in the crop.
    """
    x, y = points.T
    inside = (crop.left <= x) & (x <= crop.right) & (crop.top <= y) & (y <= crop.bottom)
    numbers = np.flatnonzero(inside)
    if len(numbers) > count:
        rng = np.random.default_rng(seed)
        numbers = np.sort(rng.choice(numbers, count, replace=False))
    filled = np.full(count, len(points) + 1.0)
    filled[: len(numbers)] = numbers
    spread = filled.max() - filled.min()
    scaled: Vector = ((filled - filled.min()) / (spread + 1e-6) * 2 - 1).astype(np.float32)
    return scaled
