"""Saves annotated copies and faces of pictures while they are scored."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from facegauge.errors import PictureError
from facegauge.faces.lookahead import map_ahead
from facegauge.faces.spec import PreprocessSpec
from facegauge.images.costs import MAX_PIXELS
from facegauge.images.loading import open_picture
from facegauge.placing import Place
from facegauge.results import ImageScore, Status
from facegauge.visual.crops import cut_out
from facegauge.visual.drawing import annotate

if TYPE_CHECKING:
    from PIL import Image

logger = logging.getLogger(__name__)

JPEG = (".jpg", ".jpeg", ".jpe", ".jfif")
QUALITY = 92  # of annotated copies; faces are lossless
UNOPENED = (Status.UNREADABLE, Status.TOO_LARGE, Status.ERROR)


def saving(
    results: Iterable[ImageScore],
    spec: PreprocessSpec,
    *,
    annotated: Place | None = None,
    crops: Place | None = None,
    max_pixels: int = MAX_PIXELS,
) -> Iterator[ImageScore]:
    """The same results; their pictures are saved as they pass.

    One picture is open at a time, in a thread beside the scoring. A picture that is gone or cannot
    be opened again is named in the log.

    Args:
        results: of pictures in files.
        spec: of the scorer, for the frames of faces.
        annotated: for JPEG copies with boxes, numbers and scores, of every picture that was opened.
        crops: for a PNG file of each scored face, `NAME-face0.png` and so on.
        max_pixels: as for the scorer.

    Raises:
        UsageError: a file cannot be written.
    """

    def save(result: ImageScore) -> ImageScore:
        if result.status not in UNOPENED:
            try:
                _save(result, spec, annotated, crops, max_pixels)
            except PictureError as error:
                logger.warning("%s: not drawn: %s", result.path, error)
        return result

    return map_ahead(save, results, 1) if annotated or crops else iter(results)


def _save(
    result: ImageScore,
    spec: PreprocessSpec,
    annotated: Place | None,
    crops: Place | None,
    max_pixels: int,
) -> None:
    from PIL import Image

    picture = Path(result.path)
    pixels = open_picture(picture, max_pixels)
    if crops:
        for number, face in enumerate(result.faces):
            image = Image.fromarray(cut_out(pixels, face.face, spec))
            name = f"{picture.stem}-face{number}.png"
            crops.write(picture, name, _saver(image, "PNG", compress_level=3))
    if annotated:
        name = picture.name if picture.suffix.lower() in JPEG else f"{picture.name}.jpg"
        image = annotate(pixels, result)
        save = _saver(image, "JPEG", quality=QUALITY, subsampling=0)
        annotated.write(picture, name, save)


def _saver(image: Image.Image, kind: str, **options: int) -> Callable[[Path], None]:
    def save(path: Path) -> None:
        with path.open("wb") as file:
            image.save(file, kind, **options)

    return save
