"""The parts of JPEG and PNG files around the pixels, walked without decoding anything."""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from facegauge.errors import PictureError

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNG_PIXELS = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"acTL", b"gAMA", b"cHRM", b"sRGB"}
PNG_METADATA = ((b"eXIf", b"iCCP"), (b"eXIf",), ())  # what is kept, in the order of attempts


_MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")  # in coded pixels others may stand
MAX_METADATA = 16_000_000  # bytes; of more, only what the pixels need is kept
MAX_PARTS = 200_000  # of a file; its parts are walked in Python


@dataclass(frozen=True, slots=True)
class Part:
    """A marker segment of a JPEG file before its pixels, or a chunk of a PNG file.

    Attributes:
        name: 0xE1 for EXIF in a JPEG, and so on; four bytes in a PNG.
        start, end: where it lies, with its name, length and, in a PNG, checksum. The end may be
            beyond that of the file.
        is_first: whether it is the first with this name.
    """

    name: int | bytes
    start: int
    end: int
    is_first: bool


def jpeg_segments(data: bytes) -> Iterator[Part]:
    """The segments from the start of the file to its first scan; ends where the file is broken.

    Raises:
        PictureError: `too_large`, there are too many.
    """
    place, seen, steps = 2, set[int](), 0
    while place + 4 <= len(data) and data[place] == 0xFF:
        steps = _counted(steps)
        marker = data[place + 1]
        if marker == 0xFF:  # fill byte
            place += 1
            continue
        if marker in (0xDA, 0xD9):  # start of scan, end of image
            return
        end = place + 2 + int.from_bytes(data[place + 2 : place + 4], "big")
        yield Part(marker, place, end, marker not in seen)
        seen.add(marker)
        place = end


def jpeg_scans(data: bytes, most: int) -> int:
    """The number of scans of a JPEG file, counted no further than just over `most`."""
    segments = list(jpeg_segments(data))
    place, scans, steps = segments[-1].end if segments else 2, 0, 0
    while scans <= most and (found := _MARKER.search(data, place)):
        steps = _counted(steps)
        marker, place = data[found.end() - 1], found.end()
        if marker == 0xD9:
            break
        scans += marker == 0xDA
        place += int.from_bytes(data[place : place + 2], "big")
    return scans


def png_chunks(file: BinaryIO) -> list[Part]:
    """The chunks of a PNG file, up to its end marker; ends where the file is broken.

    Raises:
        PictureError: `too_large`, there are too many.
    """
    size, place = file.seek(0, os.SEEK_END), len(PNG_SIGNATURE)
    chunks, seen = list[Part](), set[bytes]()
    while place + 12 <= size and b"IEND" not in seen:
        _counted(len(chunks))
        file.seek(place)
        head = file.read(8)
        name, end = head[4:], place + 12 + int.from_bytes(head[:4], "big")
        chunks.append(Part(name, place, end, name not in seen))
        seen.add(name)
        place = end
    return chunks


def png_pixels(file: BinaryIO, chunks: Iterable[Part], kept: tuple[bytes, ...]) -> bytes:
    """A PNG file with the chunks that its pixels need, and sound chunks of a few other names.

    Chunks that are needed are kept as they are, so that real damage is still found.

    Args:
        file: the file.
        chunks: of the file.
        kept: names of other chunks that stay, if their checksum is right.
    """
    parts = [PNG_SIGNATURE]
    for chunk in chunks:
        if chunk.name in PNG_PIXELS or (
            chunk.name in kept and chunk.end - chunk.start <= MAX_METADATA
        ):
            file.seek(chunk.start)
            data = file.read(chunk.end - chunk.start)
            sound = zlib.crc32(data[4:-4]) == int.from_bytes(data[-4:], "big")
            if chunk.name in PNG_PIXELS or sound:
                parts.append(data)
    return b"".join(parts)


def _counted(steps: int) -> int:
    if steps >= MAX_PARTS:
        raise PictureError(
            f"the file has more than {MAX_PARTS} parts; save it again without metadata",
            status="too_large",
        )
    return steps + 1
