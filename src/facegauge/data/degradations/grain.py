"""Noise and compression: what sensors and files add."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from facegauge.arrays import Pixels
from facegauge.data.degradations.strength import GAMMA, strength, to_uint8

JPEG_QUALITY = (95, 60, 38, 22, 12, 6)
NOISE_SIGMA = (0.0, 5.0, 10.0, 18.0, 30.0, 48.0)  # grey levels
ISO_NOISE = (0.0, 0.04, 0.08, 0.14, 0.23, 0.37)  # deviation of full light; mid-grey as NOISE_SIGMA

READ_NOISE = 0.02  # what a sensor adds where there is no light, as light of that much
GREY_SHARE, COLOUR_SHARE = 0.8, 0.6  # their squares sum to 1


def noise(pixels: Pixels, severity: float, rng: np.random.Generator) -> Pixels:
    """Add Gaussian noise of 5 to 48 grey levels to every channel."""
    sigma = strength(NOISE_SIGMA, severity)
    grain = rng.standard_normal(pixels.shape, np.float32) * np.float32(sigma)
    return to_uint8(pixels + grain)


def iso_noise(pixels: Pixels, severity: float, rng: np.random.Generator) -> Pixels:
    """Add a sensor's noise: coloured in blocks of 2 x 2 px, and stronger in the shadows.

    Its deviation in linear light is 0.04 to 0.37 times the root of the light.
    """
    height, width = pixels.shape[:2]
    grey = rng.standard_normal((height, width, 1), np.float32)
    coarse = rng.standard_normal(((height + 1) // 2, (width + 1) // 2, 3), np.float32)
    colour = coarse.repeat(2, 0).repeat(2, 1)[:height, :width]
    grain = GREY_SHARE * grey + COLOUR_SHARE * colour
    light = (pixels.astype(np.float32) / 255) ** GAMMA
    light += strength(ISO_NOISE, severity) * np.sqrt(light + READ_NOISE) * grain
    return to_uint8(np.maximum(light, 0) ** (1 / GAMMA) * 255)


def jpeg(pixels: Pixels, severity: float, rng: np.random.Generator) -> Pixels:
    """Compress as JPEG at quality 60 down to 6."""
    buffer = io.BytesIO()
    quality = round(strength(JPEG_QUALITY, severity))
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer))
