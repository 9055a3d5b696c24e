"""Opens pictures of any format, within limits, as upright 8-bit sRGB pixels."""

from __future__ import annotations

import io
import os
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from facegauge.arrays import Pixels
from facegauge.errors import PictureError, extra_to_install
from facegauge.images import jpeg
from facegauge.images.bounded import MAX_HEADER, BoundedFile
from facegauge.images.costs import MAX_PIXELS, check_size, cost_of, cost_of_jpeg
from facegauge.images.formats import (
    AVIF_BRANDS,
    FORMATS,
    HEIC_BRANDS,
    START,
    TIFF_STARTS,
    brands,
    refuse_other_kinds,
)
from facegauge.images.metadata import (
    MAX_METADATA,
    PNG_METADATA,
    PNG_PIXELS,
    PNG_SIGNATURE,
    png_chunks,
    png_pixels,
)
from facegauge.images.pixels import from_array, from_decoded, from_image
from facegauge.images.remedies import for_path, is_text
from facegauge.images.sources import from_tensor, is_tensor
from facegauge.images.tiff import choose_page

if TYPE_CHECKING:
    from PIL import Image

    from facegauge.images.sources import Picture

MAX_BYTES = 1_000_000_000
"""Larger files are not read."""

_pillow_limit = threading.Lock()


@dataclass(frozen=True, slots=True)
class Opened:
    """A picture and what a person should know of its file.

    Attributes:
        pixels: (H, W, 3) uint8, RGB, upright.
        note: one line, such as a remark of the decoder on damage; empty if there is nothing.
    """

    pixels: Pixels
    note: str = ""


def open_picture(source: Picture, max_pixels: int = MAX_PIXELS) -> Pixels:
    """Open a picture as upright 8-bit sRGB pixels; `read_picture` without its note."""
    return read_picture(source, max_pixels).pixels


def read_picture(
    source: Picture,
    max_pixels: int = MAX_PIXELS,
    admit: Callable[[int], None] = lambda size: None,
) -> Opened:
    """Open a picture as upright 8-bit sRGB pixels, with the decoder's remarks.

    The first frame (of a TIFF the first page that is no preview) is turned upright (EXIF) and
    converted to sRGB if a valid colour profile is embedded, and transparent parts show white. Grey
    pictures get three equal channels; of 16-bit values the upper 8 bits are kept. Floating-point
    files are read as 0..1, 0..255 or 0..65535, and files of 32-bit integers as 0..255 or 0..65535:
    the smallest range that contains the largest value.

    Args:
        source: a path; the bytes of a picture file, or an open binary file; a PIL image; an array
            (H, W), (H, W, 1), (H, W, 3) RGB or (H, W, 4) RGBA of uint8, uint16, or floats in 0..1;
            or a torch tensor, which may also have its channels first, see `sources.from_tensor`.
        max_pixels: maximum number of pixels, compared with the size in the file's header, so that
            a larger picture is never decoded.
        admit: called with the memory in bytes that the next step takes, before it; may wait.

    Returns:
        The pixels and a note. The array may be read-only; an array in this form is not copied.

    Raises:
        PictureError: with status `too_large` or, for all other reasons, `unreadable`. The message
            is one line.
    """
    from PIL import Image

    try:
        if is_tensor(source):
            source = from_tensor(source)
        if isinstance(source, np.ndarray):
            check_size(source.shape[1::-1], max_pixels)
            return Opened(from_array(source))
        if isinstance(source, Image.Image):
            check_size(source.size, max_pixels)
            return Opened(from_image(source))
        with _open_file(source) as file:
            return _read(file, max_pixels, admit)
    except PictureError:
        raise
    except MemoryError as error:
        raise PictureError("not enough memory to open the picture") from error
    except Exception as error:  # decoders raise anything: SyntaxError, struct.error, zlib.error...
        raise PictureError(_damage(error)) from error


def _damage(error: Exception) -> str:
    reason = " ".join(str(error).split())[:160] or type(error).__name__
    return f"the picture is damaged or truncated: {reason}"


def _read(file: BinaryIO, max_pixels: int, admit: Callable[[int], None]) -> Opened:
    """Decode an open file."""
    start = file.read(START)
    refuse_other_kinds(start)
    size = file.seek(0, os.SEEK_END)
    is_jpeg = start.startswith(b"\xff\xd8\xff")
    most = jpeg.MAX_BYTES if is_jpeg else MAX_BYTES
    if size > most:
        raise PictureError(
            f"the file has {size / 1e9:.1f} GB, more than the limit of {most / 1e9:g} GB",
            status="too_large",
        )
    file.seek(0)
    admit(2 * min(size, MAX_HEADER))
    if is_jpeg:
        return _read_jpeg(file.read(), max_pixels, admit)
    if start.startswith(PNG_SIGNATURE):
        return _read_png(file, max_pixels, admit)
    with _open_header(bounded := BoundedFile(file), start) as image:
        check_size(image.size, max_pixels)
        if image.format == "TIFF":
            choose_page(image)
            check_size(image.size, max_pixels)
        admit(cost_of(image, 2 * bounded.used, max_pixels))
        bounded.release()
        return Opened(from_image(image))


