"""From a face to the network's input, against a slow loop and values worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from facegauge.faces.sampling import sample, to_tensor
from facegauge.faces.spec import PreprocessSpec
from facegauge.results import Box

RNG = np.random.default_rng(11)


def keys(x: float) -> float:
    """Keys' cubic kernel, a = -0.75, as the textbook writes it."""
    a, x = -0.75, abs(x)
    if x <= 1:
        return (a + 2) * x**3 - (a + 3) * x**2 + 1
    return a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a if x < 2 else 0.0


def triangle(x: float) -> float:
    return max(0.0, 1 - abs(x))


def slow_sample(pixels: np.ndarray, frame: Box, spec: PreprocessSpec) -> np.ndarray:
    """One output pixel at a time, over a window that is certainly wide enough."""
    limit_y, limit_x = pixels.shape[0] - 1, pixels.shape[1] - 1
    step_x, step_y = frame.width / spec.width, frame.height / spec.height
    wide_x, wide_y = (max(1, s) if spec.antialias else 1 for s in (step_x, step_y))
    kernel = {"bicubic": keys, "bilinear": triangle}[spec.interpolation]
    out = np.zeros((spec.height, spec.width, 3))
    for row in range(spec.height):
        y = frame.top + (row + 0.5) * step_y - 0.5
        for column in range(spec.width):
            x = frame.left + (column + 0.5) * step_x - 0.5
            total, weight = np.zeros(3), 0.0
            for v in range(math.floor(y - 2 * wide_y), math.ceil(y + 2 * wide_y) + 1):
                for u in range(math.floor(x - 2 * wide_x), math.ceil(x + 2 * wide_x) + 1):
                    w = kernel((x - u) / wide_x) * kernel((y - v) / wide_y)
                    total += w * pixels[min(max(v, 0), limit_y), min(max(u, 0), limit_x)]
                    weight += w
            out[row, column] = total / weight
    return np.clip(out, 0, 255)


@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize(
    "frame",
    [
        Box(3.3, 2.1, 17.8, 20.9),  # inside, shrunk
        Box(5.0, 5.0, 8.0, 9.5),  # inside, enlarged
        Box(-6.5, -4.25, 30.0, 33.0),  # beyond every border
        Box(40.0, 1.0, 60.0, 20.0),  # wholly beyond the right border
    ],
)
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
def test_sample_equals_a_slow_loop(frame: Box, antialias: bool, interpolation: str) -> None:
    pixels = RNG.integers(0, 256, (24, 20, 3), dtype=np.uint8)
    spec = PreprocessSpec(width=7, height=9, interpolation=interpolation, antialias=antialias)
    fast = sample(pixels, frame, spec)
    assert fast.shape == (9, 7, 3) and fast.dtype == np.uint8
    assert np.abs(fast - slow_sample(pixels, frame, spec)).max() <= 0.51


@pytest.mark.parametrize("antialias", [False, True])
def test_whole_pixels_at_the_same_size_come_back_unchanged(antialias: bool) -> None:
    pixels = RNG.integers(0, 256, (30, 25, 3), dtype=np.uint8)
    spec = PreprocessSpec(width=25, height=30, antialias=antialias)
    np.testing.assert_array_equal(sample(pixels, Box(0, 0, 25, 30), spec), pixels)
    inner = PreprocessSpec(width=10, height=12, antialias=antialias)
    np.testing.assert_array_equal(sample(pixels, Box(4, 7, 14, 19), inner), pixels[7:19, 4:14])


@pytest.mark.parametrize("width", [40, 400])  # of a wide frame few columns are used
@pytest.mark.parametrize("channels", [slice(None), slice(None, None, -1)])
def test_views_of_a_picture_are_sampled_as_copies_of_them(width: int, channels: slice) -> None:
    pixels = RNG.integers(0, 256, (width, 30, 3), dtype=np.uint8)[..., channels]
    spec = PreprocessSpec(width=8, height=9)
    for turned in (np.rot90(pixels), np.rot90(pixels, 2), pixels.swapaxes(0, 1)):
        frame = Box(1.5, -2.5, turned.shape[1] - 3.0, 31.0)
        expected = sample(np.ascontiguousarray(turned), frame, spec)
        np.testing.assert_array_equal(sample(turned, frame, spec), expected)


