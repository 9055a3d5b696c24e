"""The parts of JPEG and PNG files around the pixels, walked without decoding anything."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNG_PIXELS = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"acTL", b"gAMA", b"cHRM", b"sRGB"}
PNG_METADATA = ((b"eXIf", b"iCCP"), (b"eXIf",), ())  # what is kept, in the order of attempts


@dataclass(frozen=True, slots=True)
class Segment:
    """A marker segment of a JPEG file before its pixels.

    Attributes:
        marker: its second byte, such as 0xE1 for EXIF.
        start: offset in the file.
        data: marker, length and content.
        is_first: whether it is the first with this marker.
    """

    marker: int
    start: int
    data: bytes
    is_first: bool


def jpeg_segments(data: bytes) -> Iterator[Segment]:
    """The segments from the start of the file to its first scan; ends where the file is broken."""
    place, seen = 2, set[int]()
    while place + 4 <= len(data) and data[place] == 0xFF:
        marker = data[place + 1]
        if marker == 0xFF:  # fill byte
            place += 1
            continue
        if marker in (0xDA, 0xD9):  # start of scan, end of image
            return
        length = 2 + int.from_bytes(data[place + 2 : place + 4], "big")
        yield Segment(marker, place, data[place : place + length], marker not in seen)
        seen.add(marker)
        place += length


def png_pixels(data: bytes, kept: tuple[bytes, ...]) -> bytes:
    """A PNG file with the chunks that its pixels need, and sound chunks of a few other names.

    Chunks that are needed are kept as they are, so that real damage is still found.

    Args:
        data: the file.
        kept: names of other chunks that stay, if their checksum is right.
    """
    parts, place = [PNG_SIGNATURE], len(PNG_SIGNATURE)
    while place + 12 <= len(data):
        length = int.from_bytes(data[place : place + 4], "big")
        name, end = data[place + 4 : place + 8], place + 12 + length
        chunk = data[place:end]
        sound = zlib.crc32(chunk[4:-4]) == int.from_bytes(chunk[-4:], "big")
        if name in PNG_PIXELS or (name in kept and sound):
            parts.append(chunk)
        place = end
    return b"".join(parts)
