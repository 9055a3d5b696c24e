"""Picture files: finds them in folders and opens them as upright 8-bit sRGB pixels."""

from facegauge.images.costs import MAX_PIXELS
from facegauge.images.discovery import SUFFIXES, find_pictures
from facegauge.images.loading import open_picture

__all__ = ["MAX_PIXELS", "SUFFIXES", "find_pictures", "open_picture"]
