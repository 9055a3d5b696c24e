"""TIFF: which page is the picture, and what Pillow cannot decode."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from facegauge.errors import PictureError
from facegauge.images.formats import RAW

if TYPE_CHECKING:
    from PIL import Image

NEW_SUBFILE_TYPE, SUBFILE_TYPE, BITS, PLANAR = 254, 255, 258, 284
SUB_IFDS, DNG_VERSION = 330, 50706
REDUCED = 1  # bit of NewSubfileType: a smaller version of another page
SEPARATE = 2  # value of PlanarConfiguration
MAX_PAGES = 64  # that are looked at


def choose_page(image: Image.Image) -> None:
    """Move to the page that is the picture, not a preview of it; the first if all are.

    Raises:
        PictureError: a camera raw file, of which only the preview can be read; or pixels in a form
            that Pillow decodes wrongly.
    """
    pages: Any = image
    if not any(not _is_preview(pages.tag_v2) for _ in _pages(pages)):
        pages.seek(0)
        if DNG_VERSION in pages.tag_v2 or SUB_IFDS in pages.tag_v2:
            raise PictureError(f"this is {RAW}")
    _refuse_separate_planes(pages.tag_v2)


def _pages(image: Any) -> Iterator[int]:
    """Move to each page in turn."""
    for page in range(MAX_PAGES):
        try:
            image.seek(page)
        except EOFError:
            return
        yield page


def _is_preview(tags: Any) -> bool:
    return bool(int(tags.get(NEW_SUBFILE_TYPE, 0)) & REDUCED) or tags.get(SUBFILE_TYPE) == 2


def _refuse_separate_planes(tags: Any) -> None:
    bits = tags.get(BITS, (8,))
    depth = max(bits if isinstance(bits, tuple) else (bits,))
    if tags.get(PLANAR) == SEPARATE and depth > 8:
        raise PictureError(
            f"a TIFF with separate colour planes of {depth} bits, which Pillow decodes wrongly; "
            "save it with interleaved channels"
        )
