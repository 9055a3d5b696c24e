"""Dense landmarks of data sets: `.npy` files beside the pictures, as DSL-FIQA keeps them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from facegauge.errors import UsageError

Points = npt.NDArray[np.float64]


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
