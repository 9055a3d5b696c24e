"""Opens pictures of any format, within limits, as upright 8-bit sRGB pixels."""

from __future__ import annotations

import io
import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from facegauge.arrays import Pixels
from facegauge.errors import PictureError
from facegauge.images.pixels import from_array, from_image
from facegauge.images.sources import from_tensor, is_tensor

if TYPE_CHECKING:
    from PIL import Image

    from facegauge.images.sources import Picture

MAX_PIXELS = 120_000_000
"""Default limit: fits a phone's picture of 108 megapixels, which takes 0.4 GB when decoded."""

HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
AVIF_BRANDS = {b"avif", b"avis"}

_pillow_limit = threading.Lock()


def open_picture(source: Picture, max_pixels: int = MAX_PIXELS) -> Pixels:
    """Open a picture as upright 8-bit sRGB pixels.

    The first frame is turned upright (EXIF), converted to sRGB if a valid colour profile is
    embedded, and transparent parts show white. Grey pictures get three equal channels; of 16-bit
    values the upper 8 bits are kept. Floating-point files are read as 0..1, 0..255 or 0..65535,
    and files of 32-bit integers as 0..255 or 0..65535: the smallest range that contains the
    largest value.

    Args:
        source: a path; the bytes of a picture file, or an open binary file; a PIL image; an array
            (H, W), (H, W, 1), (H, W, 3) RGB or (H, W, 4) RGBA of uint8, uint16, or floats in 0..1;
            or a torch tensor, which may also have its channels first, see `sources.from_tensor`.
        max_pixels: maximum number of pixels, compared with the size in the file's header, so that
            a larger picture is never decoded.

    Returns:
        (H, W, 3) uint8, RGB. The array may be read-only; an array in this form is not copied.

    Raises:
        PictureError: with status `too_large` or, for all other reasons, `unreadable`. The message
            is one line.
    """
    from PIL import Image

    try:
        if is_tensor(source):
            source = from_tensor(source)
        if isinstance(source, np.ndarray):
            _check_size(source.shape[1::-1], max_pixels)
            return from_array(source)
        if isinstance(source, Image.Image):
            _check_size(source.size, max_pixels)
            return from_image(source)
        with _open_file(source) as file, _open_header(file) as image:
            _check_size(image.size, max_pixels)
            return from_image(image)
    except PictureError:
        raise
    except MemoryError as error:
        raise PictureError("not enough memory to open the picture") from error
    except Exception as error:  # decoders raise anything: SyntaxError, struct.error, zlib.error...
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        raise PictureError(f"the picture is damaged or truncated: {reason}") from error


def _check_size(size: tuple[int, ...], max_pixels: int) -> None:
    if len(size) == 2 and size[0] * size[1] > max_pixels:
        raise PictureError(
            f"the picture has {size[0]} x {size[1]} pixels, more than the limit of {max_pixels}; "
            "shrink it or raise the limit",
            status="too_large",
        )


def _open_file(source: Any) -> BinaryIO:
    if isinstance(source, bytes | bytearray | memoryview):
        return io.BytesIO(source)
    if hasattr(source, "read"):
        return io.BytesIO(source.read())
    if not isinstance(source, str | os.PathLike):
        raise PictureError(
            "expected a path, the bytes of a picture file, an open binary file, a PIL image, a "
            f"numpy array or a torch tensor, got {type(source).__name__}"
        )
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
        dangling = path.is_symlink()
        raise PictureError(
            "this is a link to a file that does not exist" if dangling else "no such file"
        ) from None
    except OSError as error:
        raise PictureError(f"cannot be opened: {error.strerror or error}") from error


def _open_header(file: BinaryIO) -> Image.Image:
    """Open a file by its content, whatever its name is; reads the header only."""
    from PIL import Image, UnidentifiedImageError

    start = file.read(32)
    file.seek(0)
    brands = _brands(start)
    if brands & HEIC_BRANDS and not brands & AVIF_BRANDS:  # both formats may list the brand mif1
        _allow_heic()
    try:
        with _no_pillow_limit():
            image = Image.open(file)
    except UnidentifiedImageError:
        if not start:
            raise PictureError("the file is empty") from None
        if brands & AVIF_BRANDS:
            raise PictureError(
                "this Pillow cannot read AVIF: pip install --upgrade pillow"
            ) from None
        raise PictureError("the file is not a picture of a known format, or is damaged") from None
    if image.format == "EPS":  # decoding would start Ghostscript
        raise PictureError("this is a PostScript drawing, not a picture")
    return image


def _brands(start: bytes) -> set[bytes]:
    """The brands of an ISO media file, from its first bytes; empty for other files."""
    if start[4:8] != b"ftyp":
        return set()
    size = int.from_bytes(start[:4], "big")
    return {start[8:12], *(start[i : i + 4] for i in range(16, min(size, len(start)), 4))}


@lru_cache(maxsize=1)
def _allow_heic() -> None:
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        raise PictureError(
            "HEIC pictures need the [heic] extra: pip install 'facegauge[heic]'"
        ) from None
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
