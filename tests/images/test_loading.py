"""The decode path: every oddity is a small file made here, against values worked out by hand."""

from __future__ import annotations

import gc
import io
import os
import socket
import struct
import sys
import threading
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, features

from facegauge.errors import PictureError
from facegauge.images import loading as images
from facegauge.images.loading import open_picture

RNG = np.random.default_rng(7)
PICTURE = RNG.integers(0, 256, (5, 7, 3), dtype=np.uint8)


def encoded(image: Image.Image, format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def smooth(height: int = 48, width: int = 64) -> Image.Image:
    """A picture that survives lossy coding: each channel a ramp."""
    rows, columns = np.mgrid[0:height, 0:width]
    bands = np.stack([columns * 255 / width, rows * 255 / height, 128 + 0 * rows], -1)
    return Image.fromarray(bands.astype(np.uint8))


def failure(source: object, **options: int) -> PictureError:
    with pytest.raises(PictureError) as caught:
        open_picture(source, **options)  # type: ignore[arg-type]
    message = str(caught.value)
    assert message and "\n" not in message and len(message) < 250
    return caught.value


# --- formats and modes ------------------------------------------------------------------------


@pytest.mark.parametrize("format", ["PNG", "BMP", "TIFF", "PPM", "WEBP", "TGA", "JPEG2000"])
def test_equal_pixels_are_equal_in_every_lossless_format(format: str) -> None:
    options = {"WEBP": {"lossless": True}, "JPEG2000": {"irreversible": False}}.get(format, {})
    pixels = open_picture(encoded(Image.fromarray(PICTURE), format, **options))
    assert pixels.dtype == np.uint8
    np.testing.assert_array_equal(pixels, PICTURE)


def test_a_tall_picture_is_whole() -> None:
    tall = RNG.integers(0, 256, (150, 3, 3), dtype=np.uint8)  # more than two strips of 64 rows
    np.testing.assert_array_equal(open_picture(encoded(Image.fromarray(tall), "PNG")), tall)


def test_every_kind_of_source_gives_the_same_pixels(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(PICTURE).save(path)
    sources = [path, str(path), path.read_bytes(), path.open("rb"), Image.open(path), PICTURE]
    for source in sources:
        np.testing.assert_array_equal(open_picture(source), PICTURE)


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGBA", "PA", "RGBX", "YCbCr", "HSV"])
def test_modes_without_transparency_equal_their_rgb(mode: str) -> None:
    image = Image.fromarray(PICTURE).convert("L" if mode in ("PA", "LA") else mode)
    if mode in ("PA", "LA"):
        image = image.convert("LA").convert(mode)
    pixels = open_picture(image)
    assert pixels.shape == (5, 7, 3)
    np.testing.assert_array_equal(pixels, np.asarray(image.convert("RGB")))


def test_transparency_shows_white() -> None:
    rgba = np.zeros((1, 3, 4), np.uint8)
    rgba[0, :, 3] = [0, 51, 255]  # black at 0, 1/5 and full opacity
    expected = [255, 204, 0]
    la = Image.fromarray(rgba).convert("LA")
    palette = Image.fromarray(np.array([[0, 1, 2]], np.uint8), "P")
    palette.putpalette([0, 0, 0] * 3)
    for source in (
        rgba,
        encoded(Image.fromarray(rgba), "PNG"),
        encoded(la, "PNG"),
        encoded(palette, "PNG", transparency=bytes([0, 51, 255])),
    ):
        for channel in open_picture(source)[0].T:
            np.testing.assert_array_equal(channel, expected)


def test_colour_key_of_a_png_is_transparent() -> None:
    image = Image.fromarray(np.array([[[9, 8, 7], [1, 2, 3]]], np.uint8))
    pixels = open_picture(encoded(image, "PNG", transparency=(9, 8, 7)))
    assert pixels.tolist() == [[[255, 255, 255], [1, 2, 3]]]


def rgb16_png(values: np.ndarray) -> bytes:
    """A 16-bit RGB PNG written by hand: Pillow cannot write one."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    height, width = values.shape[:2]
    lines = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def test_sixteen_bits_keep_the_upper_eight() -> None:
    deep = np.array([[0, 255, 256, 32768, 65535]], np.uint16)
    expected = np.repeat(np.array([[0, 0, 1, 128, 255]], np.uint8)[..., None], 3, 2)
    grey = Image.fromarray(deep)
    rgb = np.repeat(deep[..., None], 3, 2)
    for source in (
        deep,
        deep.astype(">u2"),
        rgb,
        encoded(grey, "PNG"),
        encoded(grey, "TIFF"),
        encoded(Image.fromarray(deep.astype(np.int32)), "TIFF"),
        rgb16_png(rgb),
    ):
        np.testing.assert_array_equal(open_picture(source), expected)


@pytest.mark.parametrize("top", [1.0, 255.0, 65535.0])
def test_float_tiff_takes_the_least_range_that_holds_it(top: float) -> None:
    values = np.array([[0, 0.2, 1.0]], np.float32) * np.float32(top)
    pixels = open_picture(encoded(Image.fromarray(values), "TIFF"))
    assert pixels[0, :, 0].tolist() == [0, 51, 255]


@pytest.mark.parametrize("top", [255, 65535])
def test_tiff_of_32_bit_integers_takes_the_least_range_that_holds_it(top: int) -> None:
    values = np.array([[0, top // 5, top]], np.int32)
    pixels = open_picture(encoded(Image.fromarray(values), "TIFF"))
    assert pixels[0, :, 0].tolist() == [0, 51, 255]


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e6])
def test_float_tiff_out_of_any_range_is_unreadable(bad: float) -> None:
    values = np.array([[0, bad]], np.float32)
    assert "65535" in str(failure(encoded(Image.fromarray(values), "TIFF")))


def adobe_jpeg(color: tuple[int, ...]) -> tuple[bytes, int]:
    """A CMYK JPEG, stored inverted behind Adobe's marker, and where the marker begins."""
    data = encoded(Image.new("CMYK", (16, 16), color), "JPEG", quality=100)
    return data, data.index(b"\xff\xee\x00\x0eAdobe")


def test_cmyk_jpeg_is_not_inverted() -> None:
    data, marker = adobe_jpeg((0, 255, 255, 0))
    unmarked = data[:marker] + data[marker + 16 :]
    for source in (data, unmarked):
        assert np.abs(open_picture(source).astype(int) - [255, 0, 0]).max() <= 3


def test_ycck_jpeg_by_hand() -> None:
    # Stored: 255 - (55, 127, 127, 0) = (Y 200, Cb 128, Cr 128, K 255). The last byte of Adobe's
    # marker, 2, says YCCK: C = M = Y = 255 - 200 = 55, and inverted 200, K 0: a grey of 255 - 200.
    data, marker = adobe_jpeg((55, 127, 127, 0))
    ycck = data[: marker + 15] + b"\x02" + data[marker + 16 :]
    assert np.abs(open_picture(ycck).astype(int) - 55).max() <= 2


def test_progressive_jpeg_equals_baseline() -> None:
    baseline, progressive = (encoded(smooth(), "JPEG", progressive=p) for p in (False, True))
    np.testing.assert_array_equal(open_picture(baseline), open_picture(progressive))


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG", "TIFF"])
def test_first_frame_of_many(format: str) -> None:
    frames = [Image.new("RGB", (8, 8), color) for color in ((200, 0, 0), (0, 0, 200))]
    options = {"lossless": True} if format == "WEBP" else {}
    data = encoded(frames[0], format, save_all=True, append_images=frames[1:], **options)
    assert open_picture(data)[4, 4].tolist() == [200, 0, 0]


def test_one_pixel_opens() -> None:
    assert open_picture(encoded(Image.new("RGB", (1, 1), (1, 2, 3)), "PNG")).tolist() == [
        [[1, 2, 3]]
    ]


# --- orientation ------------------------------------------------------------------------------

# What has to be done to the stored pixels, straight from the EXIF table: which stored edge is the
# visual top, and which the visual left.
UPRIGHT = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: np.rot90,
}


@pytest.mark.parametrize("format", ["PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", UPRIGHT)
def test_exif_orientations(format: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if format == "WEBP" else {}
    data = encoded(Image.fromarray(PICTURE), format, exif=exif, **options)
    expected = UPRIGHT[orientation](PICTURE)
    np.testing.assert_array_equal(open_picture(data), expected)


def test_exif_turn_of_a_jpeg_and_of_a_pil_image_that_stays_as_it_was() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    image = Image.open(io.BytesIO(encoded(smooth(48, 64), "JPEG", exif=exif)))
    assert open_picture(image).shape == (64, 48, 3)
    assert image.size == (64, 48)


def test_broken_exif_is_no_reason_to_fail() -> None:
    for exif in (b"Exif\0\0nonsense", b"Exif\0\0II*\0\x08\0\0\0\xff\xff"):
        assert open_picture(encoded(smooth(), "JPEG", exif=exif)).shape == (48, 64, 3)
    strange = Image.Exif()
    strange[0x0112] = 77
    assert open_picture(encoded(smooth(), "JPEG", exif=strange)).shape == (48, 64, 3)


# --- colour profiles --------------------------------------------------------------------------


def profile_with_gamma(gamma: float) -> bytes:
    """The sRGB profile with its three tone curves replaced by a plain gamma."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    for i in range(struct.unpack_from(">I", profile, 128)[0]):
        name, offset, _ = struct.unpack_from(">4sII", profile, 132 + 12 * i)
        if name in (b"rTRC", b"gTRC", b"bTRC"):
            curve = struct.pack(">4sIIH", b"curv", 0, 1, round(gamma * 256))
            profile[offset : offset + len(curve)] = curve
    return bytes(profile)


def test_profile_is_converted_to_srgb() -> None:
    image = Image.new("RGB", (4, 4), (128, 128, 128))
    data = encoded(image, "PNG", icc_profile=profile_with_gamma(1.0))
    # half of linear light is 188 on the sRGB curve: 255 * (1.055 * (128/255) ** (1/2.4) - 0.055)
    assert np.abs(open_picture(data).astype(int) - 188).max() <= 1
    grey = encoded(image.convert("L"), "PNG", icc_profile=profile_with_gamma(1.0))
    assert np.abs(open_picture(grey).astype(int) - 188).max() <= 1


def test_srgb_and_broken_profiles_change_nothing() -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for profile in (srgb, b"no profile", srgb[:200], profile_with_gamma(1.0)[:140]):
        data = encoded(Image.fromarray(PICTURE), "PNG", icc_profile=profile)
        np.testing.assert_array_equal(open_picture(data), PICTURE)


# --- arrays -----------------------------------------------------------------------------------


def test_arrays_of_every_documented_kind() -> None:
    grey = PICTURE[..., 0]
    grey_rgb = np.repeat(grey[..., None], 3, 2)
    np.testing.assert_array_equal(open_picture(grey), grey_rgb)
    np.testing.assert_array_equal(open_picture(grey[..., None]), grey_rgb)
    opaque = np.concatenate([PICTURE, np.full((5, 7, 1), 255, np.uint8)], 2)
    np.testing.assert_array_equal(open_picture(opaque), PICTURE)
    for kind in (np.float32, np.float64):
        np.testing.assert_array_equal(open_picture((PICTURE / 255).astype(kind)), PICTURE)
    flipped = open_picture(PICTURE[:, ::-1])
    assert flipped.flags["C_CONTIGUOUS"]
    np.testing.assert_array_equal(flipped, PICTURE[:, ::-1])
    # dark floats stay dark: an array's range is fixed, not guessed
    assert open_picture(np.full((2, 2), 0.004)).max() == 1


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (np.zeros((3, 4, 5), np.uint8), "(3, 4, 5)"),
        (np.zeros((0, 4, 3), np.uint8), "(0, 4, 3)"),
        (np.zeros(4, np.uint8), "(4,)"),
        (np.zeros((2, 2), np.int64), "int64"),
        (np.full((2, 2), 200.0), "0..1"),
        (np.full((2, 2), -0.5), "0..1"),
        (np.full((2, 2), np.nan), "0..1"),
        (np.array([[None]]), "object"),
    ],
)
def test_other_arrays_say_what_was_given_and_expected(array: np.ndarray, said: str) -> None:
    message = str(failure(array))
    assert said in message and "expected" in message


def test_other_sources() -> None:
    assert "expected a path" in str(failure(42))
    assert "got NoneType" in str(failure(None))


# --- what cannot be opened --------------------------------------------------------------------


@pytest.mark.parametrize("format", ["JPEG", "PNG", "BMP", "TIFF", "WEBP", "GIF", "PPM"])
@pytest.mark.parametrize("progressive", [False, True])
def test_half_a_file_is_unreadable(format: str, progressive: bool) -> None:
    if progressive and format != "JPEG":
        pytest.skip("JPEG only")
    noise = Image.fromarray(RNG.integers(0, 256, (64, 64, 3), dtype=np.uint8))
    data = encoded(noise, format, **({"progressive": True} if progressive else {}))
    error = failure(data[: len(data) // 2])
    assert error.status == "unreadable"


def test_what_is_no_picture(tmp_path: Path) -> None:
    for name, content, said in (
        ("empty.jpg", b"", "empty"),
        ("text.jpg", b"hello, I am no picture", "not a picture"),
        ("zeros.png", bytes(100), "not a picture"),
        (
            "drawing.eps",
            b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n",
            "drawing",
        ),
    ):
        path = tmp_path / name
        path.write_bytes(content)
        error = failure(path)
        assert said in str(error) and error.status == "unreadable"
    (tmp_path / "dangling.jpg").symlink_to(tmp_path / "gone.jpg")
    assert "link" in str(failure(tmp_path / "dangling.jpg"))
    assert "no such file" in str(failure(tmp_path / "gone.jpg"))
    assert "folder" in str(failure(tmp_path))
    assert failure("nul\0byte.jpg").status == "unreadable"


def test_no_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"x")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)  # chmod means nothing to root
    assert "Permission denied" in str(failure(path))


@pytest.mark.skipif(sys.platform == "win32", reason="no such files there")
def test_a_pipe_or_socket_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    assert "regular file" in str(failure(tmp_path / "pipe.jpg"))
    with socket.socket(socket.AF_UNIX) as plug:
        name = os.path.relpath(tmp_path / "s.jpg")
        if len(name) < 100:
            plug.bind(name)
            assert "regular file" in str(failure(tmp_path / "s.jpg"))


@pytest.mark.parametrize(
    "error",
    [
        SyntaxError("broken"),
        struct.error("x"),
        OverflowError(),
        zlib.error("\na\nb"),
        MemoryError(),
    ],
)
def test_whatever_a_decoder_throws_is_a_picture_error(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(images, "from_image", fail)
    assert failure(encoded(smooth(), "PNG")).status == "unreadable"


def test_too_large_is_read_from_the_header() -> None:
    def header(width: int, height: int) -> bytes:
        return b"P6 %d %d 255\n" % (width, height)

    with warnings.catch_warnings():
        warnings.simplefilter("error")  # Pillow's own limits must not speak
        error = failure(header(100_000, 100_000))
        assert error.status == "too_large" and "100000 x 100000" in str(error)
        assert failure(header(20_000, 10_000), max_pixels=300_000_000).status == "unreadable"
    limit = Image.MAX_IMAGE_PIXELS
    assert limit is not None  # and stay as they were for everyone else
    assert open_picture(PICTURE, max_pixels=35).shape == (5, 7, 3)
    assert failure(PICTURE, max_pixels=34).status == "too_large"
    assert failure(Image.fromarray(PICTURE), max_pixels=34).status == "too_large"


def test_threads_leave_pillows_limit_alone() -> None:
    limit, data = Image.MAX_IMAGE_PIXELS, encoded(smooth(), "PNG")
    crew = [
        threading.Thread(target=lambda: [open_picture(data) for _ in range(50)]) for _ in "abcd"
    ]
    for one in crew:
        one.start()
    for one in crew:
        one.join()
    assert limit == Image.MAX_IMAGE_PIXELS


# --- HEIC and AVIF ----------------------------------------------------------------------------

HEIC_START = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"


def test_heic_without_the_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    images._allow_heic.cache_clear()
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    assert "pip install 'facegauge[heic]'" in str(failure(HEIC_START + bytes(64)))
    images._allow_heic.cache_clear()


def test_heic_opens_with_the_extra() -> None:
    heif = pytest.importorskip("pillow_heif")
    buffer = io.BytesIO()
    heif.from_pillow(smooth()).save(buffer, quality=95)
    pixels = open_picture(buffer.getvalue())
    assert np.abs(pixels.astype(int) - np.asarray(smooth())).mean() < 4
    assert failure(HEIC_START + bytes(64)).status == "unreadable"


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow has no AVIF")
@pytest.mark.parametrize("orientation", [1, 6, 7])
def test_avif_opens_upright(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    pixels = open_picture(encoded(smooth(), "AVIF", quality=95, exif=exif))
    expected = UPRIGHT[orientation](np.asarray(smooth()))
    assert np.abs(pixels.astype(int) - expected).mean() < 4


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow has no AVIF")
def test_avif_in_a_frame_that_heic_has_too_needs_no_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    images._allow_heic.cache_clear()
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    data = encoded(smooth(), "AVIF", quality=95)
    assert open_picture(data[:8] + b"mif1" + data[12:]).shape == np.asarray(smooth()).shape
    images._allow_heic.cache_clear()


def test_a_damaged_picture_is_let_go_at_once(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8)
    for suffix in ("png", "jpg", "gif", "bmp", "tif", "webp"):
        buffer = io.BytesIO()
        Image.fromarray(noise).save(buffer, {"jpg": "jpeg", "tif": "tiff"}.get(suffix, suffix))
        cut = io.BytesIO(buffer.getvalue()[: len(buffer.getvalue()) // 2])
        gc.collect()
        gc.disable()
        try:
            with pytest.raises(PictureError):
                open_picture(cut)
            held = [one for one in gc.get_objects() if isinstance(one, Image.Image)]
        finally:
            gc.enable()
        assert not any(one.size == (300, 300) for one in held), suffix
