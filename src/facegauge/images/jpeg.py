"""JPEG: decoded by libjpeg-turbo through simplejpeg, whose remarks on damage are kept.

Pillow decodes the same pixels, but drops the decoder's remarks: a file with a hole, or cut short
and ended anew, then looks like a sound one.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from facegauge.errors import PictureError
from facegauge.images.metadata import Segment, jpeg_segments

END = b"\xff\xd9"
MISSING_END = "Premature end of JPEG file"
FATAL = ("premature end", "bad Huffman code", "Bogus", "Unsupported", "not a JPEG")
MAX_METADATA = 16_000_000  # bytes before the pixels; more is dropped


def decode(data: bytes, color: Literal["RGB", "GRAY"]) -> tuple[np.ndarray, str]:
    """Decode a JPEG file.

    Args:
        data: the file.
        color: RGB, or GRAY for a picture of one channel.

    Returns:
        (H, W, 3) or (H, W, 1) uint8, as stored (not turned upright); and what the decoder remarked,
        empty for a sound file.

    Raises:
        PictureError: pixels are missing or wrong.
    """
    import simplejpeg

    try:
        return simplejpeg.decode_jpeg(data, color, strict=True), ""
    except ValueError as error:
        remark = " ".join(str(error).split())
    if remark == MISSING_END:
        try:  # all pixels may be there, and only the last marker missing
            pixels = simplejpeg.decode_jpeg(data + END, color, strict=True)
            return pixels, "the file lacks its end marker; all pixels are there"
        except ValueError as error:
            remark = " ".join(str(error).split())
    if any(word in remark for word in FATAL):
        raise PictureError(f"the JPEG is damaged or truncated, pixels are missing: {remark}")
    pixels = simplejpeg.decode_jpeg(data, color, strict=False)
    return pixels, f"the JPEG decoder remarks: {remark}"


def without_bulk(data: bytes) -> bytes:
    """The file without its metadata but EXIF, where they are larger than `MAX_METADATA`."""
    segments = list(jpeg_segments(data))
    if sum(len(segment.data) for segment in segments) <= MAX_METADATA:
        return data
    start, end = segments[0].start, segments[-1].start + len(segments[-1].data)
    kept = b"".join(segment.data for segment in segments if _is_needed(segment))
    return data[:start] + kept + data[end:]


def _is_needed(segment: Segment) -> bool:
    """Whether the picture would look otherwise without the segment; profiles aside."""
    is_metadata = 0xE1 <= segment.marker <= 0xEF or segment.marker == 0xFE
    is_exif = segment.marker == 0xE1 and segment.data[4:10] == b"Exif\0\0"
    is_adobe = segment.marker == 0xEE  # how the channels are stored
    return not is_metadata or (is_exif and segment.is_first) or is_adobe
