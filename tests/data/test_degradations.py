"""Every degradation: shape, strength that grows with severity, no change at severity 0."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from facegauge.data.degradations import DEGRADATIONS, blur, degrade, light, noise_jpeg
from facegauge.data.degradations.contact_sheet import contact_sheet, shrink
from facegauge.errors import UsageError
from facegauge.training.inputs import views

NEW = ("box_blur", "defocus", "zoom_blur", "iso_noise", "shadow", "sun_flare", "colour_cast")


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


@pytest.mark.parametrize("seed", range(6))
def test_motion_blur_grows_with_every_small_step(seed: int, picture: np.ndarray) -> None:
    distances = []
    for severity in np.arange(0, 5.01, 0.25):
        out = degrade(picture, "motion_blur", float(severity), np.random.default_rng(seed))
        distances.append(float(np.abs(out.astype(float) - picture).mean()))
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


@pytest.mark.parametrize("kind", DEGRADATIONS)
@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 7, 3), (3, 2, 3), (9, 1, 3)])
def test_tiny_pictures_are_degraded_too(kind: str, shape: tuple[int, ...]) -> None:
    tiny = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
    for severity in (0.1, 1, 5):
        out = degrade(tiny, kind, severity, np.random.default_rng(0))
        assert out.shape == shape and out.dtype == np.uint8


@pytest.mark.parametrize("kind", DEGRADATIONS)
def test_severity_0_is_the_picture_itself(kind: str, picture: np.ndarray) -> None:
    assert np.array_equal(degrade(picture, kind, 0, np.random.default_rng(0)), picture)
    if kind in NEW:  # also when asked for directly
        assert np.array_equal(DEGRADATIONS[kind](picture, 0, np.random.default_rng(0)), picture)


def test_there_are_fifteen_and_trained_recipes_keep_theirs() -> None:
    assert len(DEGRADATIONS) == 15
    trained = ["gaussian_blur", "downscale", "jpeg", "noise", "motion_blur", "dark", "bright",
               "low_contrast"]  # fmt: skip
    assert list(views.DISTILLED_KINDS) == trained == list(DEGRADATIONS)[:8]


@pytest.mark.parametrize("kind", ["box_blur", "defocus", "zoom_blur"])
def test_blurs_keep_a_flat_picture(kind: str) -> None:
    grey = np.full((40, 31, 3), 90, np.uint8)
    assert np.array_equal(degrade(grey, kind, 5, np.random.default_rng(0)), grey)


def test_defocus_averages_over_a_disc(picture: np.ndarray) -> None:
    """Against a slow sum over the pixels that the disc covers, the border repeated."""
    small = picture[:14, :11]
    radius, fine = 2.4, blur.SUBPIXELS
    cover = np.zeros((5, 5))
    for row in range(5 * fine):
        for column in range(5 * fine):
            down, right = ((place + 0.5) / fine - 2.5 for place in (row, column))
            cover[row // fine, column // fine] += down**2 + right**2 <= radius**2
    expected = np.zeros(small.shape)
    for row in range(14):
        for column in range(11):
            for down in range(-2, 3):
                for right in range(-2, 3):
                    near = small[min(13, max(0, row + down)), min(10, max(0, column + right))]
                    expected[row, column] += cover[down + 2, right + 2] * near.astype(float)
    out = degrade(small, "defocus", 2, np.random.default_rng(0))
    assert np.abs(out - expected / cover.sum()).max() <= 0.5 + 1e-6


@pytest.mark.parametrize("severity", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("kind", ["gaussian_blur", "box_blur", "defocus"])
def test_the_blurs_are_equally_wide(kind: str, severity: int) -> None:
    """By the standard deviation of what becomes of an edge from black to white."""
    edge = np.zeros((61, 61, 3), np.uint8)
    edge[:, 30:] = 255
    out = degrade(edge, kind, severity, np.random.default_rng(0))[30, :, 0].astype(float)
    share, places = np.diff(out) / 255, np.arange(60)
    deviation = np.sqrt((share * places**2).sum() - (share * places).sum() ** 2)
    assert deviation == pytest.approx(blur.BLUR_SIGMA[severity], rel=0.1)


def test_zoom_blur_leaves_the_middle_and_smears_the_rim() -> None:
    stripes = np.zeros((101, 101, 3), np.uint8)
    stripes[:, ::2] = 255
    out = degrade(stripes, "zoom_blur", 2, np.random.default_rng(0)).astype(float)
    contrast = np.abs(np.diff(out[50, :, 0]))
    assert contrast[48:52].min() > 150 and contrast[:10].max() < 90


def test_iso_noise_is_strongest_in_the_shadows_and_coloured() -> None:
    def spread(level: int) -> np.ndarray:
        grey = np.full((200, 200, 3), level, np.uint8)
        return degrade(grey, "iso_noise", 1, np.random.default_rng(0)).astype(float) - level

    deviations = [spread(level).std() for level in (40, 128, 200)]
    assert deviations[0] > 1.5 * deviations[1] and deviations[1] > 1.05 * deviations[2]
    assert deviations[1] == pytest.approx(noise_jpeg.NOISE_SIGMA[1], rel=0.1)
    middle = spread(128)
    red, green = middle[..., 0].ravel(), middle[..., 1].ravel()
    assert np.corrcoef(red, green)[0, 1] == pytest.approx(noise_jpeg.GREY_WEIGHT**2, abs=0.03)
    pairs = np.corrcoef(middle[:, 0::2, 0].ravel(), middle[:, 1::2, 0].ravel())[0, 1]
    assert pairs == pytest.approx(noise_jpeg.COLOUR_WEIGHT**2, abs=0.03)


def test_shadow_darkens_one_side_by_its_gain() -> None:
    grey = np.full((120, 90, 3), 200, np.uint8)
    for seed in range(5):
        out = degrade(grey, "shadow", 3, np.random.default_rng(seed))[..., 0]
        deep = round(200 * light.SHADOW_GAIN[3] ** (1 / 2.2))
        assert out.min() == deep and out.max() == 200
        assert 0.15 < (out == 200).mean() < 0.8 and 0.1 < (out == deep).mean() < 0.8


def test_sun_flare_only_brightens_and_most_near_the_sun(picture: np.ndarray) -> None:
    out = degrade(picture, "sun_flare", 4, np.random.default_rng(0)).astype(int)
    added = (out - picture).sum(-1)
    assert added.min() >= 0
    row, column = np.unravel_index(added.argmax(), added.shape)
    assert row < picture.shape[0] / 2
    assert added[row, column] > 3 * added[-1].mean()


def test_colour_cast_moves_red_and_blue_apart() -> None:
    grey = np.full((4, 4, 3), 120, np.uint8)
    gain = 2 ** (0.3 / 2.2)
    seen = set()
    for seed in range(20):
        red, green, blue = degrade(grey, "colour_cast", 2, np.random.default_rng(seed))[0, 0]
        assert green == 120
        assert sorted((red, blue)) == [round(120 / gain), round(120 * gain)]
        seen.add("warm" if red > blue else "cool")
    assert seen == {"warm", "cool"}


def test_the_sheet_has_a_row_a_kind_and_a_column_a_severity(picture: np.ndarray) -> None:
    sheet = np.asarray(contact_sheet(picture, ["noise", "dark"], [0, 1.5, 5], seed=3))
    height, width = picture.shape[:2]
    left = sheet.shape[1] - 10 - 3 * width - 2 * 4
    for row, kind in enumerate(("noise", "dark")):
        for column, severity in enumerate((0, 1.5, 5)):
            down, right = 34 + row * (height + 4), left + column * (width + 4)
            cell = sheet[down : down + height, right : right + width]
            expected = degrade(picture, kind, severity, np.random.default_rng(3))
            assert np.array_equal(cell, expected)
    names, numbers = sheet[34:, :left], sheet[:34, left:]
    assert names.min() < 100 and numbers.min() < 100  # something is written there


def test_a_large_picture_is_shrunk_and_a_small_one_left(picture: np.ndarray) -> None:
    assert shrink(picture, 48).shape == (48, 40, 3)
    assert np.array_equal(shrink(picture, 200), picture)


def test_wrong_words_are_named() -> None:
    grey = np.zeros((4, 4, 3), np.uint8)
    with pytest.raises(UsageError, match="unknown degradation 'fog'"):
        degrade(grey, "fog", 1, np.random.default_rng(0))
    with pytest.raises(UsageError, match=r"in 0\.\.5, got 6"):
        degrade(grey, "noise", 6, np.random.default_rng(0))
