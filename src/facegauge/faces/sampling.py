"""From pixels and a frame to the network's input: resampling and normalisation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from facegauge.arrays import FloatArray, Pixels, as_items, from_items
from facegauge.faces.framing import crop_frames, part_of
from facegauge.faces.guide import guide_vector, is_whole
from facegauge.faces.spec import PreprocessSpec
from facegauge.results import Box, Point

SPARSE = 4  # a frame with this many times the columns that are used is reduced to those first
BLOCK = 64  # rows of the result that are made at a time: their sums stay in the processor's cache
Crop = tuple[Pixels, FloatArray]
"""A sampled face, (H, W, 3) uint8 at the input's size, and its guide (11,), see `guide.py`."""
Rows = Callable[[npt.NDArray[np.intp]], npt.NDArray[Any]]
"""Gives the rows (count, ...) at indices (count,)."""


def sample(pixels: Pixels, frame: Box, spec: PreprocessSpec) -> Pixels:
    """Resample a frame to the input's size.

    Args:
        pixels: (H, W, 3) uint8, RGB.
        frame: in the picture's pixels; outside the picture, its border is repeated.
        spec: input size, interpolation and anti-aliasing.

    Returns:
        (spec.height, spec.width, 3) uint8. A frame of exactly the input's size with integer edges
        is copied unchanged.
    """
    rows, row_weights = taps(frame.top, frame.bottom, spec.height, pixels.shape[0], spec)
    columns, column_weights = taps(frame.left, frame.right, spec.width, pixels.shape[1], spec)
    region, columns = _used_columns(pixels, columns)
    out = np.empty((spec.width, 3, spec.height), np.uint8)
    for start in range(0, spec.height, BLOCK):
        block = slice(start, start + BLOCK)
        strip = _weighted_sum(region, rows[block], row_weights[block])
        across = np.ascontiguousarray(strip.reshape(len(strip), -1).T).reshape(-1, 3, len(strip))
        made = _weighted_sum(across.__getitem__, columns, column_weights)
        out[..., block] = np.clip(np.rint(made, out=made), 0, 255, out=made)
    return out.transpose(2, 0, 1)


def sample_frame(pixels: Pixels, frame: Box, spec: PreprocessSpec) -> Pixels:
    """What the network's input shows of a frame, see `framing.part_of`; otherwise as `sample`."""
    return sample(pixels, part_of(frame, spec), spec)


def to_tensor(sampled: Pixels, spec: PreprocessSpec) -> FloatArray:
    """Normalise a sampled face with the spec's mean and std.

    Args:
        sampled: (H, W, 3) uint8, RGB.
        spec: mean and std.

    Returns:
        (3, H, W) float32, contiguous.
    """
    tensor = np.empty((3, *sampled.shape[:2]), np.float32)
    tensor[:] = sampled.transpose(2, 0, 1)
    tensor -= np.asarray(spec.mean, np.float32)[:, None, None] * 255
    tensor /= np.asarray(spec.std, np.float32)[:, None, None] * 255
    return tensor


def face_crops(
    pixels: Pixels,
    frame: Box,
    points: Sequence[Point],
    spec: PreprocessSpec,
    *,
    whole: bool | None = None,
) -> tuple[Crop, ...]:
    """Sample the crops of one face.

    Args:
        pixels: (H, W, 3) uint8, RGB.
        frame: of the face, in the picture's pixels.
        points: five landmarks of the face in the picture's pixels, or none.
        spec: framing, input size and number of crops.
        whole: see `guide_vector`; None: whether the frame is the whole picture.

    Returns:
        A sampled crop and its guide for each of the face's `crop_frames`.
    """
    whole = is_whole(frame, pixels) if whole is None else whole
    return tuple(
        (sample(pixels, crop, spec), guide_vector(points, crop, spec, whole=whole))
        for crop in crop_frames(frame, spec)
    )


def _used_columns(
    pixels: Pixels, indices: npt.NDArray[np.intp]
) -> tuple[Rows, npt.NDArray[np.intp]]:
    """The rows of the columns that are needed, and the indices (count, k) among these columns.

    Nothing else is copied. Of a frame that is much wider than the input, few columns are used; the
    rest is not resampled.
    """
    used, places = np.unique(indices, return_inverse=True)
    first, last = used[0], used[-1] + 1
    if SPARSE * len(used) < last - first:
        colors = as_items(pixels)
        return lambda at: from_items(colors[at[:, None], used]), places.reshape(indices.shape)
    region = pixels[:, first:last]
    return region.__getitem__, indices - first


def taps(
    start: float, stop: float, count: int, limit: int, spec: PreprocessSpec
) -> tuple[npt.NDArray[np.intp], FloatArray]:
    """The pixels that interpolation along one axis reads, and their weights.

    Args:
        start, stop: edges of the frame along the axis, in pixels; may lie outside the picture.
        count: samples, the input's size along the axis.
        limit: pixels of the picture along the axis.
        spec: interpolation and anti-aliasing.

    Returns:
        Indices (count, k) from 0 to limit - 1 and float32 weights (count, k), whose rows sum to 1.
    """
    kernel, reach = KERNELS[spec.interpolation]
    scale = (stop - start) / count
    kernel_scale = max(1.0, scale) if spec.antialias else 1.0
    centers = start + (np.arange(count) + 0.5) * scale - 0.5
    radius = int(np.ceil(reach * kernel_scale))
    indices = np.floor(centers).astype(np.intp)[:, None] + np.arange(1 - radius, radius + 1)
    weights = kernel(np.abs(centers[:, None] - indices) / kernel_scale)
    weights /= weights.sum(1, keepdims=True)
    return np.clip(indices, 0, limit - 1), weights.astype(np.float32)


def _cubic(x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Keys' cubic convolution kernel (1981) with a = -0.75, as in OpenCV and torch."""
    a = -0.75
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
    return np.where(x <= 1, near, np.where(x < 2, far, 0.0))


def _linear(x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The triangle of linear interpolation."""
    return np.maximum(0.0, 1 - x)


KERNELS = {"bicubic": (_cubic, 2), "bilinear": (_linear, 1)}  # and how far they reach, in pixels


def _weighted_sum(
    rows: Rows,
    indices: npt.NDArray[np.intp],
    weights: FloatArray,
) -> FloatArray:
    """Weighted sums (count, ...) of the rows that a function gives for indices (count,).

    Each product is rounded before it is added, in the order of the taps: the same on all machines.
    """
    total: FloatArray | None = None
    for tap in np.flatnonzero(weights.any(0)):  # skips taps without weight
        values = rows(indices[:, tap])
        weight = weights[:, tap].reshape(-1, *[1] * (values.ndim - 1))
        if total is None:
            total = np.multiply(values, weight, dtype=np.float32)
            product = np.empty_like(total)
        else:
            total += np.multiply(values, weight, out=product)
    assert total is not None  # weights add up to 1
    return total
