"""What a file is: raw files and videos by name; previews, damage and metadata told apart."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facegauge.errors import PictureError
from facegauge.images import loading
from facegauge.images.formats import FORMATS, is_picture_start
from facegauge.images.loading import open_picture, read_picture

RNG = np.random.default_rng(5)
SMOOTH = np.asarray(
    Image.fromarray(RNG.integers(0, 256, (9, 12, 3), np.uint8)).resize((240, 180), Image.BICUBIC)
)


def encoded(form: str, pixels: np.ndarray = SMOOTH, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, form, **options)
    return buffer.getvalue()


def refused(data: bytes, status: str = "unreadable") -> str:
    with pytest.raises(PictureError) as caught:
        open_picture(data)
    assert caught.value.status == status and "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("start", "word"),
    [
        (b"II*\0\x10\0\0\0CR\x02\0" + bytes(40), "raw"),
        (b"FUJIFILMCCD-RAW 0201" + bytes(40), "raw"),
        (b"IIU\0" + bytes(40), "raw"),
        (b"\0\0\0\x18ftypcrx \0\0\0\1crx isom" + bytes(40), "raw"),
        (b"\xff\x0a" + bytes(40), "JPEG XL"),
        (b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(40), "JPEG XL"),
        (b"%PDF-1.7" + bytes(40), "PDF"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + bytes(40), "video"),
        (b"\x1aE\xdf\xa3" + bytes(40), "video"),
        (b"PK\x03\x04" + bytes(40), "archive"),
    ],
)
def test_other_kinds_of_files_are_named(start: bytes, word: str) -> None:
    assert word in refused(start)
    assert not is_picture_start(start) or word == "raw"


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "JPEG2000", "PPM"])
def test_formats_that_are_read(form: str) -> None:
    data = encoded(form)
    assert open_picture(data).shape == SMOOTH.shape and form in FORMATS
    assert is_picture_start(data) or form == "PPM"


def test_formats_that_are_not_promised_are_not_tried() -> None:
    assert "not a picture of a known format" in refused(encoded("ICO", SMOOTH[:64, :64]))
    assert "not a picture of a known format" in refused(encoded("PCX"))


# TIFF


def tiff(*pages: tuple[np.ndarray, dict[int, int]]) -> bytes:
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

    images, infos = [], []
    for pixels, tags in pages:
        info = ImageFileDirectory_v2()
        for tag, value in tags.items():
            info[tag] = value
        images.append(Image.fromarray(pixels))
        infos.append(info)
    buffer = io.BytesIO()
    from PIL import TiffImagePlugin

    with TiffImagePlugin.AppendingTiffWriter(buffer, True) as writer:
        for image, info in zip(images, infos, strict=True):
            image.save(writer, "TIFF", tiffinfo=info)
            writer.newFrame()
    return buffer.getvalue()


def test_a_preview_is_not_taken_for_the_picture() -> None:
    small, large = SMOOTH[::4, ::4], SMOOTH
    assert open_picture(tiff((small, {254: 1}), (large, {}))).shape == large.shape
    assert open_picture(tiff((large, {}), (small, {254: 1}))).shape == large.shape
    assert open_picture(tiff((small, {}), (large, {}))).shape == small.shape  # pages, not previews
    assert open_picture(tiff((small, {254: 1}))).shape == small.shape  # nothing else is there


def test_a_raw_file_is_not_its_preview() -> None:
    assert "camera raw" in refused(tiff((SMOOTH[::4, ::4], {254: 1, 50706: 1})))


def test_separate_planes_of_16_bits_are_refused() -> None:
    """Pillow decodes them to garbage; written by hand, as Pillow does not write them."""
    high = SMOOTH[:60, :80].astype(np.uint16) * 257
    data = high.transpose(2, 0, 1).astype("<u2").tobytes()
    entries = [(256, 3, 80), (257, 3, 60), (259, 3, 1), (262, 3, 2), (277, 3, 3), (278, 3, 60),
               (284, 3, 2)]  # fmt: skip
    size = 2 + 12 * (len(entries) + 3) + 4
    bits, offsets = 8 + size, 8 + size + 6
    counts, start = offsets + 12, offsets + 24
    plane = len(data) // 3
    rows = [struct.pack("<HHIHH", tag, kind, 1, value, 0) for tag, kind, value in entries]
    rows += [struct.pack("<HHII", 258, 3, 3, bits), struct.pack("<HHII", 273, 4, 3, offsets)]
    rows += [struct.pack("<HHII", 279, 4, 3, counts)]
    rows.sort(key=lambda row: row[:2][::-1])
    blob = b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", len(rows)) + b"".join(rows)
    blob += struct.pack("<I", 0) + struct.pack("<3H", 16, 16, 16)
    blob += struct.pack("<3I", *(start + k * plane for k in range(3))) + struct.pack(
        "<3I", *[plane] * 3
    )
    assert "separate colour planes" in refused(blob + data)


# JPEG


JPEG = encoded("JPEG", quality=92)


def test_a_sound_jpeg_has_the_pixels_of_pillow_and_no_note() -> None:
    for options in ({}, {"progressive": True}, {"subsampling": 0}, {"optimize": True}):
        data = encoded("JPEG", quality=85, **options)
        opened = read_picture(data)
        assert opened.note == ""
        assert np.array_equal(opened.pixels, np.asarray(Image.open(io.BytesIO(data))))
    grey = encoded("JPEG", SMOOTH[..., 0])
    assert np.array_equal(open_picture(grey)[..., 1], np.asarray(Image.open(io.BytesIO(grey))))


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_a_jpeg_with_missing_pixels_is_unreadable_however_it_ends(share: float) -> None:
    cut = JPEG[: int(len(JPEG) * share)]
    assert "damaged or truncated" in refused(cut)
    assert "damaged or truncated" in refused(cut + b"\xff\xd9")
    hole = bytearray(JPEG)
    place = int(len(JPEG) * share)
    hole[place : place + len(JPEG) // 12] = bytes(len(JPEG) // 12)
    assert "damaged or truncated" in refused(bytes(hole))


def test_a_jpeg_without_its_end_marker_is_read_with_a_note() -> None:
    opened = read_picture(JPEG[:-2])
    assert np.array_equal(opened.pixels, open_picture(JPEG)) and "end marker" in opened.note


def test_bytes_after_the_end_are_no_damage() -> None:
    opened = read_picture(JPEG + b"anything" * 100)
    assert np.array_equal(opened.pixels, open_picture(JPEG))


def test_megabytes_of_metadata_are_left_aside_but_for_the_orientation() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = encoded("JPEG", exif=exif, quality=92)
    segment = b"\xff\xe4" + struct.pack(">H", 65_002) + bytes(65_000)
    bulky = turned[:2] + turned[2:20] + segment * 400 + turned[20:]
    assert turned[20:22] in (b"\xff\xe1", b"\xff\xdb")  # a boundary of segments
    assert np.array_equal(open_picture(bulky), open_picture(turned))
    assert open_picture(bulky).shape == (240, 180, 3)


# PNG


PNG = encoded("PNG")


def chunk(name: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(name + content)
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", checksum)


@pytest.mark.parametrize("place", [33, len(PNG) - 12], ids=["before", "after"])
@pytest.mark.parametrize(
    "extra",
    [
        chunk(b"zTXt", b"prompt\0\0" + zlib.compress(b"A" * 3_000_000)),
        chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(b"A" * 3_000_000)),
        chunk(b"iCCP", b"p\0\0" + zlib.compress(bytes(3_000_000))),
        chunk(b"tEXt", b"Comment\0hello")[:-1] + b"!",
        chunk(b"zTXt", b"prompt\0\0not compressed"),
        chunk(b"tIME", b"1"),
    ],
    ids=["text", "xmp", "profile", "checksum", "not compressed", "short"],
)
def test_trouble_in_the_metadata_is_none_in_the_pixels(extra: bytes, place: int) -> None:
    data = PNG[:place] + extra + PNG[place:]
    assert np.array_equal(open_picture(data), SMOOTH)


def test_trouble_in_the_pixels_of_a_png_stays_trouble() -> None:
    hole = bytearray(PNG)
    hole[len(PNG) // 2] ^= 255
    assert "damaged" in refused(bytes(hole))
    assert "damaged" in refused(PNG[: len(PNG) // 2])


# limits


def test_a_side_too_long_and_a_file_too_large_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "side over 65535" in refused(
        encoded("PNG", np.zeros((1, 70_000, 3), np.uint8)), "too_large"
    )
    monkeypatch.setattr(loading, "MAX_BYTES", 1000)
    path = tmp_path / "a.png"
    path.write_bytes(PNG)
    with pytest.raises(PictureError, match="more than the limit") as caught:
        open_picture(path)
    assert caught.value.status == "too_large"
