"""What goes wrong with pictures: one function a degradation, each with a severity.

Every function takes (H, W, 3) uint8 RGB, a severity from 0 (untouched) to 5 (severe; 1 is just
visible on a sharp portrait shown pixel for pixel) and a random generator, and returns the same
shape. The strengths are our choice; each table lists severities 0, 1, 2, 3, 4 and 5.
"""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from facegauge.errors import UsageError
from facegauge.preprocess import Pixels

Degradation = Callable[[Pixels, float, np.random.Generator], Pixels]

BLUR_SIGMA = (0.0, 0.7, 1.2, 2.0, 3.2, 5.0)  # pixels
DOWNSCALE_FACTOR = (1.0, 1.5, 2.0, 3.0, 4.5, 7.0)
JPEG_QUALITY = (95, 60, 38, 22, 12, 6)
NOISE_SIGMA = (0.0, 5.0, 10.0, 18.0, 30.0, 48.0)  # grey levels
MOTION_LENGTH = (0.0, 2.0, 4.0, 7.0, 11.0, 17.0)  # pixels
DARK_GAIN = (1.0, 0.72, 0.52, 0.36, 0.24, 0.15)
BRIGHT_GAIN = (1.0, 1.25, 1.55, 1.9, 2.4, 3.0)
CONTRAST_GAIN = (1.0, 0.75, 0.55, 0.4, 0.28, 0.18)


def _strength(table: tuple[float, ...], severity: float) -> float:
    return float(np.interp(severity, range(len(table)), table))


def gaussian_blur(pixels: Pixels, severity: float, rng: np.random.Generator) -> Pixels:
    """Blur with a Gaussian of 0.7 to 5 px standard deviation."""
    radius = _strength(BLUR_SIGMA, severity)
    return np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(radius)))


def downscale(pixels: Pixels, severity: float, rng: np.random.Generator) -> Pixels:
    """Shrink by a factor of 1.5 to 7 and enlarge again."""
    factor = _strength(DOWNSCALE_FACTOR, severity)
    height, width = pixels.shape[:2]
    small = (max(1, round(width / factor)), max(1, round(height / factor)))
    picture = Image.fromarray(pixels).resize(small, Image.Resampling.BICUBIC)
    return np.asarray(picture.resize((width, height), Image.Resampling.BICUBIC))


def jpeg(pixels: Pixels, severity: float, rng: np.random.Generator) -> Pixels:
    """Compress as JPEG at quality 60 down to 6."""
    buffer = io.BytesIO()
    quality = round(_strength(JPEG_QUALITY, severity))
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer))


def noise(pixels: Pixels, severity: float, rng: np.random.Generator) -> Pixels:
    """Add Gaussian noise of 5 to 48 grey levels to every channel."""
    sigma = _strength(NOISE_SIGMA, severity)
    grain = rng.standard_normal(pixels.shape, np.float32) * np.float32(sigma)
    return _to_uint8(pixels + grain)


def motion_blur(pixels: Pixels, severity: float, rng: np.random.Generator) -> Pixels:
    """Smear along one random direction over 2 to 17 px."""
    length = _strength(MOTION_LENGTH, severity)
    angle = rng.uniform(0, np.pi)
    steps = max(2, round(length) + 1)
    total = np.zeros(pixels.shape, np.float32)
    for along in np.linspace(-length / 2, length / 2, steps):
        shift = (round(along * np.sin(angle)), round(along * np.cos(angle)))
        total += _shifted(pixels, *shift)
    return _to_uint8(total / steps)


def dark(pixels: Pixels, severity: float, rng: np.random.Generator) -> Pixels:
    """Under-expose: linear light times 0.72 down to 0.15."""
    return _expose(pixels, _strength(DARK_GAIN, severity))


def bright(pixels: Pixels, severity: float, rng: np.random.Generator) -> Pixels:
    """Over-expose: linear light times 1.25 up to 3, clipped at white."""
    return _expose(pixels, _strength(BRIGHT_GAIN, severity))


def low_contrast(pixels: Pixels, severity: float, rng: np.random.Generator) -> Pixels:
    """Shrink the distance to mid-grey to 0.75 down to 0.18."""
    gain = _strength(CONTRAST_GAIN, severity)
    return _to_uint8((pixels.astype(np.float32) - 128) * gain + 128)


DEGRADATIONS: dict[str, Degradation] = {
    "gaussian_blur": gaussian_blur,
    "downscale": downscale,
    "jpeg": jpeg,
    "noise": noise,
    "motion_blur": motion_blur,
    "dark": dark,
    "bright": bright,
    "low_contrast": low_contrast,
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


def _expose(pixels: Pixels, gain: float) -> Pixels:
    """Scale linear light (gamma 2.2) by a gain, through a table of the 256 levels."""
    levels = np.linspace(0, 1, 256) ** 2.2 * gain
    table: Pixels = np.rint(np.clip(levels, 0, 1) ** (1 / 2.2) * 255).astype(np.uint8)
    exposed: Pixels = table[pixels]
    return exposed


def _shifted(pixels: Pixels, down: int, right: int) -> Pixels:
    """Move the content, repeating the border."""
    rows = np.clip(np.arange(pixels.shape[0]) - down, 0, pixels.shape[0] - 1)
    columns = np.clip(np.arange(pixels.shape[1]) - right, 0, pixels.shape[1] - 1)
    return pixels[rows][:, columns]


def _to_uint8(values: npt.NDArray[np.floating]) -> Pixels:
    rounded: Pixels = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return rounded
