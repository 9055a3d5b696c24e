"""Pictures to time: small faces, photos of 12 megapixels, pictures of many sizes; all JPEG."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from itertools import cycle, islice
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from facegauge.errors import UsageError
from facegauge.faces.detection import CenterFace
from facegauge.faces.framing import frame_around
from facegauge.faces.sampling import sample
from facegauge.faces.spec import PreprocessSpec
from facegauge.images.discovery import find_pictures
from facegauge.images.loading import open_picture
from facegauge.results import Box

EXAMPLE = Path(__file__).parent.parent / "examples" / "astronaut.jpg"
FACE = (178, 218)
PHOTO = (4000, 3000)
DISTINCT = 8  # pictures that are made; the rest of a folder repeats them


def faces(source: Path | None, folder: Path, n: int) -> list[Path]:
    """n framed faces of 178 x 218: pictures of a folder, or cut from the example picture."""
    folder.mkdir()
    made = _from_folder(source, n) if source else _cut_from_example()
    return _fill(folder, made, n)


def photos(source: Path | None, folder: Path, n: int, noise: float) -> list[Path]:
    """n photos of 4000 x 3000: enlarged portraits, JPEG quality 90.

    Args:
        noise: standard deviation of added noise, in grey levels. An enlarged picture is smooth
            and its file small; with noise it has the size and decoding time of a camera's.
    """
    folder.mkdir()
    rng = np.random.default_rng(0)

    def enlarged() -> Iterator[Image.Image]:
        for path in _pictures(source or EXAMPLE, min(n, DISTINCT)):
            portrait = Image.fromarray(open_picture(path))
            photo = ImageOps.fit(portrait, PHOTO, Image.Resampling.BICUBIC, centering=(0.5, 0.35))
            added = rng.standard_normal((PHOTO[1], PHOTO[0], 1), np.float32) * noise
            yield Image.fromarray(np.clip(np.asarray(photo) + added, 0, 255).astype(np.uint8))

    return _fill(folder, enlarged(), n)


def many_sizes(made: Sequence[Path], folder: Path) -> list[Path]:
    """Faces at 3/4 to 3 times their size, up to a tenth wider or narrower."""
    folder.mkdir()
    rng = np.random.default_rng(0)

    def scaled() -> Iterator[Image.Image]:
        for path in made:
            scale, breadth = rng.uniform(0.75, 3), rng.uniform(0.9, 1.1)
            size = round(FACE[0] * scale * breadth), round(FACE[1] * scale)
            yield Image.open(path).resize(size, Image.Resampling.BICUBIC)

    return _fill(folder, scaled(), len(made))


def _from_folder(source: Path, n: int) -> Iterator[Image.Image | Path]:
    for path in _pictures(source, n):
        with Image.open(path) as picture:
            exact = picture.size == FACE and picture.format == "JPEG"
        yield path if exact else ImageOps.fit(Image.fromarray(open_picture(path)), FACE)


def _cut_from_example() -> Iterator[Image.Image]:
    pixels = open_picture(EXAMPLE)
    spec = PreprocessSpec(*FACE)
    frame = frame_around(CenterFace()(pixels)[0], spec)
    for right, down in np.random.default_rng(0).uniform(-0.02, 0.02, (DISTINCT, 2)):
        x, y = right * frame.width, down * frame.height
        moved = Box(frame.left + x, frame.top + y, frame.right + x, frame.bottom + y)
        yield Image.fromarray(sample(pixels, moved, spec))


def _pictures(source: Path, n: int) -> list[Path]:
    found = [Path(path) for path in islice(find_pictures([source]), n)]
    if not found or not all(path.is_file() for path in found):
        raise UsageError(f"expected pictures in {source}, found none")
    return found


def _fill(folder: Path, made: Iterator[Image.Image | Path], n: int) -> list[Path]:
    """Write pictures, each once, then repeat them up to n files."""
    written: list[Path] = []
    for number, one in enumerate(made):
        path = folder / f"{number:05}.jpg"
        if isinstance(one, Path):
            shutil.copyfile(one, path)
        else:
            one.save(path, quality=90)
        written.append(path)
    for number, path in zip(range(len(written), n), cycle(list(written)), strict=False):
        written.append(Path(shutil.copyfile(path, folder / f"{number:05}.jpg")))
    return written
