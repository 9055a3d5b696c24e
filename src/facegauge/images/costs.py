"""What decoding a picture takes, by its format and mode: refused before it is begun if too much."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from facegauge.errors import PictureError
from facegauge.images.canvas import fits_canvas
from facegauge.images.jpeg import MAX_SCANS
from facegauge.images.memory import BUDGET

if TYPE_CHECKING:
    from PIL import Image

MAX_PIXELS = 120_000_000
"""Default limit: fits a phone's picture of 108 megapixels."""

MAX_SIDE = 65_535
"""Pictures with a longer side are too large: no camera makes them, and no face is in them."""

MAX_SLOW_PIXELS = 20_000_000
"""Of pictures that Pillow decodes in Python, which takes about a second a megapixel."""

RESULT = 3  # bytes a pixel
STORED = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2, "I;16N": 2}  # others: 4
BESIDE = {"WEBP": 12.0, "AVIF": 9.0, "HEIF": 4.7}
"""Bytes a pixel that decoders hold beside Pillow's image, measured; 10-bit colours included."""
ORIENTATION, ROWS_PER_STRIP, TILE_WIDTH, TILE_LENGTH = 274, 278, 322, 323  # TIFF tags
SAMPLE = 5  # bytes a sample of JPEG 2000: 32-bit integers, and their 8 bits


def check_size(size: tuple[int, ...], max_pixels: int) -> None:
    """Refuse a picture with too many pixels, or too long a side.

    Raises:
        PictureError: `too_large`.
    """
    if len(size) != 2:
        return
    if size[0] * size[1] > max_pixels:
        raise PictureError(
            f"the picture has {size[0]} x {size[1]} pixels, more than the limit of {max_pixels}; "
            "shrink it or raise the limit",
            status="too_large",
        )
    if max(size) > MAX_SIDE:
        raise PictureError(
            f"the picture has {size[0]} x {size[1]} pixels, with a side over {MAX_SIDE}; crop it",
            status="too_large",
        )


def cost_of(image: Image.Image, file_bytes: int, max_pixels: int) -> int:
    """The memory that opening a file through Pillow takes.

    Args:
        image: the file's header.
        file_bytes: its size, as far as it is held in memory.
        max_pixels: the limit of pixels, see `checked`.

    Returns:
        Bytes.

    Raises:
        PictureError: `too_large`, see `checked`; or decoding would take minutes.
    """
    pixels, tile = image.width * image.height, getattr(image, "tile", None)
    if tile and pixels > MAX_SLOW_PIXELS and _is_slow(tile[0][0]):
        raise PictureError(
            f"the picture has {pixels / 1e6:.0f} megapixels; of {image.format} files in this form "
            f"at most {MAX_SLOW_PIXELS / 1e6:.0f} are read; save it as PNG or JPEG",
            status="too_large",
        )
    held = STORED.get(image.mode, 4) + (0 if fits_canvas(image) else RESULT)
    size = pixels * (held + BESIDE.get(image.format or "", 0)) + file_bytes + _extra(image)
    return checked(int(size), image, max_pixels)


def cost_of_jpeg(image: Any, file_bytes: int, scans: int, max_pixels: int) -> int:
    """The memory that decoding a JPEG by libjpeg-turbo alone takes, as `cost_of`.

    Args:
        image: the file's header, as Pillow reads it.
        file_bytes: its size.
        scans: how many it has; with more than one all coefficients are held, two bytes each.
        max_pixels: see `checked`.
    """
    if scans > MAX_SCANS:
        raise PictureError(
            f"the JPEG has more than {MAX_SCANS} scans; save it again",
            status="too_large",
        )
    pixels = image.width * image.height
    bytes_a_pixel: float = RESULT + (1 if image.mode == "L" else 0)
    if scans > 1:
        areas = [across * down for _, across, down, *_ in image.layer]
        bytes_a_pixel += 2 * sum(areas) / max(*areas, 1)
    if image.mode not in ("L", "RGB"):
        bytes_a_pixel += STORED.get(image.mode, 4) - (RESULT if fits_canvas(image) else 0)
    return checked(int(pixels * bytes_a_pixel + file_bytes), image, max_pixels)


def checked(size: int, image: Image.Image, max_pixels: int) -> int:
    """A picture's cost, if it is within the limit.

    The limit is the whole budget of memory. A caller who allows more pixels than `MAX_PIXELS`
    allows more memory in proportion.

    Raises:
        PictureError: `too_large`.
    """
    limit = BUDGET * max(1.0, max_pixels / MAX_PIXELS)
    if size > limit:
        raise PictureError(
            f"decoding {image.width} x {image.height} pixels of this kind ({image.format}, "
            f"{image.mode}) takes {size / 1e9:.1f} GB of memory, more than the limit of "
            f"{limit / 1e9:.1f} GB; shrink it, save it as JPEG, or raise the limit of pixels",
            status="too_large",
        )
    return size


def _is_slow(decoder: str) -> bool:
    """Whether a decoder of Pillow is written in Python."""
    from PIL import Image

    return decoder in Image.DECODERS


def _extra(image: Any) -> int:
    """Bytes that only some formats take beside their pixels' storage."""
    pixels = image.width * image.height
    if image.format == "JPEG2000":
        return int(pixels * SAMPLE * len(image.getbands()))
    if image.format != "TIFF":
        return 0
    tags, stored = image.tag_v2, STORED.get(image.mode, 4)
    part = min(int(tags.get(ROWS_PER_STRIP, image.height)), image.height) * image.width
    if TILE_WIDTH in tags and TILE_LENGTH in tags:
        part = int(tags[TILE_WIDTH]) * int(tags[TILE_LENGTH])
    is_turned = tags.get(ORIENTATION, 1) != 1  # Pillow makes a second image of it
    return int((part + (pixels if is_turned else 0)) * stored)
