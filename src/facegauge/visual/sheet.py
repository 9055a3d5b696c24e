"""A contact sheet: the worst and the best faces of a score table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from facegauge.errors import UsageError
from facegauge.lettering import drawable
from facegauge.lettering import font as font_of
from facegauge.tables.faces import FaceTable, TableFace
from facegauge.visual.drawing import COLOURS
from facegauge.visual.thumbnails import key, thumbnails

if TYPE_CHECKING:
    from PIL import Image

    from facegauge.lettering import Font

CELL, COLUMNS = 128, 8
TEXT, TITLE, GAP = 12, 16, 8  # pixels
PAPER, INK, GONE = (255, 255, 255), (40, 40, 40), (225, 225, 225)


def worst_and_best(
    faces: Sequence[TableFace], n: int
) -> tuple[tuple[TableFace, ...], tuple[TableFace, ...]]:
    """The n worst faces, worst first, and the n best, best first; no face is in both.

    Of few faces, the lower half is the worst. Of equal ones the first in the table comes first.
    """
    ranked = sorted(faces, key=lambda face: face.score)
    worst = ranked[: min(n, (len(ranked) + 1) // 2)]
    left = ranked[len(worst) :]
    return tuple(worst), tuple(sorted(left, key=lambda face: -face.score)[:n])


def contact_sheet(
    table: FaceTable, n: int = 24, *, cell: int = CELL, columns: int = COLUMNS
) -> Image.Image:
    """Draw the n worst and the n best faces, each with its score and its picture's name.

    Args:
        table: the faces; one whose picture is gone or cannot be opened has a grey cell.
        n: of each, 1 or more.
        cell: side of a face, in pixels, 32 or more.
        columns: faces in a row, 1 or more.

    Raises:
        UsageError: the table has no scored face, or a number is too small.
    """
    from PIL import Image, ImageDraw

    for name, value, least in (("n", n, 1), ("cell", cell, 32), ("columns", columns, 1)):
        if value < least:
            raise UsageError(f"expected {name} to be {least} or more, got {value}")
    if not table.faces:
        raise UsageError(f"{table.source} has no face with a score")
    worst, best = worst_and_best(table.faces, n)
    parts = [(title, faces) for title, faces in (("worst", worst), ("best", best)) if faces]
    made = thumbnails(table, [face for _, faces in parts for face in faces], cell)
    columns = min(columns, max(len(faces) for _, faces in parts))
    rows = [-(-len(faces) // columns) for _, faces in parts]
    step, row = cell + GAP, cell + 2 * (TEXT + 2) + GAP
    size = (columns * step + GAP, sum(TITLE + 2 * GAP + count * row for count in rows) + GAP)
    sheet = Image.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(sheet)
    font, large = font_of(TEXT), font_of(TITLE)
    y = GAP
    for (title, faces), count in zip(parts, rows, strict=True):
        draw.text((GAP, y), f"{title} {len(faces)} of {len(table.faces):,}", INK, large)
        y += TITLE + GAP
        for place, face in enumerate(faces):
            left, top = GAP + place % columns * step, y + place // columns * row
            image = made.get(key(face))
            if image is None:
                draw.rectangle((left, top, left + cell - 1, top + cell - 1), GONE)
                draw.text((left + cell // 2, top + cell // 2), "no picture", INK, font, "mm")
            else:
                corner = left + (cell - image.width) // 2, top + (cell - image.height) // 2
                sheet.paste(image, corner)
            words = f"{face.score:.2f} {face.band}"
            draw.text((left, top + cell + 2), words, COLOURS[face.band], font)
            name = fitting(face.path.replace("\\", "/").rpartition("/")[2], font, cell)
            draw.text((left, top + cell + 2 + TEXT), name, INK, font)
        y += count * row + GAP
    return sheet


def fitting(text: str, font: Font, width: int) -> str:
    """A text of at most `width` pixels: its end, since names of pictures end with numbers."""
    text = drawable(text, font)
    if font.getlength(text) <= width:
        return text
    while text and font.getlength("..." + text) > width:
        text = text[1:]
    return "..." + text
