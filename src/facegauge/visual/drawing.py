"""Draws boxes, numbers and scores of faces on a copy of their picture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from facegauge.arrays import Pixels
from facegauge.lettering import font as font_of
from facegauge.results import Box, ImageScore

if TYPE_CHECKING:
    from PIL import Image, ImageDraw

    from facegauge.lettering import Font

# from dark red to dark blue, which eyes that confuse red and green tell apart; white on each is
# read well (contrast 4.5 and more)
COLOURS: Mapping[str, tuple[int, int, int]] = {
    "bad": (165, 0, 38),
    "poor": (178, 82, 10),
    "fair": (112, 104, 20),
    "good": (32, 114, 153),
    "excellent": (30, 60, 140),
}
WHITE = (255, 255, 255)
LINES = 400  # a line is one of so many parts of the picture's longer side
TEXTS = 40  # likewise, a letter's height
LEAST_LINE, LEAST_TEXT = 2, 11  # pixels


def annotate(pixels: Pixels, result: ImageScore) -> Image.Image:
    """A copy of a picture with each face's box, number, score and band.

    Args:
        pixels: (H, W, 3) uint8 RGB, upright, of the picture that the result is of.
        result: as `Scorer.score` returns it; without faces, the copy has its status.
    """
    from PIL import Image, ImageDraw

    picture = Image.fromarray(pixels)
    draw = ImageDraw.Draw(picture)
    size = max(picture.size)
    line, text = max(LEAST_LINE, size // LINES), max(LEAST_TEXT, size // TEXTS)
    font = font_of(text)
    for number, face in reversed(list(enumerate(result.faces))):  # the largest lies on top
        colour = COLOURS[face.band]
        box = face.face.box if face.face else Box(0, 0, picture.width, picture.height)
        corners = (box.left, box.top, box.right - 1, box.bottom - 1)
        draw.rectangle(corners, outline=colour, width=line)
        _label(draw, font, box, f"{number}  {face.score:.2f} {face.band}", colour)
    if not result.faces:
        box = Box(0, 0, picture.width, picture.height)
        _label(draw, font, box, result.status.value.replace("_", " "), COLOURS["bad"])
    return picture


def _label(
    draw: ImageDraw.ImageDraw,
    font: Font,
    box: Box,
    text: str,
    colour: tuple[int, int, int],
) -> None:
    """White text on a colour: above a box, or inside it where there is no room above."""
    width, height = draw.im.size
    left, top, right, bottom = draw.textbbox((0, 0), text, font=font)
    margin = max(2, (bottom - top) // 4)
    wide, high = right - left + 2 * margin, bottom - top + 2 * margin
    x = min(max(0, box.left), max(0, width - wide))
    y = box.top - high if box.top >= high else min(max(0, box.top), max(0, height - high))
    draw.rectangle((x, y, x + wide, y + high), fill=colour)
    draw.text((x + margin - left, y + margin - top), text, WHITE, font=font)
