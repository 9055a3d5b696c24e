"""The apparent colour of the cheeks."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from facegauge.data.degradations import degrade
from facegauge.faces.spec import PreprocessSpec
from facegauge.factors.skin import Skin, cheeks, ita, lab
from facegauge.results import Box, Face

POINTS = ((40.0, 40.0), (80.0, 40.0), (60.0, 60.0), (45.0, 80.0), (75.0, 80.0))
FACE = Face(Box(20, 10, 100, 110), 0.9, POINTS)
FRAME = Box(0, 0, 120, 120)


def halves(left: tuple[int, int, int], right: tuple[int, int, int]) -> np.ndarray:
    pixels = np.full((120, 120, 3), left, np.uint8)
    pixels[:, 60:] = right
    return pixels


@pytest.mark.parametrize(
    ("colour", "expected"),
    [
        ((255, 255, 255), (100, 0, 0)),
        ((0, 0, 0), (0, 0, 0)),
        ((119, 119, 119), (50.03, 0, 0)),
        ((255, 0, 0), (53.24, 80.09, 67.20)),  # published values of sRGB's primaries under D65
        ((0, 0, 255), (32.30, 79.19, -107.86)),
    ],
)
def test_lab_of_known_colours(colour: tuple[int, int, int], expected: tuple[float, ...]) -> None:
    assert lab(colour) == pytest.approx(expected, abs=0.02)


def test_the_angle_by_hand() -> None:
    assert ita(np.array([70.0, 10.0, 20.0])) == pytest.approx(45)
    assert ita(np.array([50.0, 10.0, 20.0])) == 0
    assert ita(np.array([40.0, 0.0, 10.0])) == pytest.approx(-45)


def test_patches_lie_on_the_cheeks() -> None:
    # halfway between (40, 40) and (45, 80), and 0.15 of 40 px outwards: (36.5, 60)
    pixels = np.zeros((120, 120, 3), np.uint8)
    pixels[56:64, 32:40] = 200
    pixels[56:64, 80:88] = 100
    left, right = cheeks(pixels, FACE) or ((), ())
    assert np.asarray(left).shape == (10, 10, 3) == np.asarray(right).shape
    assert np.median(left) == 200 and np.median(right) == 100


def test_both_cheeks_and_their_difference() -> None:
    light, dark = (200, 160, 140), (120, 80, 60)
    found = Skin(PreprocessSpec()).measure(halves(light, dark), FACE, FRAME)
    sides = lab(light), lab(dark)
    mean = (sides[0] + sides[1]) / 2
    assert found["skin_lightness"] == pytest.approx(mean[0])
    assert found["skin_hue"] == pytest.approx(math.degrees(math.atan2(mean[2], mean[1])))
    assert found["skin_ita_difference"] == pytest.approx(ita(sides[0]) - ita(sides[1]))


def test_darkness_moves_the_angle_of_the_same_skin() -> None:
    pixels = halves((210, 170, 150), (205, 165, 148))
    skin = Skin(PreprocessSpec())
    angles = [
        skin.measure(degrade(pixels, "dark", s, np.random.default_rng(0)), FACE, FRAME)["skin_ita"]
        for s in range(4)
    ]
    assert all(a > b + 5 for a, b in pairwise(angles))  # type: ignore[operator]


def test_where_there_is_no_cheek_there_is_no_value() -> None:
    skin, pixels = Skin(PreprocessSpec()), halves((200, 160, 140), (200, 160, 140))
    assert skin.measure(pixels, None, FRAME) == {}
    assert skin.measure(pixels, Face(FACE.box, 0.9), FRAME) == {}
    aside = Face(FACE.box, 0.9, tuple((x - 34, y) for x, y in POINTS))
    assert skin.measure(pixels, aside, FRAME) == {}
    small = Face(Box(0, 0, 30, 30), 0.9, tuple((x / 3, y / 3) for x, y in POINTS))
    assert skin.measure(pixels, small, FRAME) == {}


def test_grey_pictures_have_a_lightness() -> None:
    grey = np.asarray(Image.new("RGB", (120, 120), (119, 119, 119)))
    found = Skin(PreprocessSpec()).measure(grey, FACE, FRAME)
    assert found["skin_lightness"] == pytest.approx(50.03, abs=0.02)
