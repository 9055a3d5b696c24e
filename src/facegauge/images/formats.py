"""Which file formats are read, and what other files are, by their first bytes."""

from __future__ import annotations

from facegauge.errors import PictureError

FORMATS = (
    *("JPEG", "MPO", "PNG", "WEBP", "BMP", "DIB", "GIF", "TIFF", "AVIF", "HEIF"),
    *("JPEG2000", "PSD", "TGA", "QOI", "PPM"),
)
"""Pillow's names of the formats that are read, AVIF before HEIF, whose plugin takes it too."""

START = 32  # bytes that tell what a file is

HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
AVIF_BRANDS = {b"avif", b"avis"}
VIDEO_BRANDS = {b"isom", b"iso2", b"mp41", b"mp42", b"avc1", b"qt  ", b"M4V ", b"3gp4", b"3gp5"}

RAW = "a camera raw file; convert it to JPEG, PNG or TIFF first"
UNREADABLE = (
    # (offset, bytes, what the file is)
    (8, b"CR\x02", RAW),  # Canon CR2
    (0, b"IIRO", RAW),  # Olympus ORF
    (0, b"IIRS", RAW),
    (0, b"IIU\0", RAW),  # Panasonic RW2
    (0, b"FUJIFILMCCD-RAW", RAW),
    (0, b"FOVb", RAW),  # Sigma X3F
    (0, b"\xff\x0a", "a JPEG XL picture, which is not supported; convert it to JPEG or PNG"),
    (4, b"JXL \r\n", "a JPEG XL picture, which is not supported; convert it to JPEG or PNG"),
    (0, b"%!PS", "a PostScript drawing, not a picture"),
    (0, b"\xc5\xd0\xd3\xc6", "a PostScript drawing, not a picture"),
    (0, b"%PDF", "a PDF document, not a picture"),
    (0, b"<svg", "an SVG drawing, not a picture"),
    (0, b"\x1aE\xdf\xa3", "a video, not a picture"),
    (8, b"AVI LIST", "a video, not a picture"),
    (0, b"PK\x03\x04", "an archive, not a picture"),
    (0, b"\x1f\x8b", "an archive, not a picture"),
)
TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
STARTS = (
    # (offset, bytes) of the formats that are read
    *((0, b"\xff\xd8\xff"), (0, b"\x89PNG\r\n\x1a\n"), (8, b"WEBP"), (0, b"GIF8")),
    *((0, start) for start in TIFF_STARTS),
    *((4, b"jP  \r\n"), (0, b"8BPS")),
    *((0, b"qoif"), (0, b"\xff\x4f\xff\x51")),
)
BMP_HEADERS = {12, 16, 40, 52, 56, 64, 108, 124}  # bytes


def refuse_other_kinds(start: bytes) -> None:
    """Name a file that is no picture of a format that is read, where its first bytes tell.

    Args:
        start: the first `START` bytes of the file.

    Raises:
        PictureError: the file is empty, a camera raw file, a drawing, a video, ...
    """
    if not start:
        raise PictureError("the file is empty")
    for offset, magic, what in UNREADABLE:
        if start[offset:].startswith(magic):
            raise PictureError(f"this is {what}")
    found = brands(start)
    if b"crx " in found:  # Canon CR3
        raise PictureError(f"this is {RAW}")
    if found & VIDEO_BRANDS and not found & (HEIC_BRANDS | AVIF_BRANDS):
        raise PictureError("this is a video, not a picture")


def is_picture_start(start: bytes) -> bool:
    """Whether a file begins as one of the formats that are read does."""
    known = any(start[offset:].startswith(magic) for offset, magic in STARTS)
    if start.startswith(b"BM"):  # as a text may; the size of the second header tells
        known = int.from_bytes(start[14:18], "little") in BMP_HEADERS
    return known or bool(brands(start) & (HEIC_BRANDS | AVIF_BRANDS))


def brands(start: bytes) -> set[bytes]:
    """The brands of an ISO media file, from its first bytes; empty for other files."""
    if start[4:8] != b"ftyp":
        return set()
    size = int.from_bytes(start[:4], "big")
    return {start[8:12], *(start[i : i + 4] for i in range(16, min(size, len(start)), 4))}
