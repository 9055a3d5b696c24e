"""A contact sheet of degraded copies, to look at: a row a kind, a column a severity."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from facegauge.arrays import Pixels
from facegauge.data.degradations import degrade

TEXT, MARGIN, GAP = 14, 10, 4  # pixels
PAPER, INK = (255, 255, 255), (40, 40, 40)


def shrunk(pixels: Pixels, side: int) -> Pixels:
    """The picture with its longer side at most `side` pixels."""
    picture = Image.fromarray(pixels)
    picture.thumbnail((side, side), Image.Resampling.LANCZOS)
    return np.asarray(picture)


def contact_sheet(
    pixels: Pixels, kinds: Sequence[str], severities: Sequence[float], seed: int = 0
) -> Image.Image:
    """Every kind at every severity, pixel for pixel, with their names beside and above.

    Args:
        pixels: (H, W, 3) uint8, the clean picture; a cell is as large.
        seed: of what is random; the same for every cell, so that one grain grows along a row.

    Raises:
        UsageError: an unknown kind, or a severity outside 0..5.
    """
    height, width = pixels.shape[:2]
    font = ImageFont.load_default(TEXT)
    left = 2 * MARGIN + round(max(font.getlength(kind) for kind in kinds))
    top = 2 * MARGIN + TEXT
    step_down, step_right = max(height, TEXT) + GAP, max(width, 2 * TEXT) + GAP
    size = (
        left + len(severities) * step_right - GAP + MARGIN,
        top + len(kinds) * step_down - GAP + MARGIN,
    )
    sheet = Image.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(sheet)
    for column, severity in enumerate(severities):
        middle = left + column * step_right + width // 2
        draw.text((middle, top // 2), f"{severity:g}", INK, font, anchor="mm")
    for row, kind in enumerate(kinds):
        down = top + row * step_down
        draw.text((left - MARGIN, down + height // 2), kind, INK, font, anchor="rm")
        for column, severity in enumerate(severities):
            copy = degrade(pixels, kind, severity, np.random.default_rng(seed))
            sheet.paste(Image.fromarray(copy), (left + column * step_right, down))
    return sheet
