"""Distance of a picture from its reference: PSNR and SSIM, in numpy."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from facegauge.arrays import Pixels
from facegauge.errors import UsageError

PEAK = 255.0
WINDOW, SIGMA = 11, 1.5  # side and standard deviation of SSIM's Gaussian window, in pixels
C1, C2 = (0.01 * PEAK) ** 2, (0.03 * PEAK) ** 2

Array = npt.NDArray[np.float64]


def psnr(picture: Pixels, reference: Pixels) -> float:
    """Peak signal-to-noise ratio in dB, over all pixels and channels; inf for equal pictures.

    Args:
        picture, reference: (H, W, 3) uint8 of one size.

    Raises:
        UsageError: the sizes differ.
    """
    a, b = _same_size(picture, reference)
    error = float(np.mean((a - b) ** 2))
    return math.inf if error == 0 else 10 * math.log10(PEAK**2 / error)


def ssim(picture: Pixels, reference: Pixels) -> float:
    """Structural similarity, -1..1, the mean over channels and over all windows that lie inside.

    Wang et al. 2004 (doi:10.1109/TIP.2003.819861), equation 13: an 11 x 11 Gaussian window with a
    standard deviation of 1.5, K1 = 0.01 and K2 = 0.03, on each channel of sRGB.

    Args:
        picture, reference: (H, W, 3) uint8 of one size; nan if a side is shorter than the window.

    Raises:
        UsageError: the sizes differ.
    """
    a, b = _same_size(picture, reference)
    if min(a.shape[:2]) < WINDOW:
        return math.nan
    mean_a, mean_b = _blurred(a), _blurred(b)
    # taken from shifted values, because E[x^2] - E[x]^2 of large values loses digits
    shift_a, shift_b = a.mean((0, 1)), b.mean((0, 1))
    a, b = a - shift_a, b - shift_b
    low_a, low_b = mean_a - shift_a, mean_b - shift_b
    variance_a, variance_b = _blurred(a * a) - low_a**2, _blurred(b * b) - low_b**2
    covariance = _blurred(a * b) - low_a * low_b
    luminance = (2 * mean_a * mean_b + C1) / (mean_a**2 + mean_b**2 + C1)
    structure = (2 * covariance + C2) / (variance_a + variance_b + C2)
    return float(np.mean(luminance * structure))


def _blurred(values: Array) -> Array:
    """Means weighted by the window, (H, W, C) to (H - 10, W - 10, C)."""
    offsets = np.arange(WINDOW) - WINDOW // 2
    weights = np.exp(-(offsets**2) / (2 * SIGMA**2))
    weights /= weights.sum()
    height, width = values.shape[0] - WINDOW + 1, values.shape[1] - WINDOW + 1
    rows = sum(weight * values[at : at + height] for at, weight in enumerate(weights))
    return np.asarray(sum(weight * rows[:, at : at + width] for at, weight in enumerate(weights)))


def _same_size(picture: Pixels, reference: Pixels) -> tuple[Array, Array]:
    if picture.shape != reference.shape:
        (height, width), (high, wide) = picture.shape[:2], reference.shape[:2]
        raise UsageError(
            f"the picture has {width} x {height} pixels and its reference {wide} x {high}; "
            "expected the same size"
        )
    return picture.astype(np.float64), reference.astype(np.float64)
