"""Changes of a picture that leave its label as it is: size, compression and colour."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from facegauge.arrays import Pixels
from facegauge.results import Box

FILTERS = (Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS)
SHRINKING = (*FILTERS, Image.Resampling.BOX)
LUMA = np.array([0.299, 0.587, 0.114], np.float32)
SEPIA = np.array([1.07, 0.95, 0.78], np.float32)
AGE = np.array([1.0, 0.8, 0.4], np.float32)  # the colour of paper


def resized(
    pixels: Pixels, frame: Box, factor: float, resampling: Image.Resampling
) -> tuple[Pixels, Box]:
    """A picture at another size, and where the frame is there."""
    height, width = pixels.shape[:2]
    size = max(2, round(width * factor)), max(2, round(height * factor))
    out = np.asarray(Image.fromarray(pixels).resize(size, resampling))
    across, down = size[0] / width, size[1] / height
    return out, Box(
        frame.left * across, frame.top * down, frame.right * across, frame.bottom * down
    )


def compressed(pixels: Pixels, quality: int) -> Pixels:
    """As JPEG, and back."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file).convert("RGB"))


def tinted(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Grey (half of the time), sepia, or a colour cast with less colour."""
    grey = (pixels @ LUMA)[..., None]
    match rng.integers(4):
        case 0 | 1:
            out = np.repeat(grey, 3, 2)
        case 2:
            out = grey * SEPIA + rng.uniform(0, 14) * AGE
        case _:
            share = rng.uniform(0.2, 0.9)
            out = (grey * share + pixels * (1 - share)) * rng.uniform(0.75, 1.2, 3)
    return np.clip(np.rint(out), 0, 255).astype(np.uint8)
