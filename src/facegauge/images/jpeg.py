"""JPEG: decoded by libjpeg-turbo through simplejpeg, whose remarks on damage are kept.

Pillow decodes the same pixels, but drops the decoder's remarks: a file with a hole, or cut short
and ended anew, then looks like a sound one.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from facegauge.errors import PictureError
from facegauge.images.metadata import MAX_METADATA, Part, jpeg_scans, jpeg_segments

END = b"\xff\xd9"
MISSING_END = "Premature end of JPEG file"
FATAL = ("premature end", "bad Huffman code", "Bogus", "Unsupported", "not a JPEG")
MAX_SCANS = 100  # progressive files have about ten; each is a pass over all pixels
MAX_BYTES = 300_000_000  # of a file; the largest of 120 megapixels have less


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


def scans(data: bytes, image: Any) -> int:
    """The number of scans that the decoder reads of a file, counted no further than `MAX_SCANS`.

    Args:
        data: the file.
        image: its header, as Pillow reads it.
    """
    *_, last = (2, *(part.end for part in jpeg_segments(data)))
    scan = data[last : last + 5]
    all_at_once = scan[:2] == b"\xff\xda" and scan[4:] == bytes([image.layers])
    if all_at_once and not image.info.get("progressive"):
        return 1
    return jpeg_scans(data, MAX_SCANS)


def without_bulk(data: bytes) -> bytes:
    """The file without its metadata but EXIF, where they are larger than `MAX_METADATA`."""
    segments = list(jpeg_segments(data))
    if not segments or segments[-1].end - segments[0].start <= MAX_METADATA:
        return data
    kept = [data[part.start : part.end] for part in segments if _is_needed(data, part)]
    return b"".join([data[: segments[0].start], *kept, data[segments[-1].end :]])


def _is_needed(data: bytes, segment: Part) -> bool:
    """Whether the picture would look otherwise without the segment; profiles aside."""
    marker = int(segment.name)
    is_metadata = 0xE1 <= marker <= 0xEF or marker == 0xFE
    is_exif = marker == 0xE1 and data[segment.start + 4 : segment.start + 10] == b"Exif\0\0"
    is_adobe = marker == 0xEE  # how the channels are stored
    return not is_metadata or (is_exif and segment.is_first) or is_adobe
