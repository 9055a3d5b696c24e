"""Blurred noise that is framed like a face, a teacher that scores sharpness, and a detector."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from facegauge.data.manifests import Manifest, load_manifest
from facegauge.faces.spec import PreprocessSpec
from facegauge.results import Box, Face
from toys import ToyPredictor


def grain(path: Path, rng: np.random.Generator, sharpness: float, width: int = 48) -> Path:
    """Blurred noise, framed like a face: sharper with `sharpness`, 0..1."""
    size = max(2, round(width * sharpness))
    noise = rng.integers(0, 256, (round(size * 5 / 4), size, 3), np.uint8)
    whole = (width, width * 5 // 4)
    Image.fromarray(noise).resize(whole, Image.Resampling.BICUBIC).save(path)
    return path


def sharpness(images: np.ndarray) -> np.ndarray:
    """The toy teacher: how much neighbours differ."""
    return np.abs(np.diff(images, axis=3)).mean((1, 2, 3)).astype(np.float64)


TEACHER = ToyPredictor("toy", "0" * 64, PreprocessSpec(width=24, height=30), sharpness)


def one_face(pixels: np.ndarray) -> list[Face]:
    """In place of the detector: the middle of the picture, unless that is dark."""
    height, width = pixels.shape[:2]
    box = Box(0.3 * width, 0.3 * height, 0.7 * width, 0.7 * height)
    return [Face(box, 0.9)] if pixels.mean() > 60 else []


def listed(folder: Path, count: int, seed: int, held: int, width: int = 48) -> Manifest:
    """Pictures with labels by sharpness; every `held`-th is val's."""
    rng = np.random.default_rng(seed)
    folder.mkdir()
    rows = ["image,score,split"]
    for number in range(count):
        score = (number % 12 + 1) / 13
        grain(folder / f"{number}.png", rng, score, width)
        rows.append(f"{number}.png,{score:.4f},{'train' if number % held else 'val'}")
    (folder / "labels.csv").write_text("\n".join(rows))
    return load_manifest(folder / "labels.csv")
