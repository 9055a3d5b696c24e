"""Every degradation: shape, strength that grows with severity, nothing at severity 0."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from facegauge.errors import UsageError
from facegauge.training.degradations import DEGRADATIONS, degrade


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    """Structure at every scale, away from black and white."""
    rng = np.random.default_rng(0)
    total = np.zeros((96, 80, 3), np.float32)
    for size in (4, 12, 40, 80):
        grain = Image.fromarray(rng.integers(60, 196, (size, size, 3), np.uint8))
        total += np.asarray(grain.resize((80, 96), Image.Resampling.BICUBIC), np.float32)
    return (total / 4).astype(np.uint8)


@pytest.mark.parametrize("kind", DEGRADATIONS)
def test_distance_grows_with_severity(kind: str, picture: np.ndarray) -> None:
    def distance(severity: float) -> float:
        out = degrade(picture, kind, severity, np.random.default_rng(1))
        assert out.shape == picture.shape and out.dtype == np.uint8
        return float(np.abs(out.astype(float) - picture).mean())

    distances = [distance(severity) for severity in (0, 1, 2, 3, 4, 5)]
    assert distances[0] == 0
    assert all(a < b for a, b in pairwise(distances)), distances


@pytest.mark.parametrize("kind", DEGRADATIONS)
def test_same_seed_same_picture(kind: str, picture: np.ndarray) -> None:
    one, two = (degrade(picture, kind, 2.5, np.random.default_rng(7)) for _ in range(2))
    assert np.array_equal(one, two)


def test_noise_has_the_stated_spread() -> None:
    grey = np.full((200, 200, 3), 128, np.uint8)
    noisy = degrade(grey, "noise", 2, np.random.default_rng(0)).astype(float)
    assert noisy.std() == pytest.approx(10, rel=0.03)


def test_dark_scales_linear_light() -> None:
    grey = np.full((4, 4, 3), 200, np.uint8)
    dark = degrade(grey, "dark", 1, np.random.default_rng(0))
    assert dark[0, 0, 0] == round(255 * ((200 / 255) ** 2.2 * 0.72) ** (1 / 2.2))


def test_motion_blur_keeps_a_flat_picture() -> None:
    grey = np.full((40, 40, 3), 90, np.uint8)
    assert np.array_equal(degrade(grey, "motion_blur", 5, np.random.default_rng(0)), grey)


def test_wrong_words_are_named() -> None:
    grey = np.zeros((4, 4, 3), np.uint8)
    with pytest.raises(UsageError, match="unknown degradation 'fog'"):
        degrade(grey, "fog", 1, np.random.default_rng(0))
    with pytest.raises(UsageError, match=r"0\.\.5, got 6"):
        degrade(grey, "noise", 6, np.random.default_rng(0))
