"""Hostile pictures out of valid ones, made here from a seed: damage, lies, bombs, odd things."""

from __future__ import annotations

import io
import os
import random
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image, features

EDGES = (0, 1, 0x7F, 0x80, 0xFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
Mutation = Callable[[random.Random, bytearray], bytearray]


def valid_files() -> dict[str, bytes]:
    """Sound files of every format that Pillow writes, by file name."""
    rng = np.random.default_rng(0)
    rough = Image.fromarray(rng.integers(0, 256, (6, 8, 3), np.uint8))
    image = rough.resize((64, 48), Image.Resampling.BICUBIC)
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "x" * 200
    grey = image.convert("L")
    kinds: list[tuple[str, Image.Image, str, dict[str, object]]] = [
        ("a.jpg", image, "JPEG", {"exif": exif}),
        ("progressive.jpg", image, "JPEG", {"progressive": True}),
        ("cmyk.jpg", image.convert("CMYK"), "JPEG", {}),
        ("grey.jpeg", grey, "JPEG", {}),
        ("a.png", image, "PNG", {"exif": exif}),
        ("alpha.png", image.convert("RGBA"), "PNG", {}),
        ("palette.png", image.quantize(16), "PNG", {"transparency": 3}),
        ("deep.png", Image.fromarray(np.asarray(grey).astype(np.uint16) * 257), "PNG", {}),
        ("a.tif", image, "TIFF", {}),
        ("lzw.tif", image, "TIFF", {"compression": "tiff_lzw"}),
        ("float.tif", grey.convert("F"), "TIFF", {}),
        ("a.gif", image.quantize(32), "GIF", {}),
        ("a.bmp", image, "BMP", {}),
        ("a.tga", image, "TGA", {"compression": "tga_rle"}),
        ("a.ppm", image, "PPM", {}),
        ("a.qoi", image, "QOI", {}),
        ("a.jp2", image, "JPEG2000", {}),
        ("a.webp", image, "WEBP", {"exif": exif}),
        ("a.avif", image, "AVIF", {"speed": 10}),
    ]
    files = {}
    for name, picture, form, options in kinds:
        if form == "AVIF" and not features.check("avif"):
            continue
        buffer = io.BytesIO()
        picture.save(buffer, form, **options)
        files[name] = buffer.getvalue()
    return files


def place(rng: random.Random, data: bytearray) -> int:
    """Half of the hits go to the header."""
    return rng.randrange(min(len(data), 150) if rng.random() < 0.5 else len(data))


def flip(rng: random.Random, data: bytearray) -> bytearray:
    for _ in range(rng.choice([1, 1, 5, 50])):
        data[place(rng, data)] ^= 1 << rng.randrange(8)
    return data


def number(rng: random.Random, data: bytearray) -> bytearray:
    at, size = place(rng, data), rng.choice([1, 2, 4])
    value = rng.choice(EDGES) & (256**size - 1)
    data[at : at + size] = value.to_bytes(size, rng.choice(["little", "big"]))
    return data


def cut(rng: random.Random, data: bytearray) -> bytearray:
    return data[: rng.choice([rng.randrange(len(data)), len(data) - 1, rng.randrange(30)])]


def behead(rng: random.Random, data: bytearray) -> bytearray:
    return data[rng.randrange(1, min(len(data), 300)) :]


def swap(rng: random.Random, data: bytearray) -> bytearray:
    first, second = place(rng, data), place(rng, data)
    size = rng.choice([1, 16, 200])
    one, two = data[first : first + size], data[second : second + size]
    data[first : first + len(two)] = two
    data[second : second + len(one)] = one
    return data


def double(rng: random.Random, data: bytearray) -> bytearray:
    at, size = place(rng, data), rng.choice([4, 64, 500])
    data[at:at] = data[at : at + size] * rng.choice([1, 2, 40])
    return data


def blank(rng: random.Random, data: bytearray) -> bytearray:
    at, size = place(rng, data), rng.choice([1, 16, 300])
    data[at : at + size] = rng.choice([b"\0", b"\xff"]) * size
    return data


def noise(rng: random.Random, data: bytearray) -> bytearray:
    at = rng.randrange(len(data))
    data[at:] = rng.randbytes(len(data) - at)
    return data


MUTATIONS: tuple[Mutation, ...] = (flip, number, cut, behead, swap, double, blank, noise)


def mutated(count: int, seed: int = 0) -> Iterator[tuple[str, bytes]]:
    """Names and contents of damaged files; the same for the same seed and Pillow."""
    files = list(valid_files().items())
    for index in range(count):
        rng = random.Random(seed * 1_000_003 + index)
        name, data = files[index % len(files)]
        mutation = rng.choice(MUTATIONS)
        damaged = bytearray(data)
        for _ in range(rng.choice([1, 1, 2])):
            damaged = mutation(rng, damaged) if damaged else damaged
        wrong = rng.choice(files)[0] if rng.random() < 0.1 else name  # the suffix of another
        yield f"{index:05d}-{mutation.__name__}-{wrong}", bytes(damaged)


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(width: int, height: int, depth: int, kind: int, line: int, *more: bytes) -> bytes:
    """A PNG of zeros; `line` bytes a row, `more` are chunks before the pixels."""
    packer, row = zlib.compressobj(9), bytes((line + 1) * 500)
    rows = b"".join(packer.compress(row) for _ in range(height // 500)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    return b"".join(
        [b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", header), *more, chunk(b"IDAT", rows)]
    ) + chunk(b"IEND", b"")


def bombs() -> Iterator[tuple[str, bytes]]:
    """Names and contents of small files that ask for much."""
    side = 10_500  # 110 megapixels
    yield "rgb.png", png(side, side, 8, 2, side * 3)
    yield "deep.png", png(side, side, 16, 6, side * 8)
    yield "grey.png", png(side, side, 8, 0, side)
    yield "wide.png", png(100_000_000, 500, 8, 0, 0)
    for name in (b"zTXt", b"iCCP"):
        bulk = chunk(name, b"k\0\0" + zlib.compress(bytes(100_000_000), 9))
        yield f"{name.decode()}.png", png(500, 500, 8, 0, 500, bulk)
    yield "chunks.png", png(500, 500, 8, 0, 500, chunk(b"abCd", b"") * 300_000)
    image = Image.new("RGB", (2000, 2000))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", progressive=True)
    data = buffer.getvalue()
    start = data.index(b"\xff\xda")
    end = data.index(b"\xff", start + 14)
    yield "scans.jpg", data[:start] + data[start:end] * 5000 + data[end:]
    yield "comment.ppm", b"P6\n#" + b"x" * 3_000_000 + b"\n1 1\n255\n\0\0\0"
    size = struct.pack("<I", (10_000 - 1) | (10_000 - 1) << 14)
    yield "vast.webp", b"RIFF\x16\0\0\0WEBPVP8L\x0a\0\0\0\x2f" + size + bytes(5)
    gif = io.BytesIO()
    image.resize((8, 8)).quantize(4).save(gif, "GIF")
    place = gif.getvalue().index(b"\x2c", 13)
    many = b"\x21\xfe\0" * 400_000
    yield "blocks.gif", gif.getvalue()[:place] + many + gif.getvalue()[place:]


def odd_things(folder: Path, sound: bytes) -> None:
    """Odd names, and what is no file: pipes, links, devices, folders."""
    for name in ("new\nline.jpg", "com,ma.jpg", 'quo"te.jpg', " lead.jpg", "=1+1.jpg", "x" * 250):
        (folder / name).with_suffix(".jpg").write_bytes(sound)
    with open(os.fsencode(folder) + b"/latin\xe9.jpg", "wb") as file:  # noqa: PTH123
        file.write(sound)
    os.mkfifo(folder / "pipe.jpg")
    for name, target in (("zero", "/dev/zero"), ("dangling", "nowhere"), ("self", "self.jpg")):
        (folder / f"{name}.jpg").symlink_to(target)
    (folder / "folder.jpg").mkdir()
    (folder / "folder.jpg" / "in.jpg").write_bytes(sound)
    (folder / "folder.jpg" / "up").symlink_to("..")
    with (folder / "sparse.jpg").open("wb") as file:
        file.truncate(4 << 30)
