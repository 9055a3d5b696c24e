"""Whether pictures that are taken whole look like photos, not like framed faces."""

from __future__ import annotations

import logging
from collections.abc import Sequence

logger = logging.getLogger(__name__)

WIDEST, TALLEST = 1.15, 1.6  # width / height and height / width of framed faces; squares are some
LONGEST = 1500  # pixels of the longer side; crops of public data sets have 1,024 at most
SHARE = 0.2  # of the pictures, from which on it is said


def like_photo(width: int, height: int) -> bool:
    """Whether a picture of this size, in pixels, is unlikely to be a framed face."""
    shape = width > WIDEST * height or height > TALLEST * width
    return shape or max(width, height) > LONGEST


def warn_of_photos(sizes: Sequence[tuple[int, int]]) -> None:
    """Log a warning if a fifth of pictures that were taken whole, or more, look like photos.

    Args:
        sizes: width and height of each, in pixels.
    """
    count = sum(like_photo(*size) for size in sizes)
    if count and count >= SHARE * len(sizes):
        logger.warning(
            "%d of %d pictures were taken whole, as framed faces, and have the shape or size of "
            "photos: read them with --faces auto (calibrate: --photos)",
            count,
            len(sizes),
        )
