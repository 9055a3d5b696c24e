"""Array types that several modules share, and pixels as items that are fast to pick from."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
"""(H, W, 3) RGB, 8-bit sRGB, upright; (N, H, W, 3) if a docstring says so."""

FloatArray = npt.NDArray[np.float32]
"""float32: network inputs (N, 3, H, W), guides (N, 11), maps (h, w)."""

Scores = npt.NDArray[np.float64]
"""(N,) float64, scores or labels."""


def as_items(pixels: Pixels) -> npt.NDArray[np.void]:
    """Pixels (H, W, 3) as an array (H, W) of items of three bytes, which are faster to pick from.

    A view, unless the channels do not lie side by side.
    """
    if pixels.strides[2] != 1:
        pixels = np.ascontiguousarray(pixels)
    items: npt.NDArray[np.void] = pixels.view("V3")[..., 0]
    return items


def from_items(items: npt.NDArray[np.void]) -> Pixels:
    """The pixels (H, W, 3), contiguous, of items (H, W) that `as_items` gave."""
    return np.ascontiguousarray(items).view(np.uint8).reshape(*items.shape, 3)
