"""From pixels and a frame to what the network reads: resampling and normalisation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from facegauge.arrays import FloatArray, Pixels
from facegauge.faces.framing import crop_frames
from facegauge.faces.landmarks import five_points
from facegauge.faces.spec import PreprocessSpec
from facegauge.results import Box, Point

Crop = tuple[
    Pixels, FloatArray
]  # a face as the network sees it, and where its five points lie in it


def sample(pixels: Pixels, frame: Box, spec: PreprocessSpec) -> Pixels:
    """Bicubic interpolation of the frame at the input's size.

    Args:
        pixels: (H, W, 3), RGB.
        frame: in the picture's pixel coordinates; beyond the border the border is repeated.
        spec: size and anti-aliasing.

    Returns:
        (spec.height, spec.width, 3) uint8. A frame of exactly the input's size at whole pixels
        comes back unchanged.
    """
    rows = _taps(frame.top, frame.bottom, spec.height, pixels.shape[0], spec.antialias)
    columns = _taps(frame.left, frame.right, spec.width, pixels.shape[1], spec.antialias)
    first, last = columns[0].min(), columns[0].max() + 1
    strip = _weigh(pixels[:, first:last], *rows)
    out = _weigh(strip.swapaxes(0, 1), columns[0] - first, columns[1]).swapaxes(0, 1)
    return np.clip(np.rint(out), 0, 255).astype(np.uint8)


def to_tensor(sampled: Pixels, spec: PreprocessSpec) -> FloatArray:
    """(H, W, 3) uint8 to the normalised (3, H, W) float32 that the network reads."""
    mean = np.asarray(spec.mean, np.float32) * 255
    std = np.asarray(spec.std, np.float32) * 255
    return np.ascontiguousarray(((sampled.astype(np.float32) - mean) / std).transpose(2, 0, 1))


def face_crops(
    pixels: Pixels, frame: Box, points: Sequence[Point], spec: PreprocessSpec
) -> tuple[Crop, ...]:
    """What the network sees of one face: a crop for each of its `crop_frames`."""
    return tuple(
        (sample(pixels, crop, spec), five_points(points, crop)) for crop in crop_frames(frame, spec)
    )


def _taps(
    start: float, stop: float, count: int, limit: int, antialias: bool
) -> tuple[npt.NDArray[np.intp], FloatArray]:
    """Source indices (count, k) and weights (count, k) of cubic interpolation along one axis."""
    scale = (stop - start) / count
    stretch = max(1.0, scale) if antialias else 1.0
    centers = start + (np.arange(count) + 0.5) * scale - 0.5
    reach = int(np.ceil(2 * stretch))
    indices = np.floor(centers).astype(np.intp)[:, None] + np.arange(1 - reach, reach + 1)
    weights = _cubic(np.abs(centers[:, None] - indices) / stretch)
    weights /= weights.sum(1, keepdims=True)
    return np.clip(indices, 0, limit - 1), weights.astype(np.float32)


def _cubic(x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Keys' cubic kernel with a = -0.75, as OpenCV and torch use it."""
    a = -0.75
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
    return np.where(x <= 1, near, np.where(x < 2, far, 0.0))


def _weigh(
    pixels: npt.NDArray[Any], indices: npt.NDArray[np.intp], weights: FloatArray
) -> FloatArray:
    """Weighted sums along the first axis: (N, ...) -> (count, ...)."""
    total = np.zeros((len(indices), *pixels.shape[1:]), np.float32)
    for tap in np.flatnonzero(weights.any(0)):  # one of them where nothing is resampled
        total += pixels[indices[:, tap]] * weights[:, tap].reshape(-1, *[1] * (pixels.ndim - 1))
    return total