def _read_png(file: BinaryIO, max_pixels: int, admit: Callable[[int], None]) -> Opened:
    """Decode a PNG; where its metadata are the trouble, without them."""
    chunks = png_chunks(file)
    metadata = sum(chunk.end - chunk.start for chunk in chunks if chunk.name not in PNG_PIXELS)
    attempts = PNG_METADATA if metadata > MAX_METADATA else (None, *PNG_METADATA)
    damage = ""  # in words: the error itself would hold on to the frames with the pixels
    for kept in attempts:
        data = None if kept is None else png_pixels(file, chunks, kept)
        file.seek(0)
        try:
            with _open_image(file if data is None else io.BytesIO(data)) as image:
                check_size(image.size, max_pixels)
                admit(cost_of(image, metadata if data is None else len(data), max_pixels))
                return Opened(from_image(image))
        except (PictureError, MemoryError):
            raise
        except Exception as error:  # too much text, a profile too large, a wrong checksum, ...
            damage = damage or _damage(error)
    raise PictureError(damage)


def _read_jpeg(data: bytes, max_pixels: int, admit: Callable[[int], None]) -> Opened:
    data = jpeg.without_bulk(data)
    with _open_header(bounded := BoundedFile(io.BytesIO(data)), data[:START]) as image:
        check_size(image.size, max_pixels)
        scans = jpeg.scans(data, image)
        admit(cost_of_jpeg(image, len(data), scans, max_pixels))
        if image.mode not in ("RGB", "L"):
            bounded.release()
            return Opened(from_image(image))
        pixels, note = jpeg.decode(data, "RGB" if image.mode == "RGB" else "GRAY")
        return Opened(from_decoded(pixels, image), note)


def _open_file(source: Any) -> BinaryIO:
    if isinstance(source, bytes | bytearray | memoryview):
        return io.BytesIO(source)
    if is_text(source):
        raise PictureError("this file is open as text; open it in binary mode, 'rb'")
    if hasattr(source, "read"):
        return io.BytesIO(source.read())
    if not isinstance(source, str | os.PathLike):
        raise PictureError(
            "expected a path, the bytes of a picture file, an open binary file, a PIL image, a "
            f"numpy array or a torch tensor, got {type(source).__name__}"
        )
    if not os.fspath(source):
        raise PictureError("the path is empty")
    path = Path(source)
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            os.scandir(path).close()
            raise PictureError("this is a folder, not a picture")
        if not stat.S_ISREG(mode):
            raise PictureError("this is not a regular file")
        return path.open("rb")
    except FileNotFoundError:
        if path.is_symlink():
            raise PictureError("this is a link to a file that does not exist") from None
        raise PictureError(f"no such file{for_path(source)}") from None
    except OSError as error:
        raise PictureError(f"cannot be opened: {error.strerror or error}") from error


def _open_header(file: BinaryIO | BoundedFile, start: bytes) -> Image.Image:
    """Open a file by its content, whatever its name is; reads the header only."""
    from PIL import UnidentifiedImageError

    found = brands(start)
    if found & HEIC_BRANDS and not found & AVIF_BRANDS:  # both formats may list the brand mif1
        _allow_heic()
    try:
        return _open_image(file)
    except UnidentifiedImageError:
        if found & AVIF_BRANDS and not _reads_avif():
            raise PictureError(
                "this Pillow cannot read AVIF: pip install --upgrade pillow"
            ) from None
        if start.startswith(TIFF_STARTS):
            raise PictureError("a TIFF in a form that Pillow cannot read, or damaged") from None
        raise PictureError("the file is not a picture of a known format, or is damaged") from None


def _open_image(file: Any) -> Image.Image:
    from PIL import Image, UnidentifiedImageError

    with _no_pillow_limit():
        Image.preinit()  # the most common formats; loading all takes longer
        try:
            return Image.open(file, formats=[name for name in FORMATS if name in Image.OPEN])
        except UnidentifiedImageError:
            Image.init()
            file.seek(0)
            return Image.open(file, formats=[name for name in FORMATS if name in Image.OPEN])


def _reads_avif() -> bool:
    from PIL import features

    return bool(features.check("avif"))


@lru_cache(maxsize=1)
def _allow_heic() -> None:
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        raise PictureError(f"HEIC pictures need {extra_to_install('heic')}") from None
    register_heif_opener()


@contextmanager
def _no_pillow_limit() -> Iterator[None]:
    """Disables Pillow's own pixel limit, which is global, while a header is read."""
    from PIL import Image

    with _pillow_limit:
        limit = Image.MAX_IMAGE_PIXELS
        Image.MAX_IMAGE_PIXELS = None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = limit
