"""Pictures to 8-bit levels and to a network's input, with gradients.

The torch twin of `faces.sampling`: the same pixels with the same weights, so that a picture has the
same score on both ways. Rounding has no useful gradient; here the gradient passes straight through
it (Bengio et al., arXiv 1308.3432).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from facegauge.arrays import FloatArray
from facegauge.faces.sampling import taps
from facegauge.faces.spec import PreprocessSpec
from facegauge.results import Box


def straight_through(x: Tensor, value: Tensor) -> Tensor:
    """`value`, with the gradient of `x`; both of one shape."""
    return x + (value - x).detach()


def eight_bits(levels: Tensor, rounding: bool = True) -> Tensor:
    """Levels in 0..255, rounded to whole ones.

    Args:
        levels: of any shape; values outside 0..255 are clipped and have no gradient.
        rounding: False: only clip.
    """
    clipped = levels.clamp(0, 255)
    return straight_through(clipped, clipped.round()) if rounding else clipped


def sample(levels: Tensor, frame: Box, spec: PreprocessSpec, rounding: bool = True) -> Tensor:
    """Resample a frame to the input's size, as `faces.sampling.sample` does.

    Without anti-aliasing this is what `torch.nn.functional.grid_sample` computes with
    `padding_mode="border"` and `align_corners=False`; positions are exact for large pictures too.

    Args:
        levels: (N, 3, H, W) floats in 0..255.
        frame: in the pictures' pixels; outside the pictures, their border is repeated.
        spec: input size, interpolation and anti-aliasing.
        rounding: to whole levels.

    Returns:
        (N, 3, spec.height, spec.width), 0..255.
    """
    height, width = levels.shape[2:]
    rows = taps(frame.top, frame.bottom, spec.height, height, spec)
    columns, weights = taps(frame.left, frame.right, spec.width, width, spec)
    first, last = int(columns.min()), int(columns.max())
    strip = _weighted_sum(levels[..., first : last + 1], 2, *rows)
    return eight_bits(_weighted_sum(strip, 3, columns - first, weights), rounding)


def normalise(levels: Tensor, spec: PreprocessSpec) -> Tensor:
    """Levels (N, 3, H, W) in 0..255, normalised with the spec's mean and std."""
    mean, std = (levels.new_tensor(of).view(3, 1, 1) * 255 for of in (spec.mean, spec.std))
    return (levels - mean) / std


def _weighted_sum(
    pictures: Tensor, axis: int, indices: npt.NDArray[np.intp], weights: FloatArray
) -> Tensor:
    """Weighted sums along one axis of (N, 3, H, W), which gets the length of `indices`."""
    shape = [1] * pictures.ndim
    shape[axis] = -1
    parts = []
    for tap in np.flatnonzero(weights.any(0)):  # skips taps without weight
        index = torch.from_numpy(np.ascontiguousarray(indices[:, tap])).to(pictures.device)
        weight = torch.from_numpy(np.ascontiguousarray(weights[:, tap])).to(pictures)
        parts.append(pictures.index_select(axis, index) * weight.view(shape))
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total
