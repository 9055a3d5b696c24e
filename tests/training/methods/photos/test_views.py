"""Changes that leave a label as it is: geometry, compression, tints."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from facegauge.faces.sampling import sample
from facegauge.faces.spec import PreprocessSpec
from facegauge.results import Box
from facegauge.training.methods.photos.views import FILTERS, compressed, resized, tinted


def smooth(width: int = 60, height: int = 80) -> np.ndarray:
    """Colours that rise along both axes."""
    x, y = np.meshgrid(np.linspace(20, 230, width), np.linspace(40, 200, height))
    return np.stack([x, y, (x + y) / 2], 2).round().astype(np.uint8)


def test_the_frame_is_resized_with_the_picture() -> None:
    pixels, frame = resized(smooth(), Box(6, 8, 36, 48), 2.5, FILTERS[1])
    assert pixels.shape == (200, 150, 3) and pixels.dtype == np.uint8
    assert frame == Box(15, 20, 90, 120)
    pixels, frame = resized(smooth(), Box(6, 8, 36, 48), 0.01, FILTERS[1])
    assert pixels.shape == (2, 2, 3)  # never nothing
    assert frame.right == pytest.approx(36 / 30)


@pytest.mark.parametrize("resampling", FILTERS)
def test_an_enlargement_shows_the_same_face(resampling: Image.Resampling) -> None:
    spec, frame = PreprocessSpec(width=24, height=32, interpolation="bilinear"), Box(6, 8, 54, 72)
    large = sample(*resized(smooth(), frame, 3.0, resampling), spec)
    assert np.abs(large.astype(int) - sample(smooth(), frame, spec)).max() <= 2


def test_compression_keeps_the_picture_and_loses_detail() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (48, 48, 3), np.uint8)
    fine, coarse = (np.abs(compressed(noise, q).astype(int) - noise).mean() for q in (96, 60))
    assert 0 < fine < coarse
    out = compressed(smooth(), 90)
    assert out.shape == (80, 60, 3) and out.dtype == np.uint8
    assert np.abs(out.astype(int) - smooth()).mean() < 3


class Drawn:
    """In place of a generator: draws which tint, then the given numbers."""

    def __init__(self, kind: int, *numbers: float) -> None:
        self.kind, self.numbers = kind, list(numbers)

    def integers(self, stop: int) -> int:
        assert self.kind < stop
        return self.kind

    def uniform(self, low: float, high: float, size: int | None = None) -> object:
        given = [self.numbers.pop(0) for _ in range(size or 1)]
        assert all(low <= one <= high for one in given)
        return np.array(given) if size else given[0]


def test_tints_by_hand() -> None:
    pixels = np.array([[[200, 100, 50], [0, 0, 0]]], np.uint8)
    grey = 0.299 * 200 + 0.587 * 100 + 0.114 * 50  # 124.2
    for kind in (0, 1):
        found = tinted(pixels, Drawn(kind))  # type: ignore[arg-type]
        assert found.tolist() == [[[124] * 3, [0] * 3]] and found.dtype == np.uint8
    sepia = tinted(pixels, Drawn(2, 10.0))  # type: ignore[arg-type]
    assert sepia[0, 0].tolist() == [
        round(grey * 1.07 + 10),
        round(grey * 0.95 + 8),
        round(grey * 0.78 + 4),
    ]
    assert sepia[0, 1].tolist() == [10, 8, 4]
    cast = tinted(pixels, Drawn(3, 0.5, 1.2, 1.0, 0.75))  # type: ignore[arg-type]
    halves = [(grey + value) / 2 for value in (200, 100, 50)]
    assert cast[0, 0].tolist() == [
        round(halves[0] * 1.2),
        round(halves[1]),
        round(halves[2] * 0.75),
    ]
    assert (tinted(np.full((1, 1, 3), 255, np.uint8), Drawn(3, 0.5, 1.2, 1.2, 1.2)) == 255).all()  # type: ignore[arg-type]


def test_half_of_the_tints_are_grey() -> None:
    rng, pixels = np.random.default_rng(0), np.array([[[200, 100, 50]]], np.uint8)
    greys = sum(len(set(tinted(pixels, rng)[0, 0].tolist())) == 1 for _ in range(400))
    assert 160 < greys < 240
