"""Lets Pillow decode large pictures into memory that the result then takes over.

Pillow keeps most pictures in four bytes a pixel, the result has three. Both at once would be too
much for a picture of 100 megapixels. So the result is written over the memory of Pillow's image,
from the top down: what is written of it always ends before the rows that are still to be read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from facegauge.arrays import Pixels

if TYPE_CHECKING:
    from PIL import Image

LARGE = 20_000_000
"""Pixels; smaller pictures are decoded in the usual way, which takes a copy of them."""

ORIENTATION = 274  # TIFF tag
NARROW = ("1", "L", "P", "I;16", "I;16B", "I;16L", "I;16N")  # one or two bytes a pixel


def fits_canvas(image: Image.Image) -> bool:
    """Whether an image is large, has four bytes a pixel, and is not decoded yet."""
    return (
        image.width * image.height > LARGE
        and image.mode not in NARROW
        and getattr(image, "_im", image) is None
        and getattr(image, "tag_v2", {}).get(ORIENTATION, 1) == 1  # else Pillow turns it itself
        and _map_buffer() is not None
    )


def load(image: Image.Image) -> Pixels | None:
    """Decode an image.

    Returns:
        An array (H, W, 3) of uint8 in the image's own memory, still to be filled with the image's
        rows in their order; None if it has to be made.
    """
    if not fits_canvas(image):
        image.load()
        return None
    size, header, mapping = image.size, _as_any(image), _as_any(_map_buffer())
    canvas = np.empty(size[0] * size[1] * 4, np.uint8)
    header.im = mapped = mapping(canvas, size, "raw", 0, (image.mode, 0, 1))
    image.load()
    if header.im is not mapped or image.size != size:  # some formats make their own
        return None
    return canvas[: size[0] * size[1] * 3].reshape(size[1], size[0], 3)


def _map_buffer() -> Any:
    """Makes an image on foreign memory; None where Pillow, which does not promise it, lacks it."""
    from PIL import Image

    return getattr(_as_any(Image).core, "map_buffer", None)


def _as_any(thing: Any) -> Any:
    return thing
