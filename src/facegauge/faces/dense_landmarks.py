"""Dense landmarks: `.npy` files beside the pictures, as in DSL-FIQA's data, and their vector."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from facegauge.arrays import FloatArray
from facegauge.errors import UsageError
from facegauge.results import Box, Point


def landmark_path(picture: Path) -> Path:
    """The landmark file of a picture in DSL-FIQA's layout: `x/img/1.png`, `x/landmark/1.npy`."""
    return picture.parent.parent / "landmark" / f"{picture.stem}.npy"


def load_landmarks(file: Path) -> npt.NDArray[np.float64]:
    """Load dense landmarks from a `.npy` file.

    Returns:
        (N, 2) float64, x then y, in the picture's pixels.

    Raises:
        UsageError: the file cannot be read, or does not hold a finite (N, 2) array.
    """
    try:
        points = np.load(file, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise UsageError(f"cannot read landmarks from {file}: {error}") from error
    is_numeric = isinstance(points, np.ndarray) and points.dtype.kind in "fiu"
    if not is_numeric or points.ndim != 2 or points.shape[1] != 2 or not np.isfinite(points).all():
        shape = getattr(points, "shape", "an archive")
        raise UsageError(f"{file} has no landmarks: expected a finite (N, 2) array, got {shape}")
    landmarks: npt.NDArray[np.float64] = points.astype(np.float64)
    return landmarks


def dense_points(source: object) -> tuple[Point, ...]:
    """The dense landmarks beside a picture; none if it is no file, or there are none.

    Raises:
        UsageError: as `load_landmarks`.
    """
    if not isinstance(source, str | os.PathLike):
        return ()
    file = landmark_path(Path(os.fsdecode(source)))
    return tuple(map(tuple, load_landmarks(file).tolist())) if file.is_file() else ()


def dense_vector(points: Sequence[Point], frame: Box, length: int) -> FloatArray:
    """Which dense landmarks lie in a crop, by their numbers, as DSL-FIQA's code has it.

    Of more than `length` the code draws some at random; here they are evenly spaced, so that a
    picture always has the same score (our choice).

    Args:
        points: M landmarks in the picture's pixels, in an order that means the same in every
            picture; or none.
        frame: the part of the picture that the network gets, in the same pixels.
        length: of the vector.

    Returns:
        (length,) float32: the numbers of those in the frame, from 0, then M + 1 for the rest; all
        scaled to -1..1. Zeros without points.
    """
    if not len(points):
        return np.zeros(length, np.float32)
    across, down = np.asarray(points, float).T
    inside = (across >= frame.left) & (across <= frame.right)
    inside &= (down >= frame.top) & (down <= frame.bottom)
    numbers = np.flatnonzero(inside)
    if len(numbers) > length:
        numbers = numbers[np.linspace(0, len(numbers) - 1, length).round().astype(int)]
    vector = np.full(length, len(points) + 1.0)
    vector[: len(numbers)] = numbers
    low, high = vector.min(), vector.max()
    scaled: FloatArray = (2 * (vector - low) / (high - low + 1e-6) - 1).astype(np.float32)
    return scaled
