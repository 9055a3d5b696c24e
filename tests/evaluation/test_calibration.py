"""Fitted calibrations: offsets by hand, coverage, bad input."""

from __future__ import annotations

import numpy as np
import pytest

from facegauge.errors import UsageError
from facegauge.evaluation.calibration import coverage, fit_calibration


def test_offsets_are_the_finite_sample_quantiles() -> None:
    # One neighbourhood of 19, 0.9: ceil(20 * 0.95) = 19, so the largest error on either side.
    labels = 0.5 + np.arange(-9, 10) / 100
    fitted = fit_calibration(np.full(19, 0.5), labels, labels, "hand-made")
    assert fitted.offsets.knots == (0.5,)
    assert (fitted.offsets.lower, fitted.offsets.upper) == ((0.09,), (0.09,))
    # 39: ceil(40 * 0.95) = 38, so the second largest.
    labels = 0.5 + np.arange(-19, 20) / 100
    fitted = fit_calibration(np.full(39, 0.5), labels, labels, "hand-made")
    assert (fitted.offsets.lower, fitted.offsets.upper) == ((0.18,), (0.18,))


def test_offsets_never_exclude_the_score_or_promise_too_much() -> None:
    scores = np.full(50, 0.5)
    above = fit_calibration(scores, np.full(50, 0.7), [0.7], "all labels above")
    assert above.interval(0.5) == pytest.approx((0.5, 0.7))
    few = fit_calibration(scores[:18], np.full(18, 0.5), [0.5], "too few for 0.9")
    assert few.interval(0.5) == (0.0, 1.0)


def draw(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores, and labels with skewed errors that are wider for higher scores."""
    rng = np.random.default_rng(seed)
    scores = rng.uniform(0.1, 0.9, n)
    noise = rng.gamma(2.0, 0.01 + 0.05 * scores) - 0.05
    return scores, np.clip(scores + noise, 0, 1)


def test_intervals_hold_the_label_as_often_as_they_say_everywhere() -> None:
    calibration = fit_calibration(*draw(4000, 0), [0.1, 0.9], "synthetic", level=0.9)
    scores, labels = draw(20000, 1)
    part = np.digitize(scores, np.linspace(0.1, 0.9, 6)[1:-1])
    rates = [coverage(calibration.offsets, scores[part == p], labels[part == p]) for p in range(5)]
    assert all(0.87 < rate < 0.94 for rate in rates), rates
    assert calibration.offsets.upper[0] < 0.6 * calibration.offsets.upper[-1]


@pytest.mark.parametrize("n", [19, 71, 171, 1712])
def test_ends_of_the_interval_rise_without_jumps(n: int) -> None:
    calibration = fit_calibration(*draw(n, 2), [0.5], "synthetic")
    ends = np.array([calibration.interval(score) for score in np.linspace(0.0, 1, 2001)])
    steps = np.diff(ends, axis=0)
    assert steps.min() > -1e-5
    assert steps.max() < 0.01
    assert len(calibration.offsets.knots) == {19: 1, 71: 1, 171: 5, 1712: 9}[n]


def test_few_pictures_give_wide_intervals_that_still_say_something() -> None:
    calibration = fit_calibration(*draw(71, 3), [0.5], "synthetic")
    low, high = calibration.interval(0.5)
    assert 0.05 < high - low < 0.4


def test_too_few_pictures_for_an_interval_are_said(caplog: pytest.LogCaptureFixture) -> None:
    scores = np.linspace(0.2, 0.8, 19)
    fit_calibration(scores, scores, scores, "toys")
    assert not caplog.records
    told = fit_calibration(scores[:18], scores[:18], scores, "toys")
    assert told.interval(0.5) == (0.0, 1.0)
    (record,) = caplog.records
    assert "18 labelled pictures are too few for an interval of 90 %" in record.getMessage()
    assert "expected 19 or more" in record.getMessage()


def test_coverage_counts_the_labels_inside() -> None:
    calibration = fit_calibration([0.5] * 19, 0.5 + np.arange(-9, 10) / 100, [0.5], "by hand")
    assert coverage(calibration.offsets, [0.5, 0.5, 0.5, 0.5], [0.4, 0.411, 0.589, 0.6]) == 0.5


def test_percentiles_come_from_the_reference_labels() -> None:
    reference = np.linspace(0.2, 0.6, 1001)
    fitted = fit_calibration([0.1] * 9, [0.1] * 9, reference, "reference")
    assert (fitted.reference, fitted.n) == ("reference", 1001)
    assert fitted.quantiles[0] == 0.2
    assert fitted.percentile(0.3) == pytest.approx(25, abs=0.01)


@pytest.mark.parametrize(
    ("scores", "labels", "message"),
    [
        ([0.1, 0.2], [0.1], "1 labels and 2 scores"),
        ([], [], "non-empty"),
        ([0.1, float("nan")], [0.1, 0.2], "scores"),
        ([0.1, 0.2], [0.1, 55], "labels"),
    ],
)
def test_bad_input_is_refused(scores: list[float], labels: list[float], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        fit_calibration(scores, labels, [0.5], "x")
