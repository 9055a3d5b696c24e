"""Light and colour that are wrong: too little, too much, in the wrong place or of the wrong hue."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from facegauge.arrays import Pixels
from facegauge.data.degradations.strength import GAMMA, strength, to_uint8

DARK_GAIN = (1.0, 0.72, 0.52, 0.36, 0.24, 0.15)
BRIGHT_GAIN = (1.0, 1.25, 1.55, 1.9, 2.4, 3.0)
CONTRAST_GAIN = (1.0, 0.75, 0.55, 0.4, 0.28, 0.18)
CAST_STOPS = (0.0, 0.15, 0.3, 0.5, 0.75, 1.1)  # powers of 2, for red and, the other way, for blue
SHADOW_GAIN = (1.0, 0.7, 0.5, 0.34, 0.22, 0.13)
FLARE_LIGHT = (0.0, 0.2, 0.38, 0.6, 0.85, 1.15)  # share of the way to white, where the sun is

SHADOW_EDGE = 0.15  # how wide the edge is; half the longer side is 1 here and below
SUN, HALO, HALO_LIGHT = 0.18, 0.5, 0.55
GHOSTS = ((0.55, 0.07), (0.8, 0.04), (1.35, 0.10), (1.7, 0.05))  # along the way; radius
GHOST_LIGHT = 0.25
WARM = (1.0, 0.95, 0.8)

Plane = npt.NDArray[np.float32]


def dark(pixels: Pixels, severity: float, rng: np.random.Generator) -> Pixels:
    """Under-expose: linear light times 0.72 down to 0.15."""
    return _expose(pixels, strength(DARK_GAIN, severity))


def bright(pixels: Pixels, severity: float, rng: np.random.Generator) -> Pixels:
    """Over-expose: linear light times 1.25 up to 3, clipped at white."""
    return _expose(pixels, strength(BRIGHT_GAIN, severity))


def low_contrast(pixels: Pixels, severity: float, rng: np.random.Generator) -> Pixels:
    """Shrink the distance to mid-grey to 0.75 down to 0.18."""
    gain = strength(CONTRAST_GAIN, severity)
    return to_uint8((pixels.astype(np.float32) - 128) * gain + 128)


def colour_cast(pixels: Pixels, severity: float, rng: np.random.Generator) -> Pixels:
    """Miss the white balance: too warm or too cool, by 0.15 to 1.1 stops of red and of blue."""
    stops = strength(CAST_STOPS, severity) * rng.choice((-1, 1))
    out = pixels.copy()
    out[..., 0] = _expose(pixels[..., 0], 2**stops)
    out[..., 2] = _expose(pixels[..., 2], 2**-stops)
    return out


def shadow(pixels: Pixels, severity: float, rng: np.random.Generator) -> Pixels:
    """Cast a shadow over one side of a random line: linear light times 0.7 down to 0.13."""
    gain = strength(SHADOW_GAIN, severity) ** (1 / GAMMA)
    angle, offset = rng.uniform(0, 2 * np.pi), rng.uniform(-0.3, 0.3)
    down, right = _places(pixels)
    across = down * np.sin(angle) + right * np.cos(angle) - offset
    shaded = np.clip(across / SHADOW_EDGE + 0.5, 0, 1)
    return to_uint8(pixels * (1 - shaded * (1 - gain))[..., None])


def sun_flare(pixels: Pixels, severity: float, rng: np.random.Generator) -> Pixels:
    """Light from a sun in the upper half: a halo, and four ghosts on the line through the middle.

    The halo's middle goes a fifth of the way to white, up to all of it.
    """
    down, right = _places(pixels)
    sun_down = rng.uniform(0.4, 0.9) * float(down.min())
    sun_right = rng.uniform(-0.7, 0.7) * float(right.max())

    def away(along: float) -> Plane:
        """Distance from a point on the line from the sun (0) through the middle (1)."""
        distance: Plane = np.hypot(down - sun_down * (1 - along), right - sun_right * (1 - along))
        return distance

    distance = away(0)
    glow = np.exp(-np.square(distance / SUN)) + HALO_LIGHT * np.exp(-distance / HALO)
    for along, radius in GHOSTS:
        glow += GHOST_LIGHT * np.clip((radius - away(along)) / (0.2 * radius), 0, 1)
    light = strength(FLARE_LIGHT, severity) * glow[..., None] * np.asarray(WARM, np.float32)
    return to_uint8(255 - (255 - pixels.astype(np.float32)) * (1 - np.clip(light, 0, 1)))


def _expose(pixels: Pixels, gain: float) -> Pixels:
    """Scale linear light by a gain, through a table of the 256 levels."""
    levels = np.linspace(0, 1, 256) ** GAMMA * gain
    table: Pixels = np.rint(np.clip(levels, 0, 1) ** (1 / GAMMA) * 255).astype(np.uint8)
    exposed: Pixels = table[pixels]
    return exposed


def _places(pixels: Pixels) -> tuple[Plane, Plane]:
    """Rows (H, 1) and columns (1, W) of the pixels from the middle; half the longer side is 1."""
    height, width = pixels.shape[:2]
    half = max(height, width) / 2
    rows = (np.arange(height, dtype=np.float32) - (height - 1) / 2) / half
    columns = (np.arange(width, dtype=np.float32) - (width - 1) / 2) / half
    return rows[:, None], columns[None]
