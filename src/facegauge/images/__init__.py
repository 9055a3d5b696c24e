"""Picture files: finds them in folders and opens them as upright 8-bit sRGB pixels."""

from facegauge.images.discovery import SUFFIXES, find_pictures
from facegauge.images.loading import MAX_PIXELS, open_picture

__all__ = ["MAX_PIXELS", "SUFFIXES", "find_pictures", "open_picture"]
