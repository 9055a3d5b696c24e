"""PSNR and SSIM: values worked out by hand, and slow code that follows the paper's formula."""

from __future__ import annotations

import math

import numpy as np
import pytest

from facegauge.arrays import Pixels
from facegauge.errors import UsageError
from facegauge.evaluation.fidelity import psnr, ssim


def even(level: int, height: int = 16, width: int = 14) -> Pixels:
    return np.full((height, width, 3), level, np.uint8)


def pair(seed: int = 0) -> tuple[Pixels, Pixels]:
    rng = np.random.default_rng(seed)
    clean = rng.integers(0, 256, (15, 18, 3)).astype(np.uint8)
    noisy = np.clip(clean + rng.normal(0, 30, clean.shape), 0, 255).astype(np.uint8)
    return noisy, clean


def test_psnr_by_hand() -> None:
    assert psnr(even(11), even(10)) == pytest.approx(20 * math.log10(255))  # each is off by 1
    one = even(10)
    one[0, 0, 0] += 100  # a mean squared error of 100^2 / (16 * 14 * 3)
    assert psnr(one, even(10)) == pytest.approx(10 * math.log10(255**2 * 672 / 100**2))
    assert psnr(even(10), even(10)) == math.inf


def test_ssim_by_hand() -> None:
    # Even pictures have no variance: only the luminance term is left. C1 = 6.5025, C2 = 58.5225.
    expected = (2 * 100 * 50 + 6.5025) / (100**2 + 50**2 + 6.5025)
    assert ssim(even(100), even(50)) == pytest.approx(expected)
    # Stripes against their negative have a mean of 127.5, and covariance = -variance.
    stripes = np.zeros((11, 11, 3), np.uint8)
    stripes[:, ::2] = 255
    weights = np.exp(-((np.arange(11) - 5) ** 2) / 4.5)
    weights /= weights.sum()
    share = weights[::2].sum()  # of the window on white; the negative has the rest
    bright, dim, variance = 255 * share, 255 * (1 - share), 255**2 * share * (1 - share)
    light = (2 * bright * dim + 6.5025) / (bright**2 + dim**2 + 6.5025)
    by_hand = light * (-2 * variance + 58.5225) / (2 * variance + 58.5225)
    assert ssim(stripes, 255 - stripes) == pytest.approx(by_hand)
    assert ssim(stripes, stripes) == pytest.approx(1)


def test_ssim_equals_slow_loops() -> None:
    noisy, clean = pair()
    window = np.array([[math.exp(-(x * x + y * y) / 4.5) for x in range(-5, 6)]
                       for y in range(-5, 6)])  # fmt: skip
    window /= window.sum()
    values = []
    for channel in range(3):
        for top in range(15 - 10):
            for left in range(18 - 10):
                part = np.s_[top : top + 11, left : left + 11, channel]
                a, b = noisy[part].astype(float), clean[part].astype(float)
                mu_a, mu_b = (window * a).sum(), (window * b).sum()
                var_a, var_b = (window * (a - mu_a) ** 2).sum(), (window * (b - mu_b) ** 2).sum()
                both = (window * (a - mu_a) * (b - mu_b)).sum()
                values.append(
                    (2 * mu_a * mu_b + 6.5025) * (2 * both + 58.5225)
                    / ((mu_a**2 + mu_b**2 + 6.5025) * (var_a + var_b + 58.5225))
                )  # fmt: skip
    assert ssim(noisy, clean) == pytest.approx(np.mean(values), abs=1e-12)
    assert ssim(noisy, clean) == ssim(clean, noisy)


def test_small_pictures_and_other_sizes() -> None:
    assert math.isnan(ssim(even(1, 10), even(1, 10)))
    with pytest.raises(UsageError, match="has 14 x 16 pixels and its reference 14 x 12"):
        psnr(even(1), even(1, 12))
