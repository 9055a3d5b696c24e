"""Degraded light and colour: exposure, contrast, white balance, shadow and flare."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from facegauge.arrays import Pixels
from facegauge.data.degradations.strength import GAMMA, strength, to_uint8

DARK_GAIN = (1.0, 0.72, 0.52, 0.36, 0.24, 0.15)
BRIGHT_GAIN = (1.0, 1.25, 1.55, 1.9, 2.4, 3.0)
CONTRAST_GAIN = (1.0, 0.75, 0.55, 0.4, 0.28, 0.18)
CAST_STOPS = (0.0, 0.15, 0.3, 0.5, 0.75, 1.1)  # gain of red as a power of 2; blue gets the inverse
SHADOW_GAIN = (1.0, 0.7, 0.5, 0.34, 0.22, 0.13)
FLARE_LIGHT = (0.0, 0.2, 0.38, 0.6, 0.85, 1.15)  # blend with white at the sun's position

# lengths below are in units of half the longer side
SHADOW_EDGE = 0.15  # width of the shadow's edge
SUN_RADIUS, HALO_RADIUS, HALO_LIGHT = 0.18, 0.5, 0.55
GHOSTS = ((0.55, 0.07), (0.8, 0.04), (1.35, 0.10), (1.7, 0.05))  # position on the line, radius
GHOST_LIGHT = 0.25
FLARE_COLOUR = (1.0, 0.95, 0.8)

Plane = npt.NDArray[np.float32]


def dark(pixels: Pixels, severity: float, rng: np.random.Generator) -> Pixels:
    """Underexpose: multiply linear light by 0.72 (severity 1) to 0.15 (severity 5)."""
    return _expose(pixels, strength(DARK_GAIN, severity))


def bright(pixels: Pixels, severity: float, rng: np.random.Generator) -> Pixels:
    """Overexpose: multiply linear light by 1.25 to 3 and clip at white."""
    return _expose(pixels, strength(BRIGHT_GAIN, severity))


def low_contrast(pixels: Pixels, severity: float, rng: np.random.Generator) -> Pixels:
    """Multiply the distance to mid-grey by 0.75 (severity 1) to 0.18 (severity 5)."""
    gain = strength(CONTRAST_GAIN, severity)
    return to_uint8((pixels.astype(np.float32) - 128) * gain + 128)


def colour_cast(pixels: Pixels, severity: float, rng: np.random.Generator) -> Pixels:
    """Change the white balance: red and blue by 0.15 to 1.1 stops in opposite directions."""
    stops = strength(CAST_STOPS, severity) * rng.choice((-1, 1))
    out = pixels.copy()
    out[..., 0] = _expose(pixels[..., 0], 2**stops)
    out[..., 2] = _expose(pixels[..., 2], 2**-stops)
    return out


def shadow(pixels: Pixels, severity: float, rng: np.random.Generator) -> Pixels:
    """Darken one side of a random line: multiply linear light by 0.7 to 0.13."""
    gain = strength(SHADOW_GAIN, severity) ** (1 / GAMMA)
    angle, offset = rng.uniform(0, 2 * np.pi), rng.uniform(-0.3, 0.3)
    rows, columns = _coordinates(pixels)
    distance = rows * np.sin(angle) + columns * np.cos(angle) - offset
    shade = np.clip(distance / SHADOW_EDGE + 0.5, 0, 1)
    return to_uint8(pixels * (1 - shade * (1 - gain))[..., None])


def sun_flare(pixels: Pixels, severity: float, rng: np.random.Generator) -> Pixels:
    """Add lens flare: a halo around a sun in the upper half, and four ghosts opposite to it.

    At the sun, pixels are blended with white by 0.2 to 1.15 (clipped to 1). The ghosts lie on the
    line from the sun through the picture's centre.
    """
    rows, columns = _coordinates(pixels)
    sun_row = rng.uniform(0.4, 0.9) * float(rows.min())
    sun_column = rng.uniform(-0.7, 0.7) * float(columns.max())

    def distance_to(position: float) -> Plane:
        """Distance to a point on the line from the sun (0) through the centre (1)."""
        row, column = sun_row * (1 - position), sun_column * (1 - position)
        distance: Plane = np.hypot(rows - row, columns - column)
        return distance

    distance = distance_to(0)
    glow = np.exp(-np.square(distance / SUN_RADIUS))
    glow += HALO_LIGHT * np.exp(-distance / HALO_RADIUS)
    for position, radius in GHOSTS:
        glow += GHOST_LIGHT * np.clip((radius - distance_to(position)) / (0.2 * radius), 0, 1)
    light = strength(FLARE_LIGHT, severity) * glow[..., None] * np.asarray(FLARE_COLOUR, np.float32)
    return to_uint8(255 - (255 - pixels.astype(np.float32)) * (1 - np.clip(light, 0, 1)))


def _expose(pixels: Pixels, gain: float) -> Pixels:
    """Multiply linear light by a gain, with a lookup table of the 256 levels."""
    levels = np.linspace(0, 1, 256) ** GAMMA * gain
    table: Pixels = np.rint(np.clip(levels, 0, 1) ** (1 / GAMMA) * 255).astype(np.uint8)
    exposed: Pixels = table[pixels]
    return exposed


def _coordinates(pixels: Pixels) -> tuple[Plane, Plane]:
    """Rows (H, 1) and columns (1, W), 0 at the centre, in units of half the longer side."""
    height, width = pixels.shape[:2]
    half = max(height, width) / 2
    rows = (np.arange(height, dtype=np.float32) - (height - 1) / 2) / half
    columns = (np.arange(width, dtype=np.float32) - (width - 1) / 2) / half
    return rows[:, None], columns[None]
