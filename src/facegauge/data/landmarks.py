"""Dense landmarks of data sets: `.npy` files beside the pictures, as in DSL-FIQA's data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from facegauge.errors import UsageError


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
