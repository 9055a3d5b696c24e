from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from facegauge.calibration import Calibration, Offsets, band

CALIBRATION = Calibration(
    reference="hand-made",
    n=5,
    quantiles=(0.1,) * 41 + tuple(0.1 + 0.01 * step for step in range(1, 61)),
    offsets=Offsets(knots=(0.4, 0.6), lower=(0.1, 0.2), upper=(0.15, 0.05)),
)


def test_interval_is_linear_between_knots_and_stays_in_0_to_1() -> None:
    assert CALIBRATION.interval(0.3) == pytest.approx((0.2, 0.45))
    assert CALIBRATION.interval(0.5) == pytest.approx((0.35, 0.6))
    assert CALIBRATION.interval(0.04) == pytest.approx((0.0, 0.19))
    assert CALIBRATION.interval(0.98) == pytest.approx((0.78, 1.0))


def test_scores_that_differ_little_have_intervals_that_differ_little() -> None:
    ends = np.array([CALIBRATION.interval(score) for score in np.linspace(0, 1, 1001)])
    assert np.abs(np.diff(ends, axis=0)).max() < 0.0021


def test_percentile_counts_ties_in_and_is_linear_between_quantiles() -> None:
    assert CALIBRATION.percentile(0.05) == 0
    assert CALIBRATION.percentile(0.1) == 40  # 41 quantiles are 0.1: 40 % lie at or below
    assert CALIBRATION.percentile(0.105) == pytest.approx(40.5)
    assert CALIBRATION.percentile(0.9) == 100


@pytest.mark.parametrize(
    ("score", "word"),
    [
        (0.0, "bad"),
        (0.1999, "bad"),
        (0.2, "poor"),
        (0.3, "fair"),
        (0.41, "good"),
        (0.57, "excellent"),
        (1.0, "excellent"),
    ],
)
def test_bands(score: float, word: str) -> None:
    assert band(score) == word
    assert CALIBRATION.describe(score)[3] == word


@pytest.mark.parametrize(
    "change",
    [
        {"quantiles": (0.1,) * 100},
        {"quantiles": (0.9,) + (0.1,) * 100},
        {"level": 1.0},
    ],
)
def test_a_calibration_is_checked(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="expected"):
        dataclasses.replace(CALIBRATION, **change)


@pytest.mark.parametrize(
    "change",
    [
        {"knots": (0.6, 0.4)},
        {"knots": (), "lower": (), "upper": ()},
        {"lower": (0.1,)},
        {"upper": (-0.1, 0.1)},
    ],
)
def test_offsets_are_checked(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="expected"):
        dataclasses.replace(CALIBRATION.offsets, **change)


def test_pictures_that_are_taken_whole_may_have_their_own_interval() -> None:
    both = dataclasses.replace(CALIBRATION, whole=Offsets((0.5,), (0.01,), (0.02,)))
    assert both.interval(0.5) == CALIBRATION.interval(0.5, whole=True)
    assert both.interval(0.5, whole=True) == pytest.approx((0.49, 0.52))
    assert both.describe(0.5, whole=True)[:2] == both.interval(0.5, whole=True)
