"""Detail that is lost: out of focus, in motion, or too few pixels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from facegauge.arrays import Pixels
from facegauge.data.degradations.strength import strength, to_uint8

BLUR_SIGMA = (0.0, 0.7, 1.2, 2.0, 3.2, 5.0)  # pixels
BOX_RADIUS = (0.0, 0.7, 1.6, 3.0, 5.0, 8.2)  # pixels; as wide as the Gaussian, by its deviation
DISC_RADIUS = (0.0, 1.3, 2.4, 4.0, 6.4, 10.0)  # pixels; likewise
DOWNSCALE_FACTOR = (1.0, 1.5, 2.0, 3.0, 4.5, 7.0)
MOTION_LENGTH = (0.0, 2.0, 4.0, 7.0, 11.0, 17.0)  # pixels
ZOOM_LENGTH = (0.0, 2.0, 4.0, 8.0, 14.0, 22.0)  # pixels, at the ends of the longer side

FINE = 8  # points a pixel's side is divided by to draw a disc


def gaussian_blur(pixels: Pixels, severity: float, rng: np.random.Generator) -> Pixels:
    """Blur with a Gaussian of 0.7 to 5 px standard deviation."""
    radius = strength(BLUR_SIGMA, severity)
    return np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(radius)))


def box_blur(pixels: Pixels, severity: float, rng: np.random.Generator) -> Pixels:
    """Average over a square of 2.4 to 17.4 px: the paper's plain "blur"."""
    radius = strength(BOX_RADIUS, severity)
    return np.asarray(Image.fromarray(pixels).filter(ImageFilter.BoxBlur(radius)))


def defocus(pixels: Pixels, severity: float, rng: np.random.Generator) -> Pixels:
    """Average over a disc of 1.3 to 10 px radius, as an open lens out of focus does."""
    return to_uint8(_convolved(pixels, _disc(strength(DISC_RADIUS, severity))))


def downscale(pixels: Pixels, severity: float, rng: np.random.Generator) -> Pixels:
    """Shrink by a factor of 1.5 to 7 and enlarge again."""
    factor = strength(DOWNSCALE_FACTOR, severity)
    height, width = pixels.shape[:2]
    small = (max(1, round(width / factor)), max(1, round(height / factor)))
    picture = Image.fromarray(pixels).resize(small, Image.Resampling.BICUBIC)
    return np.asarray(picture.resize((width, height), Image.Resampling.BICUBIC))


def motion_blur(pixels: Pixels, severity: float, rng: np.random.Generator) -> Pixels:
    """Smear along one random direction over 2 to 17 px."""
    length = strength(MOTION_LENGTH, severity)
    angle = rng.uniform(0, np.pi)
    steps = max(2, round(length) + 1)
    total = np.zeros(pixels.shape, np.float32)
    for along in np.linspace(-length / 2, length / 2, steps):
        shift = (round(along * np.sin(angle)), round(along * np.cos(angle)))
        total += _shifted(pixels, *shift)
    return to_uint8(total / steps)


def zoom_blur(pixels: Pixels, severity: float, rng: np.random.Generator) -> Pixels:
    """Smear outwards from the middle, over 2 to 22 px at the ends of the longer side."""
    length = strength(ZOOM_LENGTH, severity)
    height, width = pixels.shape[:2]
    picture, steps = Image.fromarray(pixels), max(2, round(length) + 1)
    total = np.zeros(pixels.shape, np.float32)
    for moved in np.linspace(0, length, steps):
        kept = 1 / (1 + moved / (max(height, width) / 2))
        near, far = (1 - kept) / 2, (1 + kept) / 2
        box = (near * width, near * height, far * width, far * height)
        total += np.asarray(picture.resize((width, height), Image.Resampling.BILINEAR, box))
    return to_uint8(total / steps)


def _shifted(pixels: Pixels, down: int, right: int) -> Pixels:
    """Move the content, repeating the border."""
    rows = np.clip(np.arange(pixels.shape[0]) - down, 0, pixels.shape[0] - 1)
    columns = np.clip(np.arange(pixels.shape[1]) - right, 0, pixels.shape[1] - 1)
    return pixels[rows][:, columns]


def _disc(radius: float) -> npt.NDArray[np.float64]:
    """Shares of the pixels that a disc covers, (K, K) with K odd; they sum to 1."""
    radius = max(radius, 0.5)  # which lies within one pixel and changes nothing
    reach = int(np.ceil(radius - 0.5))
    size = 2 * reach + 1
    places = (np.arange(size * FINE) + 0.5) / FINE - size / 2
    inside = np.hypot(places[:, None], places) <= radius
    cover = inside.reshape(size, FINE, size, FINE).mean((1, 3))
    kernel: npt.NDArray[np.float64] = cover / cover.sum()
    return kernel


def _convolved(pixels: Pixels, kernel: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Every channel convolved with a (K, K) kernel, repeating the border; by Fourier transform."""
    reach = len(kernel) // 2
    padded = np.pad(pixels, ((reach, reach), (reach, reach), (0, 0)), "edge")
    size = padded.shape[:2]
    transfer = np.fft.rfft2(kernel, size)
    channels = [
        np.fft.irfft2(np.fft.rfft2(padded[..., channel]) * transfer, size)
        for channel in range(pixels.shape[2])
    ]
    return np.stack(channels, -1)[2 * reach :, 2 * reach :]