def test_point_sampling_by_hand() -> None:
    # Shrunk by three, each centre falls on a pixel: without anti-aliasing that pixel alone counts.
    pixels = RNG.integers(0, 256, (9, 12, 3), dtype=np.uint8)
    spec = PreprocessSpec(width=4, height=3, antialias=False)
    np.testing.assert_array_equal(sample(pixels, Box(0, 0, 12, 9), spec), pixels[1::3, 1::3])
    # Half way between two pixels the kernel gives -3/32, 19/32, 19/32, -3/32 for a = -0.75.
    row = np.array([0, 64, 128, 0], np.uint8)[None, :, None].repeat(3, 2)
    half = sample(row, Box(1.5, 0, 2.5, 1), PreprocessSpec(width=1, height=1))
    assert half[0, 0].tolist() == [round((64 + 128) * 19 / 32)] * 3
    # and bilinear interpolation their mean
    spec = PreprocessSpec(width=1, height=1, interpolation="bilinear")
    assert sample(row, Box(1.5, 0, 2.5, 1), spec)[0, 0].tolist() == [96] * 3


def test_beyond_the_border_the_border_is_repeated() -> None:
    pixels = RNG.integers(0, 256, (6, 5, 3), dtype=np.uint8)
    padded = np.pad(pixels, ((8, 8), (8, 8), (0, 0)), mode="edge")
    spec = PreprocessSpec(width=11, height=14)
    outside = sample(pixels, Box(-4.3, -5.1, 9.0, 11.0), spec)
    np.testing.assert_array_equal(outside, sample(padded, Box(3.7, 2.9, 17.0, 19.0), spec))


def test_to_tensor_by_hand() -> None:
    spec = PreprocessSpec(mean=(0.0, 0.5, 1.0), std=(1.0, 0.5, 0.25))
    tensor = to_tensor(np.array([[[255, 255, 0], [0, 0, 255]]], np.uint8), spec)
    assert tensor.dtype == np.float32 and tensor.shape == (3, 1, 2) and tensor.flags["C_CONTIGUOUS"]
    np.testing.assert_allclose(tensor[:, 0], [[1, 0], [1, -1], [-4, 0]], atol=1e-6)


@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize(
    ("size", "frame"),
    [
        ((120, 90), Box(3.3, 2.1, 87.8, 110.9)),  # enlarged
        ((500, 700), Box(1.5, 4.25, 690.0, 490.0)),  # shrunk, of which few columns are used
        ((120, 90), Box(-30.5, 60.0, 50.0, 180.5)),  # beyond the border
    ],
)
def test_sums_are_taken_in_one_order_to_the_last_bit(
    size: tuple[int, int], frame: Box, antialias: bool
) -> None:
    """Float32 sums over the rows' taps, then over the columns'; scores of tables depend on it."""
    pixels = RNG.integers(0, 256, (*size, 3), dtype=np.uint8)
    spec = PreprocessSpec(width=40, height=150, antialias=antialias)  # more than a block of rows
    strip = one_axis(pixels, frame.top, frame.bottom, spec.height, antialias)
    whole = one_axis(strip.swapaxes(0, 1), frame.left, frame.right, spec.width, antialias)
    expected = np.clip(np.rint(whole.swapaxes(0, 1)), 0, 255).astype(np.uint8)
    np.testing.assert_array_equal(sample(pixels, frame, spec), expected)
    turned = np.rot90(np.ascontiguousarray(np.rot90(pixels)), -1)  # the same, not contiguous
    np.testing.assert_array_equal(sample(turned, frame, spec), expected)


def one_axis(values: np.ndarray, start: float, stop: float, n: int, antialias: bool) -> np.ndarray:
    scale = (stop - start) / n
    wide = max(1.0, scale) if antialias else 1.0
    reach = math.ceil(2 * wide)
    centers = start + (np.arange(n) + 0.5) * scale - 0.5
    made = []
    for center in centers:
        places = np.floor(center) + np.arange(1 - reach, reach + 1)
        weights = np.array([keys(abs(center - place) / wide) for place in places])
        total = np.zeros(values.shape[1:], np.float32)
        for place, weight in zip(places, (weights / weights.sum()).astype(np.float32), strict=True):
            total += values[int(np.clip(place, 0, len(values) - 1))].astype(np.float32) * weight
        made.append(total)
    return np.stack(made)
