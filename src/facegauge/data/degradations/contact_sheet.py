"""A contact sheet of degraded copies: one row per kind, one column per severity."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from facegauge.arrays import Pixels
from facegauge.data.degradations import degrade

TEXT, MARGIN, GAP = 14, 10, 4  # pixels
BACKGROUND, TEXT_COLOUR = (255, 255, 255), (40, 40, 40)


def shrink(pixels: Pixels, size: int) -> Pixels:
    """Downscale a picture so that its longer side has at most `size` pixels."""
    picture = Image.fromarray(pixels)
    picture.thumbnail((size, size), Image.Resampling.LANCZOS)
    return np.asarray(picture)


def contact_sheet(
    pixels: Pixels, kinds: Sequence[str], severities: Sequence[float], seed: int = 0
) -> Image.Image:
    """Draw a picture with every kind and severity, at full resolution, with row and column titles.

    Args:
        pixels: (H, W, 3) uint8, RGB; a cell has this size.
        kinds: keys of `DEGRADATIONS`, one per row.
        severities: 0..5, one per column.
        seed: of the random generator; the same in all cells, so that only the severity changes
            along a row.

    Raises:
        UsageError: a kind is unknown, or a severity is outside 0..5.
    """
    height, width = pixels.shape[:2]
    font = ImageFont.load_default(TEXT)
    left = 2 * MARGIN + round(max(font.getlength(kind) for kind in kinds))
    top = 2 * MARGIN + TEXT
    row_height, column_width = max(height, TEXT) + GAP, max(width, 2 * TEXT) + GAP
    size = (
        left + len(severities) * column_width - GAP + MARGIN,
        top + len(kinds) * row_height - GAP + MARGIN,
    )
    sheet = Image.new("RGB", size, BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    for column, severity in enumerate(severities):
        center = left + column * column_width + width // 2
        draw.text((center, top // 2), f"{severity:g}", TEXT_COLOUR, font, anchor="mm")
    for row, kind in enumerate(kinds):
        y = top + row * row_height
        draw.text((left - MARGIN, y + height // 2), kind, TEXT_COLOUR, font, anchor="rm")
        for column, severity in enumerate(severities):
            copy = degrade(pixels, kind, severity, np.random.default_rng(seed))
            sheet.paste(Image.fromarray(copy), (left + column * column_width, y))
    return sheet
