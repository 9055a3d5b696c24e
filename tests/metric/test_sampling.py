"""Sampling in torch is that of numpy, and that of torch's own function."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from facegauge.faces.sampling import sample as sample_pixels  # noqa: E402
from facegauge.faces.sampling import to_tensor  # noqa: E402
from facegauge.faces.spec import PreprocessSpec  # noqa: E402
from facegauge.metric.sampling import eight_bits, normalise, sample  # noqa: E402
from facegauge.results import Box  # noqa: E402

RNG = np.random.default_rng(5)
FRAMES = [
    Box(3.3, 2.1, 17.8, 20.9),  # inside, shrunk
    Box(5.0, 5.0, 8.0, 9.5),  # inside, enlarged
    Box(-6.5, -4.25, 30.0, 33.0),  # beyond every border
    Box(40.0, 1.0, 60.0, 20.0),  # wholly beyond the right border
    Box(1, 2, 13, 16),  # of the input's size, at whole pixels
]


def levels_of(pixels: np.ndarray, dtype=torch.float32):
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].to(dtype)


@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
def test_samples_are_those_of_numpy(interpolation: str, frame: Box, antialias: bool) -> None:
    spec = PreprocessSpec(width=12, height=14, interpolation=interpolation, antialias=antialias)
    pixels = RNG.integers(0, 256, (24, 20, 3), np.uint8)
    expected = sample_pixels(pixels, frame, spec).astype(int)
    got = sample(levels_of(pixels), frame, spec)[0].permute(1, 2, 0).numpy()
    assert np.array_equal(got, np.rint(got))  # whole levels
    assert np.abs(got - expected).max() <= 1  # of a level between two, either
    assert (got != expected).mean() < 0.01
    smooth = sample(levels_of(pixels), frame, spec, rounding=False)[0].permute(1, 2, 0).numpy()
    assert np.abs(smooth - expected).max() <= 0.5 + 1e-3


@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize("mode", ["bicubic", "bilinear"])
def test_samples_are_those_of_grid_sample(mode: str, frame: Box) -> None:
    """torch's bicubic kernel is Keys' with a = -0.75; there is no anti-aliasing in grid_sample."""
    spec = PreprocessSpec(width=12, height=14, interpolation=mode)
    levels = levels_of(RNG.integers(0, 256, (24, 20, 3), np.uint8), torch.float64)
    x = frame.left + (torch.arange(12, dtype=torch.float64) + 0.5) * frame.width / 12
    y = frame.top + (torch.arange(14, dtype=torch.float64) + 0.5) * frame.height / 14
    grid = torch.stack(torch.meshgrid(2 * x / 20 - 1, 2 * y / 24 - 1, indexing="xy"), -1)[None]
    expected = torch.nn.functional.grid_sample(
        levels, grid, mode=mode, padding_mode="border", align_corners=False
    )
    got = sample(levels, frame, spec, rounding=False)
    assert torch.allclose(got, expected.clamp(0, 255), atol=1e-4)


def test_a_frame_far_from_the_origin_of_a_large_picture_is_exact() -> None:
    """Coordinates in -1..1 of float32 would be off by parts of a pixel here."""
    pixels = RNG.integers(0, 256, (8, 12_000, 3), np.uint8)
    spec = PreprocessSpec(width=12, height=8)
    got = sample(levels_of(pixels), Box(11_900, 0, 11_912, 8), spec)
    assert torch.equal(got, levels_of(pixels[:, 11_900:11_912]))


def test_normalised_levels_are_those_of_numpy() -> None:
    pixels = RNG.integers(0, 256, (14, 12, 3), np.uint8)
    got = normalise(levels_of(pixels), PreprocessSpec())[0].numpy()
    assert np.allclose(got, to_tensor(pixels, PreprocessSpec()), atol=1e-6)


def test_rounding_passes_the_gradient_through_and_clipping_stops_it() -> None:
    levels = torch.tensor([-3.0, 0.2, 99.5, 100.5, 254.6, 300.0], requires_grad=True)
    rounded = eight_bits(levels)
    assert rounded.tolist() == [0, 0, 100, 100, 255, 255]  # halves to even, as numpy
    rounded.sum().backward()
    assert levels.grad.tolist() == [0, 1, 1, 1, 1, 0]


@pytest.mark.parametrize("antialias", [False, True])
def test_the_gradient_of_a_sample_is_right(antialias: bool) -> None:
    spec = PreprocessSpec(width=4, height=5, antialias=antialias)
    levels = torch.rand(1, 3, 9, 8, dtype=torch.float64) * 100 + 80
    assert torch.autograd.gradcheck(
        lambda x: sample(x, Box(-1.3, 0.4, 7.2, 9.9), spec, rounding=False),
        levels.requires_grad_(),
        fast_mode=True,
    )
