"""Scenes made in code: faces of known sizes at known places, and pictures without a face."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

EXAMPLE = Path(__file__).parent.parent / "examples" / "astronaut.jpg"
REGION = (120, 20, 340, 240)  # head and shoulders in the example picture
FACE_WIDTH = 85  # pixels of the face in it
WALL = (150, 150, 140)

Place = tuple[int, int, int]  # centre x, centre y, width of the face
Pixels = np.ndarray


def scene(size: tuple[int, int], places: list[Place]) -> Pixels:
    """The example face pasted at `places` before a plain wall, (H, W, 3) uint8."""
    head = Image.open(EXAMPLE).convert("RGB").crop(REGION)
    canvas = Image.new("RGB", size, WALL)
    for x, y, width in places:
        side = round((REGION[2] - REGION[0]) * width / FACE_WIDTH)
        resized = head.resize((side, side), Image.Resampling.LANCZOS)
        canvas.paste(resized, (x - side // 2, y - side // 2))
    return np.asarray(canvas)


def grid(size: tuple[int, int], count: int, rows: int, width: int) -> list[Place]:
    """`count` faces in `rows` rows, evenly spaced."""
    columns = count // rows
    return [
        (
            round((number % columns + 0.5) * size[0] / columns),
            round((number // columns + 0.5) * size[1] / rows),
            width,
        )
        for number in range(count)
    ]


def crowd_behind(size: tuple[int, int], near: int, far: int) -> list[Place]:
    """A near face at the left, and twelve distant ones at the right."""
    wide, high = size
    right = [
        (round(wide * (0.56 + 0.12 * (number % 4))), round(high * (0.2 + 0.3 * (number // 4))), far)
        for number in range(12)
    ]
    return [(wide // 4, high // 2, near), *right]


def group_scenes() -> Iterator[tuple[str, tuple[int, int], list[Place]]]:
    """Name, size and faces of every scene with faces."""
    photo, large = (4000, 3000), (6000, 4000)
    yield "24 of 120 px, 24 MP", large, grid(large, 24, 3, 120)
    yield "12 of 85 px, 12 MP", photo, grid(photo, 12, 3, 85)
    yield "one of 900 px and 12 of 150 px, 12 MP", photo, crowd_behind(photo, 900, 150)
    yield "one of 1,500 px and 12 of 150 px, 24 MP", large, crowd_behind(large, 1500, 150)
    for width in (40, 60, 80, 100):
        yield f"one of {width} px, 24 MP", large, [(3700, 1300, width)]


def without_faces(count: int, seed: int = 0) -> Iterator[tuple[str, Pixels]]:
    """Kind and pixels of textures, noise, landscapes, discs and text, 1 to 12 megapixels."""
    rng = np.random.default_rng(seed)
    kinds = {
        "noise": _noise,
        "clouds": _clouds,
        "fractal": _fractal,
        "landscape": _landscape,
        "discs": _discs,
        "text": _text,
    }
    sizes = ((1200, 900), (2400, 1800), (4000, 3000))
    for number in range(count):
        kind = list(kinds)[number % len(kinds)]
        size = sizes[number // len(kinds) % len(sizes)]
        yield kind, kinds[kind](size, rng)


def _noise(size: tuple[int, int], rng: np.random.Generator) -> Pixels:
    return rng.integers(0, 256, (size[1], size[0], 3), np.uint8)


def _clouds(size: tuple[int, int], rng: np.random.Generator) -> Pixels:
    coarse = Image.fromarray(rng.integers(0, 256, (9, 12, 3), np.uint8))
    return np.asarray(coarse.resize(size, Image.Resampling.BICUBIC))


def _fractal(size: tuple[int, int], rng: np.random.Generator) -> Pixels:
    total = np.zeros((size[1], size[0], 3), np.float32)
    for octave in range(2, 9):
        layer = Image.fromarray(rng.integers(0, 256, (2**octave, 2**octave, 3), np.uint8))
        total += np.asarray(layer.resize(size, Image.Resampling.BICUBIC)) / 2 ** (0.7 * octave)
    total -= total.min()
    return (total / total.max() * 255).astype(np.uint8)


def _landscape(size: tuple[int, int], rng: np.random.Generator) -> Pixels:
    wide, high = size
    down = np.linspace(0, 1, high)[:, None] + np.zeros((1, wide))
    sky = np.stack([100 + 100 * down, 150 + 60 * down, 230 - 20 * down], -1)
    along = np.arange(wide) / wide
    ridge = 0.5 + 0.1 * np.sin(along * rng.uniform(6, 20) + rng.uniform(0, 6))
    ground = np.array([60, 110, 50]) + rng.normal(0, 18, (high, wide, 1))
    picture = np.where((down > ridge)[..., None], ground, sky)
    return np.clip(picture, 0, 255).astype(np.uint8)


def _discs(size: tuple[int, int], rng: np.random.Generator) -> Pixels:
    picture = Image.new("RGB", size, _colour(rng))
    draw = ImageDraw.Draw(picture)
    for _ in range(120):
        x, y, radius = rng.integers(0, (*size, size[1] // 8)).tolist()
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=_colour(rng))
    return np.asarray(picture.filter(ImageFilter.GaussianBlur(2)))


def _text(size: tuple[int, int], rng: np.random.Generator) -> Pixels:
    picture = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(picture)
    for top in range(20, size[1] - 20, 26):
        letters = "".join(map(chr, rng.integers(33, 127, size[0] // 8).tolist()))
        draw.text((20, top), letters, "black", font_size=20)
    return np.asarray(picture)


def _colour(rng: np.random.Generator) -> tuple[int, ...]:
    return tuple(rng.integers(0, 256, 3).tolist())
