"""What decoding takes: refused before it is begun; large pictures in place; long headers ended."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from facegauge.errors import PictureError
from facegauge.faces.detection import network_input
from facegauge.images import bounded, canvas, costs, metadata
from facegauge.images.loading import open_picture, read_picture

RNG = np.random.default_rng(3)
NOISE = RNG.integers(0, 256, (150, 67, 4), np.uint8)


def encoded(image: Image.Image, form: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def refused(data: bytes, **options: int) -> str:
    with pytest.raises(PictureError) as caught:
        open_picture(data, **options)
    assert caught.value.status == "too_large" and "\n" not in str(caught.value)
    return str(caught.value)


def in_place(monkeypatch: pytest.MonkeyPatch, data: bytes) -> np.ndarray:
    """The pixels by the way of large pictures."""
    with monkeypatch.context() as patch:
        patch.setattr(canvas, "LARGE", 0)
        return open_picture(data)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "CMYK", "L", "P", "F", "I", "1", "LA"])
@pytest.mark.parametrize("form", ["PNG", "TIFF", "TIFF lzw", "BMP", "WEBP", "PPM", "TGA"])
def test_large_pictures_have_the_pixels_of_small_ones(
    form: str, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = Image.fromarray(NOISE).convert(mode)
    form, *compression = form.split()
    options = {"compression": "tiff_lzw"} if compression else {}
    try:
        data = encoded(image, form, **options)
    except (OSError, KeyError):
        pytest.skip("not written in this mode")
    np.testing.assert_array_equal(in_place(monkeypatch, data), open_picture(data))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["PNG", "TIFF", "JPEG", "WEBP"])
def test_large_pictures_are_upright(
    form: str, orientation: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    mode = "CMYK" if form == "JPEG" else "RGB"  # of JPEGs, only these are decoded by Pillow
    data = encoded(Image.fromarray(NOISE).convert(mode), form, exif=exif)
    np.testing.assert_array_equal(in_place(monkeypatch, data), open_picture(data))


def test_what_takes_too_much_is_refused_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = NOISE.shape[0] * NOISE.shape[1]
    image = Image.fromarray(NOISE[..., :3])
    monkeypatch.setattr(costs, "BUDGET", 10 * pixels)
    for form in ("WEBP", "JPEG2000"):
        message = refused(encoded(image, form))
        assert form in message and "save it as JPEG" in message and "67 x 150" in message
    for form in ("JPEG", "PNG", "BMP"):
        assert open_picture(encoded(image, form)).shape == (150, 67, 3)
    more = costs.MAX_PIXELS * 10  # who allows more pixels allows more memory
    assert open_picture(encoded(image, "WEBP"), max_pixels=more).shape == (150, 67, 3)


def test_the_coefficients_of_progressive_jpegs_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    image = Image.fromarray(NOISE[..., :3]).resize((400, 300))
    asked: list[int] = []
    for options in ({}, {"progressive": True}, {"progressive": True, "subsampling": 0}):
        data = encoded(image, "JPEG", quality=50, **options)
        sizes: list[int] = []
        read_picture(data, admit=sizes.append)
        asked.append((sizes[-1] - len(data)) // (400 * 300))
    assert asked == [3, 6, 9]


def test_the_second_image_of_a_turned_tiff_is_counted() -> None:
    asked: list[int] = []
    for orientation in (1, 6):
        exif = Image.Exif()
        exif[0x0112] = orientation
        data = encoded(Image.fromarray(NOISE[..., :3]), "TIFF", exif=exif)
        sizes: list[int] = []
        read_picture(data, admit=sizes.append)
        asked.append(sizes[-1] - len(data))
    assert asked[1] - asked[0] == 4 * NOISE.shape[0] * NOISE.shape[1]


def test_scans_without_end_are_not_decoded() -> None:
    data = encoded(Image.new("RGB", (64, 64)), "JPEG", progressive=True)
    start = data.index(b"\xff\xda")
    end = data.index(b"\xff", start + 14)
    assert open_picture(data).shape == (64, 64, 3)
    assert "scans" in refused(data[:start] + data[start:end] * 300 + data[end:])


def test_formats_that_are_decoded_slowly_have_a_lower_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(costs, "MAX_SLOW_PIXELS", 5000)
    image = Image.fromarray(NOISE[..., :3])
    assert "QOI" in refused(encoded(image, "QOI"))
    assert open_picture(encoded(image, "BMP")).shape == (150, 67, 3)


def test_headers_without_end_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded, "MAX_HEADER", 100_000)
    monkeypatch.setattr(bounded, "MAX_READS", 2000)
    gif = encoded(Image.new("P", (8, 8)), "GIF")
    place = gif.index(b"\x2c", 13)
    assert open_picture(gif).shape == (8, 8, 3)
    for extra in (b"\x21\xfe" + (b"\xff" + b"x" * 255) * 800 + b"\0", b"\x21\xfe\0" * 3000):
        assert "before the pixels" in refused(gif[:place] + extra + gif[place:])
    assert "before the pixels" in refused(b"P6\n#" + b"x" * 5000 + b"\n1 1\n255\n\0\0\0")
    webp = encoded(Image.fromarray(NOISE), "WEBP", lossless=True) + bytes(200_000)
    assert "before the pixels" in refused(webp)


def test_parts_without_end_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "MAX_PARTS", 500)
    png = encoded(Image.fromarray(NOISE), "PNG")
    empty = struct.pack(">I", 0) + b"abCd" + struct.pack(">I", zlib.crc32(b"abCd"))
    assert "parts" in refused(png[:33] + empty * 600 + png[33:])
    jpeg = encoded(Image.fromarray(NOISE[..., :3]), "JPEG")
    assert "parts" in refused(jpeg[:2] + b"\xff\xe9\0\2" * 600 + jpeg[2:])


def test_large_metadata_of_a_png_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    png = encoded(Image.fromarray(NOISE), "PNG")
    body = b"abCd" + bytes(17_000_000)
    bulk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    for data in (png[:33] + bulk + png[33:], png[:-12] + bulk + png[-12:]):
        sizes: list[int] = []
        pixels = read_picture(data, admit=sizes.append).pixels
        np.testing.assert_array_equal(pixels, open_picture(png))
        assert sizes[-1] < 1_000_000


@pytest.mark.parametrize("shape", [(900, 1400), (1400, 333), (2000, 2), (5, 1999), (640, 320)])
def test_the_input_of_the_detector_is_resized_as_pillow_does(shape: tuple[int, int]) -> None:
    pixels = RNG.integers(0, 256, (*shape, 3), np.uint8)
    for size in (160, 77):
        batch, scale = network_input(pixels, size)
        step = max(1, min(int(1 / scale / 4), *shape))
        sparse = np.ascontiguousarray(pixels[step // 2 :: step, step // 2 :: step])
        wide, tall = (max(1, round(side * scale)) for side in shape[::-1])
        whole = Image.fromarray(sparse).resize(
            (wide, tall), Image.Resampling.BILINEAR, reducing_gap=2.0
        )
        np.testing.assert_array_equal(
            batch[0, :, :tall, :wide], np.asarray(whole).transpose(2, 0, 1)
        )
