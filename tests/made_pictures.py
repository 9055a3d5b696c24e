"""A hundred pictures of one face, made of an example: sizes, turns, changes, formats, oddities."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

EXAMPLE = Path(__file__).parents[1] / "examples" / "astronaut.jpg"
FACE = (184, 65, 269, 176)  # about where it is
FRAME = (139, 1, 313, 214)  # about what a framed crop shows
ORIENTATION = 0x0112


def made_pictures() -> dict[str, bytes]:
    """File names and their bytes; the same each time."""
    return dict(_all(Image.open(EXAMPLE).convert("RGB")))


def _all(face: Image.Image) -> Iterator[tuple[str, bytes]]:
    rng = np.random.default_rng(0)
    for number in range(24):  # parts of the picture, at other sizes
        left, top = (int(rng.integers(0, edge)) for edge in (130, 50))
        right, bottom = int(rng.integers(320, 513)), int(rng.integers(230, 513))
        part = face.crop((left, top, right, bottom))
        scale = float(rng.uniform(0.5, 2.2))
        size = tuple(round(side * scale) for side in part.size)
        yield f"part{number:02}.png", _file(part.resize(size, Image.Resampling.LANCZOS))
    for number, kernel in enumerate((0.6, 1.2, 2, 3, 5, 8)):
        yield f"blur{number}.png", _file(face.filter(ImageFilter.GaussianBlur(kernel)))
    for quality in (5, 12, 25, 40, 60, 75, 90, 98):
        yield f"jpeg{quality}.jpg", _file(face, "JPEG", quality=quality)
    for number, subsampling in enumerate(("4:4:4", "4:2:2", "4:2:0")):
        yield f"colour{number}.jpg", _file(face, "JPEG", quality=85, subsampling=subsampling)
    yield "progressive.jpg", _file(face, "JPEG", quality=85, progressive=True)
    for level in (4, 10, 20, 40):
        noisy = np.asarray(face) + rng.normal(0, level, (512, 512, 3))
        yield f"noise{level}.png", _file(Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)))
    for factor in (0.25, 0.5, 0.8, 1.3, 1.8):
        yield f"light{factor}.png", _file(ImageEnhance.Brightness(face).enhance(factor))
        yield f"contrast{factor}.png", _file(ImageEnhance.Contrast(face).enhance(factor))
    for degrees in (-25, -12, 8, 20, 33):
        turned = face.rotate(degrees, Image.Resampling.BICUBIC, fillcolor=(90, 90, 90))
        yield f"tilted{degrees}.png", _file(turned)
    for degrees in (90, 180, 270):
        yield f"turned{degrees}.png", _file(face.rotate(degrees, expand=True))
    yield "mirrored.png", _file(ImageOps.mirror(face))
    for how in range(2, 9):  # stored turned, and said to be
        exif = Image.Exif()
        exif[ORIENTATION] = how
        yield f"exif{how}.jpg", _file(face, "JPEG", quality=95, exif=exif)
    yield from _formats(face)
    for number, size in enumerate(((178, 218), (246, 301), (356, 436), (60, 74), (700, 858))):
        yield f"framed{number}.png", _file(face.crop(FRAME).resize(size, Image.Resampling.LANCZOS))
    yield from _scenes(face)


def _formats(face: Image.Image) -> Iterator[tuple[str, bytes]]:
    grey = face.convert("L")
    yield "grey.png", _file(grey)
    yield "grey.jpg", _file(grey, "JPEG", quality=90)
    yield "palette.png", _file(face.quantize(128))
    yield "palette.gif", _file(face.quantize(256), "GIF")
    yield "bitmap.bmp", _file(face, "BMP")
    yield "lossy.webp", _file(face, "WEBP", quality=80)
    yield "lossless.webp", _file(face, "WEBP", lossless=True)
    yield "deep.png", _file(Image.fromarray(np.asarray(grey).astype(np.uint16) * 257))
    yield "cmyk.jpg", _file(face.convert("CMYK"), "JPEG", quality=92)
    clear = face.copy()
    clear.putalpha(Image.linear_gradient("L").resize(face.size))
    yield "fading.png", _file(clear)
    hole = face.copy()
    mask = Image.new("L", face.size, 255)
    mask.paste(0, (300, 200, 500, 500))
    hole.putalpha(mask)
    yield "hole.png", _file(hole)
    sepia = ImageOps.colorize(grey, (30, 20, 10), (255, 240, 200))
    yield "sepia.png", _file(sepia)


def _scenes(face: Image.Image) -> Iterator[tuple[str, bytes]]:
    """Several faces, small ones, and none."""
    plain = (120, 130, 125)
    for number, side in enumerate((60, 90, 140)):
        scene = Image.new("RGB", (900, 700), plain)
        small = face.resize((side * 3, side * 3), Image.Resampling.LANCZOS)
        scene.paste(small, (330, 190))
        yield f"small{number}.png", _file(scene)
    group = Image.new("RGB", (1000, 560), plain)
    for place, side in enumerate((500, 300, 180)):
        shown = face.crop((60, 0, 400, 340)).resize((side, side), Image.Resampling.LANCZOS)
        group.paste(shown, ((0, 520, 820)[place], 30))
    yield "group.png", _file(group)
    mixed = Image.new("RGB", (1000, 520), plain)
    mixed.paste(face, (0, 0))
    mixed.paste(face.rotate(90), (488, 0))
    yield "mixed.png", _file(mixed)
    large = Image.new("RGB", (2600, 1900), plain)
    large.paste(face.resize((360, 360), Image.Resampling.LANCZOS), (1500, 900))
    yield "large.png", _file(large)
    yield "high.png", _file(face.resize((1536, 1536), Image.Resampling.BICUBIC))
    cut = face.crop((200, 0, 512, 512))
    yield "cut.png", _file(cut)
    yield "wide.png", _file(ImageOps.pad(face, (1400, 512), color=plain))
    yield "stretched.png", _file(face.resize((560, 480)))
    yield "empty.png", _file(Image.new("RGB", (400, 300), plain))


def _file(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()
