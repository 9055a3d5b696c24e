"""Synthetic degradations of pictures, one function each, with a severity.

Every function takes (H, W, 3) uint8 RGB pixels, a severity from 0 to 5 and a random generator, and
returns pixels of the same shape. Severity 0 changes nothing, 1 is just visible on a sharp portrait
at full resolution, 5 is severe. The strengths are our choice; each table lists severities 0 to 5.

There are fifteen kinds, as in DSL-FIQA (arXiv 2406.09622). The paper names thirteen: low light
(`dark`), high light (`bright`), blur (`box_blur`), defocus, 2x downsample (`downscale`), Gaussian
noise (`noise`), Gaussian blur, JPEG, motion blur, sun flare, ISO noise, shadow and zoom blur. The
other two are our choice: `low_contrast` and `colour_cast`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from facegauge.arrays import Pixels
from facegauge.data.degradations.blur import (
    box_blur,
    defocus,
    downscale,
    gaussian_blur,
    motion_blur,
    zoom_blur,
)
from facegauge.data.degradations.light import (
    bright,
    colour_cast,
    dark,
    low_contrast,
    shadow,
    sun_flare,
)
from facegauge.data.degradations.noise_jpeg import iso_noise, jpeg, noise
from facegauge.errors import UsageError

Degradation = Callable[[Pixels, float, np.random.Generator], Pixels]
"""Takes (H, W, 3) uint8 pixels, a severity 0..5 and a generator; returns pixels of that shape."""

DEGRADATIONS: dict[str, Degradation] = {
    "gaussian_blur": gaussian_blur,
    "downscale": downscale,
    "jpeg": jpeg,
    "noise": noise,
    "motion_blur": motion_blur,
    "dark": dark,
    "bright": bright,
    "low_contrast": low_contrast,
    "box_blur": box_blur,
    "defocus": defocus,
    "zoom_blur": zoom_blur,
    "iso_noise": iso_noise,
    "shadow": shadow,
    "sun_flare": sun_flare,
    "colour_cast": colour_cast,
}


def degrade(pixels: Pixels, kind: str, severity: float, rng: np.random.Generator) -> Pixels:
    """Apply one degradation.

    Args:
        pixels: (H, W, 3) uint8, RGB.
        kind: a key of `DEGRADATIONS`.
        severity: 0 (returns the pixels themselves) to 5.
        rng: source of noise, directions and positions.

    Returns:
        (H, W, 3) uint8, RGB.

    Raises:
        UsageError: the kind is unknown, or the severity is outside 0..5.
    """
    if kind not in DEGRADATIONS:
        raise UsageError(f"unknown degradation {kind!r}; expected one of {', '.join(DEGRADATIONS)}")
    if not 0 <= severity <= 5:
        raise UsageError(f"expected a severity in 0..5, got {severity}")
    return pixels if severity == 0 else DEGRADATIONS[kind](pixels, severity, rng)
