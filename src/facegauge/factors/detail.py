"""Sharpness, motion blur and noise of a face, from the luma of a `View`."""

from __future__ import annotations

import math
from functools import cache, lru_cache

import numpy as np
import numpy.typing as npt

from facegauge.arrays import FloatArray
from facegauge.factors.view import View

POOL = 4  # px; sharpness compares differences of neighbours with those of squares of this size
EVEN = 0.1  # squared grey levels; a face without structure has no sharpness
APART = 2  # rows between two differences whose product is free of noise
QUIET = 25  # percentile of blocks, by their noise, that counts: blocks without texture
BLOCK = 12  # px, side of such a block
SMALL_BLOCK = 6  # px, the same in a small face's own pixels
LEVELS = (15, 240)  # mean of blocks that are neither black nor clipped

SPECTRUM = (288, 224)  # px; faces are padded or cut to this size
BANDS = (0.06, 0.09, 0.13, 0.19, 0.27, 0.38)  # cycles a pixel
ANGLES = 12  # sectors of half a circle
# Logarithm of the mean power of a face by angle, from horizontal frequencies on: brows, eyes and
# mouth lie across. Mean of 49 portraits and of the bands.
TYPICAL = (-0.32, -0.29, -0.27, -0.15, 0.10, 0.45, 0.64, 0.45, 0.10, -0.15, -0.27, -0.29)


def sharpness(face: FloatArray) -> float:
    """Differences between neighbouring pixels over those between squares of 4 x 4, about 0.2..0.5.

    Squares of differences would grow with noise. So each is multiplied with the difference beside
    it along the edge, whose noise is another: on average, noise adds nothing.
    """
    coarse = _coherent(_pooled(face, POOL), 1)
    return math.sqrt(_coherent(face, APART) / (coarse + EVEN))


def motion(face: FloatArray, tilt: float = 0.0) -> float:
    """The share of detail that is missing in one direction beside the direction across it, 0..1.

    Motion takes power from the frequencies along it, defocus from those of all directions. The
    power in `BANDS` is compared between directions, with that of a typical face taken out.

    Args:
        face: (h, w) luma, 0..255.
        tilt: degrees by which the face is turned clockwise.
    """
    band, count = _sectors()
    window = [np.hanning(size).astype(np.float32) for size in face.shape]
    waves = (face - face.mean()) * window[0][:, None] * window[1]
    power = np.abs(np.fft.rfft2(waves, SPECTRUM)).ravel()
    power *= power
    sums = np.bincount(band, power, minlength=len(count))[: (len(BANDS) - 1) * ANGLES]
    means = (sums / count[: len(sums)]).reshape(-1, ANGLES) / face.size
    places = np.arange(ANGLES) - tilt * ANGLES / 180
    usual = np.interp(places, np.arange(ANGLES), TYPICAL, period=ANGLES)
    by_angle = np.log(means + 1e-3).mean(0) - usual
    smooth = (np.roll(by_angle, 1) + 2 * by_angle + np.roll(by_angle, -1)) / 4
    across = float((np.roll(smooth, ANGLES // 2) - smooth).max())
    return 1 - float(np.exp(-max(0.0, across) / 2))


def noise_of(view: View, texture: float) -> float:
    """Standard deviation of the noise in grey levels, as it shows at the view's size.

    Enlarging smooths noise away. So an enlarged face has the noise of its own pixels where that is
    more than the texture of small faces can be.

    Args:
        view: of the face.
        texture: grey levels, see above.
    """
    shown = noise(view.face)
    own = noise(view.own, SMALL_BLOCK) if view.enlarged else 0.0
    return max(shown, own) if own > texture else shown


def noise(face: FloatArray, block: int = BLOCK) -> float:
    """Standard deviation of the noise in grey levels.

    Immerkaer's mask (1996), which leaves out all linear changes, in the quietest blocks.

    Args:
        face: (h, w) luma, 0..255.
        block: side of the blocks, in pixels.
    """
    if min(face.shape) < block + 2:
        return 0.0
    down = face[:-2] - 2 * face[1:-1] + face[2:]
    left = np.abs(down[:, :-2] - 2 * down[:, 1:-1] + down[:, 2:])
    blocks, levels = _pooled(left, block), _pooled(face[1:-1, 1:-1], block)
    usable = blocks[(levels > LEVELS[0]) & (levels < LEVELS[1])]
    if not usable.size:
        return 0.0
    return float(np.percentile(usable, QUIET) * np.sqrt(np.pi / 2) / 6)


def _coherent(levels: FloatArray, apart: int) -> float:
    """Mean product of differences along an axis and those so many pixels beside them, >= 0."""
    if min(levels.shape) <= apart + 1:
        return 0.0
    across, down = levels[:, 1:] - levels[:, :-1], levels[1:] - levels[:-1]
    products = across[apart:] * across[:-apart], down[:, apart:] * down[:, :-apart]
    return max(0.0, sum(float(np.vdot(one, _oval(one.shape))) for one in products) / 2)


@lru_cache(64)
def _oval(shape: tuple[int, int]) -> FloatArray:
    """Weights (h, w) that are even in the ellipse that fills a box and 0 outside; their sum is 1.

    The corners of a face box are hair and background.
    """
    down, right = ((np.arange(size) + 0.5) / size * 2 - 1 for size in shape)
    inside = np.hypot(down[:, None], right) <= 1
    weights: FloatArray = inside.astype(np.float32) / np.float32(max(1, inside.sum()))
    return weights


def _pooled(levels: FloatArray, side: int) -> FloatArray:
    """Means of squares."""
    height, width = (size // side * side for size in levels.shape)
    squares = levels[:height, :width].reshape(height // side, side, width // side, side)
    pooled: FloatArray = squares.mean((1, 3))
    return pooled


@cache
def _sectors() -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """For each frequency of the spectrum its band and angle as one number, and their counts."""
    down = np.fft.fftfreq(SPECTRUM[0])[:, None]
    right = np.fft.rfftfreq(SPECTRUM[1])[None]
    angle = np.floor(np.mod(np.arctan2(down, right), np.pi) / np.pi * ANGLES + 0.5).astype(int)
    band = np.digitize(np.hypot(down, right), BANDS) - 1
    band[band < 0] = len(BANDS) - 1  # with the frequencies above the bands, which are not read
    sector = (band * ANGLES + angle % ANGLES).ravel()
    return sector, np.bincount(sector)
