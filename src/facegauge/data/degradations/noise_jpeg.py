"""Noise and compression."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from facegauge.arrays import Pixels
from facegauge.data.degradations.strength import GAMMA, strength, to_uint8

JPEG_QUALITY = (95, 60, 38, 22, 12, 6)
NOISE_SIGMA = (0.0, 5.0, 10.0, 18.0, 30.0, 48.0)  # grey levels
ISO_NOISE = (0.0, 0.04, 0.08, 0.14, 0.23, 0.37)  # standard deviation at white, linear light

READ_NOISE = 0.02  # noise without light, as the amount of light that would cause it
GREY_WEIGHT, COLOUR_WEIGHT = 0.8, 0.6  # of grey and coloured noise; the squares sum to 1


def noise(pixels: Pixels, severity: float, rng: np.random.Generator) -> Pixels:
    """Add independent Gaussian noise to every channel, with a deviation of 5 to 48 grey levels."""
    sigma = strength(NOISE_SIGMA, severity)
    return to_uint8(pixels + rng.standard_normal(pixels.shape, np.float32) * np.float32(sigma))


def iso_noise(pixels: Pixels, severity: float, rng: np.random.Generator) -> Pixels:
    """Add sensor noise, which is coloured in blocks of 2 x 2 px and strongest in the shadows.

    Its standard deviation in linear light is 0.04 to 0.37 times the square root of the light. At
    mid-grey it is about as strong as `noise` of the same severity.
    """
    height, width = pixels.shape[:2]
    grey = rng.standard_normal((height, width, 1), np.float32)
    coarse = rng.standard_normal(((height + 1) // 2, (width + 1) // 2, 3), np.float32)
    colour = coarse.repeat(2, 0).repeat(2, 1)[:height, :width]
    combined = GREY_WEIGHT * grey + COLOUR_WEIGHT * colour
    light = (pixels.astype(np.float32) / 255) ** GAMMA
    light += strength(ISO_NOISE, severity) * np.sqrt(light + READ_NOISE) * combined
    return to_uint8(np.maximum(light, 0) ** (1 / GAMMA) * 255)


def jpeg(pixels: Pixels, severity: float, rng: np.random.Generator) -> Pixels:
    """Compress as JPEG, with quality 60 (severity 1) to 6 (severity 5)."""
    buffer = io.BytesIO()
    quality = round(strength(JPEG_QUALITY, severity))
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer))
