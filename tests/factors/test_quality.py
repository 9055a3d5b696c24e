"""The factors of quality on generated faces: what each follows, and what leaves it alone."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from facegauge import Scorer
from facegauge.arrays import Pixels
from facegauge.data.degradations import degrade
from facegauge.faces.framing import frame_around, missing_head
from facegauge.faces.pose import UPRIGHT
from facegauge.faces.spec import PreprocessSpec
from facegauge.factors.detail import noise, noise_of
from facegauge.factors.pose import DEPTHS, turned_away
from facegauge.factors.quality import Quality
from facegauge.factors.view import view_of
from facegauge.ratings import RATINGS
from facegauge.results import Box, Face

SPEC = PreprocessSpec()
BOX = Box(110, 150, 290, 382)
CENTRE = np.array([200.0, 262.0])
POINTS = tuple(map(tuple, (UPRIGHT * 150 + CENTRE).tolist()))
FACE = Face(BOX, 0.9, POINTS)
SIZE = (400, 480)


def drawn(background: Image.Image | None = None) -> Image.Image:
    """Something like a face: sharp eyes, brows, nose and mouth on uneven skin."""
    canvas = background or Image.new("RGB", SIZE, (120, 125, 130))
    draw = ImageDraw.Draw(canvas)
    draw.ellipse((105, 120, 295, 400), (205, 160, 135))
    for x, y in POINTS[:2]:
        draw.ellipse((x - 26, y - 12, x + 26, y + 12), (240, 238, 232))
        draw.ellipse((x - 11, y - 11, x + 11, y + 11), (60, 45, 40))
        draw.arc((x - 32, y - 44, x + 32, y + 10), 200, 340, (70, 50, 40), 7)
    (x, y), mouth = POINTS[2], POINTS[3:]
    draw.line((x - 6, y - 70, x - 14, y, x + 12, y + 2), (160, 115, 95), 4)
    draw.ellipse((mouth[0][0], mouth[0][1] - 12, mouth[1][0], mouth[1][1] + 16), (170, 85, 80))
    draw.line((*mouth[0], *mouth[1]), (95, 45, 45), 4)
    return canvas


def textured(picture: Image.Image) -> Pixels:
    """With fine texture, as skin and hair have."""
    rng = np.random.default_rng(0)
    grain = rng.normal(0, 1.2, (SIZE[1], SIZE[0], 1))
    return np.clip(np.asarray(picture, float) + grain, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def plain() -> Pixels:
    return textured(drawn())


def values(pixels: Pixels, face: Face = FACE) -> dict[str, float]:
    """Values by factor."""
    cells = Quality(SPEC).measure(pixels, face, frame_around(face, SPEC))
    return {
        name.removeprefix("factor_"): value
        for name, value in cells.items()
        if name.startswith("factor_") and isinstance(value, float | int)
    }


FOLLOWED = [
    ("sharpness", "gaussian_blur", -1),
    ("sharpness", "defocus", -1),
    ("motion", "motion_blur", 1),
    ("noise", "noise", 1),
    ("noise", "iso_noise", 1),
    ("blocking", "jpeg", 1),
    ("exposure", "dark", -1),
    ("contrast", "low_contrast", -1),
]


@pytest.mark.parametrize(("factor", "kind", "sign"), FOLLOWED)
def test_a_factor_follows_its_own_degradation(
    plain: Pixels, factor: str, kind: str, sign: int
) -> None:
    found = [
        values(degrade(plain, kind, severity, np.random.default_rng(3)))[factor]
        for severity in (0, 2, 3, 5)
    ]
    assert (sign * np.diff(found) > 0).all(), found


def test_light_that_is_lost_and_colours_have_a_sign(plain: Pixels) -> None:
    bright = values(degrade(plain, "bright", 5, np.random.default_rng(0)))
    assert bright["exposure"] > 0.3 > abs(values(plain)["exposure"])
    warm, cold = plain.copy(), plain.copy()
    warm[..., 2] //= 2
    cold[..., 0] //= 2
    cast = values(plain)["colour_cast"]
    assert values(warm)["colour_cast"] > cast + 0.6 and values(cold)["colour_cast"] < cast - 0.6
    grey = np.asarray(Image.fromarray(plain).convert("L").convert("RGB"))
    assert "colour_cast" not in values(grey)


@pytest.mark.parametrize("level", [0, 255])
def test_noise_is_not_looked_for_in_black_and_clipped_parts(level: int) -> None:
    face = np.random.default_rng(0).normal(120, 4, (122, 98)).astype(np.float32)
    whole = noise(face)
    assert whole == pytest.approx(4, rel=0.1)
    face[:61] = level
    assert noise(face) == pytest.approx(whole, rel=0.1)


def test_noise_of_small_faces_is_that_of_their_own_pixels(plain: Pixels) -> None:
    def small(kind: str, severity: int) -> tuple[float, float]:
        shrunk = Image.fromarray(plain).resize((SIZE[0] // 3, SIZE[1] // 3))
        pixels = degrade(np.asarray(shrunk), kind, severity, np.random.default_rng(0))
        box = Box(*(edge / 3 for edge in (BOX.left, BOX.top, BOX.right, BOX.bottom)))
        face = Face(box, 0.9, tuple((x / 3, y / 3) for x, y in POINTS))
        view = view_of(pixels, box, frame_around(face, SPEC))
        assert view.enlarged
        found = Quality(SPEC).measure(pixels, face, frame_around(face, SPEC))["factor_noise"]
        assert isinstance(found, float)
        return found, noise(view.face)

    found, smoothed = small("noise", 3)
    assert found > RATINGS["noise"].threshold > RATINGS["noise"].good > smoothed
    found, smoothed = small("gaussian_blur", 0)
    assert found == smoothed  # texture is not noise
    assert small("noise", 5)[0] > small("noise", 4)[0] > small("noise", 3)[0]


def test_noise_of_larger_faces_is_as_it_shows(plain: Pixels) -> None:
    larger = np.asarray(Image.fromarray(plain).resize((SIZE[0] * 2, SIZE[1] * 2)))
    large = degrade(
        larger, "noise", 4, np.random.default_rng(0)
    )  # more than shows at half the size
    box = Box(*(edge * 2 for edge in (BOX.left, BOX.top, BOX.right, BOX.bottom)))
    face = Face(box, 0.9, tuple((x * 2, y * 2) for x, y in POINTS))
    view = view_of(large, box, frame_around(face, SPEC))
    assert not view.enlarged and noise_of(view, 0.0) == noise(view.face)


def test_noise_is_not_taken_for_sharpness(plain: Pixels) -> None:
    blurred = degrade(plain, "gaussian_blur", 4, np.random.default_rng(0))
    noisy = degrade(blurred, "noise", 4, np.random.default_rng(0))
    sharp = values(plain)["sharpness"]
    assert values(noisy)["sharpness"] < (sharp + values(blurred)["sharpness"]) / 2


def test_light_changes_neither_sharpness_nor_motion(plain: Pixels) -> None:
    dark, before = degrade(plain, "dark", 3, np.random.default_rng(0)), values(plain)
    after = values(dark)
    assert after["sharpness"] == pytest.approx(before["sharpness"], rel=0.05)
    assert after["motion"] == pytest.approx(before["motion"], abs=0.05)
    assert after["contrast"] == pytest.approx(before["contrast"], abs=0.05)


def test_a_sharp_face_before_a_blurred_background_is_sharp() -> None:
    rng = np.random.default_rng(1)
    busy = Image.fromarray(rng.integers(0, 255, (60, 50, 3), np.uint8)).resize(SIZE, 0)
    blurred = busy.filter(ImageFilter.GaussianBlur(12))
    before = values(textured(drawn(busy)))
    after = values(textured(drawn(blurred)))
    assert after["sharpness"] == pytest.approx(before["sharpness"], rel=0.1)
    soft = drawn().filter(ImageFilter.GaussianBlur(5))
    mask = Image.new("L", SIZE, 0)
    ImageDraw.Draw(mask).ellipse((105, 120, 295, 400), 255)
    busy.paste(soft, mask=mask)  # and a blurred face before a sharp one is not
    assert values(np.asarray(busy))["sharpness"] < 0.8 * after["sharpness"]


def test_a_large_copy_has_the_same_values(plain: Pixels) -> None:
    large = np.asarray(Image.fromarray(plain).resize((1600, 1920), Image.Resampling.BICUBIC))
    box = Box(*(4 * edge for edge in (BOX.left, BOX.top, BOX.right, BOX.bottom)))
    face = Face(box, 0.9, tuple((4 * x, 4 * y) for x, y in POINTS))
    before, after = values(plain), values(large, face)
    assert after["resolution"] == 4 * before["resolution"]
    for name in ("exposure", "contrast", "colour_cast", "pose", "cut_off"):
        assert after[name] == pytest.approx(before[name], abs=0.03), name
    assert after["sharpness"] == pytest.approx(before["sharpness"], rel=0.15)


@pytest.mark.parametrize(("sideways", "tilt"), [(0, 0), (25, 0), (-40, 0), (0, 30), (20, -15)])
def test_pose_is_the_angle_of_a_turned_model(sideways: float, tilt: float) -> None:
    yaw, roll = math.radians(sideways), math.radians(tilt)
    x, y = UPRIGHT.T
    depth = np.array(DEPTHS)
    seen = np.array([x * math.cos(yaw) + depth * math.sin(yaw), y])
    turn = np.array([[math.cos(roll), -math.sin(roll)], [math.sin(roll), math.cos(roll)]])
    points = tuple(map(tuple, (80 * (turn @ seen).T + 200).tolist()))
    expected = math.hypot(sideways, tilt)
    assert turned_away(points) == pytest.approx(expected, abs=0.15 * expected + 0.5)


def test_pose_needs_points() -> None:
    assert turned_away(()) is None
    assert turned_away(((5.0, 5.0),) * 5) is None


def test_the_head_may_be_cut_off() -> None:
    assert missing_head(Box(100, 100, 200, 200), 400, 400) == 0
    # the head is 120 wide and 125 high; 10 of its left and none of its other sides are outside
    assert missing_head(Box(0, 100, 100, 200), 400, 400) == pytest.approx(10 / 120)
    assert missing_head(Box(100, 0, 200, 100), 400, 400) == pytest.approx(25 / 125)


@pytest.mark.parametrize("level", [0, 128, 255])
@pytest.mark.parametrize("size", [(1, 1), (3, 40), (90, 60)])
def test_even_and_tiny_pictures_have_values(level: int, size: tuple[int, int]) -> None:
    pixels = np.full((*size, 3), level, np.uint8)
    height, width = size
    cells = Quality(SPEC).measure(pixels, None, Box(0, 0, width, height))
    assert cells["factor_noise"] == cells["factor_blocking"] == cells["factor_sharpness"] == 0
    assert cells["factor_pose"] is None and cells["factor_colour_cast"] is None
    assert all(value is None or math.isfinite(float(value)) for value in cells.values())


def test_a_face_at_the_border_has_values(plain: Pixels) -> None:
    cut = plain[200:, 180:]
    face = Face(Box(-70, -50, 110, 182), 0.9, tuple((x - 180, y - 200) for x, y in POINTS))
    found = values(cut, face)
    assert found["cut_off"] > 0.3 and found["sharpness"] > 0


def test_true_stands_for_quality(toy_scorer: object, grey: Callable[..., object]) -> None:
    scorer = Scorer(toy_scorer, faces="whole", factors=True)  # type: ignore[arg-type]
    assert scorer.settings["factors"] == ["quality"]
    result = scorer.score(grey("a.png", 60, (96, 128)))  # type: ignore[arg-type]
    assert result.faces[0].ratings["resolution"].value is not None
    assert not Scorer(toy_scorer, factors=False).factors  # type: ignore[arg-type]
