"""Loss of detail: defocus, motion and low resolution."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from facegauge.arrays import Pixels
from facegauge.data.degradations.strength import strength, to_uint8

BLUR_SIGMA = (0.0, 0.7, 1.2, 2.0, 3.2, 5.0)  # pixels
BOX_RADIUS = (0.0, 0.7, 1.6, 3.0, 5.0, 8.2)  # pixels; about the standard deviation of BLUR_SIGMA
DISC_RADIUS = (0.0, 1.3, 2.4, 4.0, 6.4, 10.0)  # pixels; about the standard deviation of BLUR_SIGMA
DOWNSCALE_FACTOR = (1.0, 1.5, 2.0, 3.0, 4.5, 7.0)
MOTION_LENGTH = (0.0, 2.0, 4.0, 7.0, 11.0, 17.0)  # pixels
ZOOM_LENGTH = (0.0, 2.0, 4.0, 8.0, 14.0, 22.0)  # pixels, at the edges of the longer side

SUBPIXELS = 8  # samples along each side of a pixel, to compute how much of it a disc covers


def gaussian_blur(pixels: Pixels, severity: float, rng: np.random.Generator) -> Pixels:
    """Gaussian blur with a standard deviation of 0.7 to 5 px."""
    radius = strength(BLUR_SIGMA, severity)
    return np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(radius)))


def box_blur(pixels: Pixels, severity: float, rng: np.random.Generator) -> Pixels:
    """Average over a square with sides of 2.4 to 17.4 px: "blur" in DSL-FIQA."""
    radius = strength(BOX_RADIUS, severity)
    return np.asarray(Image.fromarray(pixels).filter(ImageFilter.BoxBlur(radius)))


def defocus(pixels: Pixels, severity: float, rng: np.random.Generator) -> Pixels:
    """Average over a disc with a radius of 1.3 to 10 px, as a lens out of focus does."""
    return to_uint8(_convolve(pixels, _disc(strength(DISC_RADIUS, severity))))


def downscale(pixels: Pixels, severity: float, rng: np.random.Generator) -> Pixels:
    """Downscale by a factor of 1.5 to 7 and upscale again."""
    factor = strength(DOWNSCALE_FACTOR, severity)
    height, width = pixels.shape[:2]
    small = (max(1, round(width / factor)), max(1, round(height / factor)))
    picture = Image.fromarray(pixels).resize(small, Image.Resampling.BICUBIC)
    return np.asarray(picture.resize((width, height), Image.Resampling.BICUBIC))


def motion_blur(pixels: Pixels, severity: float, rng: np.random.Generator) -> Pixels:
    """Average along a random direction over 2 to 17 px."""
    length, angle = strength(MOTION_LENGTH, severity), rng.uniform(0, np.pi)
    return to_uint8(_convolve(pixels, _line(length, angle)))


def zoom_blur(pixels: Pixels, severity: float, rng: np.random.Generator) -> Pixels:
    """Average along lines from the centre, over 2 to 22 px at the edges of the longer side."""
    length = strength(ZOOM_LENGTH, severity)
    height, width = pixels.shape[:2]
    picture, steps = Image.fromarray(pixels), max(2, round(length) + 1)
    total = np.zeros(pixels.shape, np.float32)
    for shift in np.linspace(0, length, steps):
        visible = 1 / (1 + shift / (max(height, width) / 2))
        near, far = (1 - visible) / 2, (1 + visible) / 2
        box = (near * width, near * height, far * width, far * height)
        total += np.asarray(picture.resize((width, height), Image.Resampling.BILINEAR, box))
    return to_uint8(total / steps)


def _line(length: float, angle: float) -> npt.NDArray[np.float64]:
    """A line through the middle as a kernel (K, K), K odd, that sums to 1.

    Its points lie closer than pixels, each shared among the four pixels around it, so that a longer
    line always blurs more.
    """
    half = int(np.ceil(length / 2)) + 1
    along = (np.arange(SUBPIXELS * (2 * half + 1)) + 0.5) / (SUBPIXELS * (2 * half + 1)) - 0.5
    kernel = np.zeros((2 * half + 1,) * 2)
    down, right = (half + length * along * share for share in (np.sin(angle), np.cos(angle)))
    top, left = np.floor(down).astype(int), np.floor(right).astype(int)
    for row, column in ((0, 0), (0, 1), (1, 0), (1, 1)):
        weights = (1 - abs(down - top - row)) * (1 - abs(right - left - column))
        np.add.at(kernel, (top + row, left + column), weights)
    return kernel / len(along)


def _disc(radius: float) -> npt.NDArray[np.float64]:
    """A disc as a kernel (K, K), K odd, that sums to 1; border pixels are covered in part."""
    radius = max(radius, 0.5)  # a disc within one pixel changes nothing
    half = int(np.ceil(radius - 0.5))
    size = 2 * half + 1
    positions = (np.arange(size * SUBPIXELS) + 0.5) / SUBPIXELS - size / 2
    inside = np.hypot(positions[:, None], positions) <= radius
    coverage = inside.reshape(size, SUBPIXELS, size, SUBPIXELS).mean((1, 3))
    kernel: npt.NDArray[np.float64] = coverage / coverage.sum()
    return kernel


def _convolve(pixels: Pixels, kernel: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Convolve each channel with a (K, K) kernel by FFT, with the border repeated."""
    half = len(kernel) // 2
    padded = np.pad(pixels, ((half, half), (half, half), (0, 0)), "edge")
    size = padded.shape[:2]
    transfer = np.fft.rfft2(kernel, size)
    channels = [
        np.fft.irfft2(np.fft.rfft2(padded[..., channel]) * transfer, size)
        for channel in range(pixels.shape[2])
    ]
    return np.stack(channels, -1)[2 * half :, 2 * half :]
