"""Thumbnails of the faces of a table, while their pictures are there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from facegauge.errors import PictureError
from facegauge.faces.lookahead import default_threads, map_ahead
from facegauge.images.loading import open_picture
from facegauge.results import Box
from facegauge.tables.faces import FaceTable, TableFace
from facegauge.visual.crops import around, cut

if TYPE_CHECKING:
    from PIL import Image


def thumbnails(
    table: FaceTable, faces: Sequence[TableFace], side: int
) -> dict[TableFaceKey, Image.Image]:
    """Thumbnails by picture and number of a face; none of those whose picture is gone.

    Each picture is opened once.

    Args:
        table: that the faces are of.
        faces: whose thumbnails are made.
        side: of the longer side of a thumbnail, in pixels.
    """
    wanted: dict[str, list[TableFace]] = {}
    for face in faces:
        wanted.setdefault(face.path, []).append(face)

    def make(path: str) -> list[tuple[TableFaceKey, Image.Image]]:
        return list(_of_picture(table.file(path), wanted[path], side))

    found: dict[TableFaceKey, Image.Image] = {}
    for made in map_ahead(make, wanted, default_threads()):
        found.update(made)
    return found


TableFaceKey = tuple[str, int]
"""Path and number of a face."""


def key(face: TableFace) -> TableFaceKey:
    return face.path, face.number


def _of_picture(
    file: Path, faces: Sequence[TableFace], side: int
) -> Iterator[tuple[TableFaceKey, Image.Image]]:
    from PIL import Image

    try:
        pixels = open_picture(file)
    except (PictureError, OSError):
        return
    height, width = pixels.shape[:2]
    for face in faces:
        box = around(face.box) if face.box else Box(0, 0, width, height)
        image = Image.fromarray(cut(pixels, box))
        scale = side / max(image.size)
        size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
        yield key(face), image.resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)
