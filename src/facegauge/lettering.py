"""The font for words in pictures, and words that it can draw: never boxes for what it lacks."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import ImageFont

    Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

# with Latin, Greek and Cyrillic letters; Pillow looks for them where the system keeps fonts
WIDE_FONTS = ("DejaVuSans.ttf", "Arial Unicode.ttf", "arial.ttf")
# signs without a Unicode decomposition
SPELLED = {
    "ß": "ss", "ẞ": "SS", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O",
    "–": "-", "—": "-", "‐": "-", "’": "'", "×": "x",
    "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "ð": "d", "þ": "th", "Þ": "Th", "ı": "i",
}  # fmt: skip
LACKING = "\U0010ffff"  # no font has it: what is drawn for it stands for any missing letter


@cache
def font(size: int) -> Font:
    """A font of many letters, that of the system or of matplotlib; else Pillow's own, of few.

    Args:
        size: of the letters, in pixels.
    """
    from PIL import ImageFont

    for name in _candidates():
        try:
            return ImageFont.truetype(name, size)
        except OSError:
            continue
    return ImageFont.load_default(size)


def drawable(text: str, font: Font) -> str:
    """A text that the font can draw: each letter it lacks without marks, spelled out, or "?".

    Args:
        text: any; signs that are not printed, such as line ends, become "?".
        font: as `font` gives it.
    """
    signs = (_drawable(sign, font) for sign in unicodedata.normalize("NFC", text))
    return "".join(signs)


def _candidates() -> Iterator[str]:
    yield from WIDE_FONTS
    matplotlib = find_spec("matplotlib")  # is not imported
    if matplotlib and matplotlib.origin:
        yield str(Path(matplotlib.origin).parent / "mpl-data/fonts/ttf" / WIDE_FONTS[0])


def _drawable(sign: str, font: Font) -> str:
    if sign == " " or _has(font, sign):
        return sign
    for part in (SPELLED.get(sign, ""), _bare(sign)):
        if part and all(_has(font, letter) for letter in part):
            return part
    return "?"


def _bare(sign: str) -> str:
    """Without accents and other marks."""
    parts = unicodedata.normalize("NFKD", sign)
    return "".join(part for part in parts if not unicodedata.combining(part))


@cache
def _has(font: Font, sign: str) -> bool:
    if not sign.isprintable() or unicodedata.combining(sign):
        return False
    try:
        return _drawn(font, sign) != _drawn(font, LACKING)
    except UnicodeEncodeError:  # a bitmap font, where Pillow has no FreeType
        return False


@cache
def _drawn(font: Font, sign: str) -> tuple[tuple[int, int], bytes]:
    mask = font.getmask(sign)
    return mask.size, bytes(mask)
