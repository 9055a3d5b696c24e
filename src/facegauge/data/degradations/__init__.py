"""What goes wrong with pictures: one function a degradation, each with a severity.

Every function takes (H, W, 3) uint8 RGB, a severity from 0 (untouched) to 5 (severe; 1 is just
visible on a sharp portrait shown pixel for pixel) and a random generator, and returns the same
shape. The strengths are our choice; each table lists severities 0, 1, 2, 3, 4 and 5. Only numpy and
Pillow are needed.

There are fifteen, as in DSL-FIQA (arXiv 2406.09622), which names thirteen: low light (`dark`), high
light (`bright`), blur (`box_blur`), defocus, 2x downsample (`downscale`), Gaussian noise (`noise`),
Gaussian blur, JPEG, motion blur, sun flare, ISO noise, shadow and zoom blur. The two others are our
choice: `low_contrast` and `colour_cast`.
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
from facegauge.data.degradations.grain import iso_noise, jpeg, noise
from facegauge.data.degradations.light import (
    bright,
    colour_cast,
    dark,
    low_contrast,
    shadow,
    sun_flare,
)
from facegauge.errors import UsageError

Degradation = Callable[[Pixels, float, np.random.Generator], Pixels]

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
    """Apply one degradation by name; severity 0 gives the picture back as it is.

    Raises:
        UsageError: an unknown kind, or a severity outside 0..5.
    """
    if kind not in DEGRADATIONS:
        raise UsageError(f"unknown degradation {kind!r}; there are {', '.join(DEGRADATIONS)}")
    if not 0 <= severity <= 5:
        raise UsageError(f"severity must lie in 0..5, got {severity}")
    return pixels if severity == 0 else DEGRADATIONS[kind](pixels, severity, rng)
