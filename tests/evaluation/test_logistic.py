"""The fitted logistic: its own curve recovered, fallbacks, cross-fitting."""

from __future__ import annotations

import numpy as np
import pytest

from facegauge.evaluation.logistic import FittedCurve, cross_fit, fit_logistic
from facegauge.evaluation.metrics import rmse


def logistic(x, b1, b2, b3, b4):
    return b2 + (b1 - b2) / (1 + np.exp(-(x - b3) / abs(b4)))


def test_fit_recovers_its_own_curve():
    x = np.linspace(-1, 2, 200)
    y = logistic(x, 0.9, 0.1, 0.4, 0.15)
    curve = fit_logistic(x, y)
    assert curve.logistic == pytest.approx((0.9, 0.1, 0.4, 0.15), abs=1e-4)
    assert curve.note == ""
    assert curve(x) == pytest.approx(y, abs=1e-6)


def test_fit_is_as_good_as_scipys():
    optimize = pytest.importorskip("scipy.optimize")
    rng = np.random.default_rng(1)
    x = rng.uniform(0, 1, 400)
    y = logistic(x, 0.8, 0.2, 0.5, 0.1) + rng.normal(0, 0.05, 400)
    theirs, _ = optimize.curve_fit(logistic, x, y, p0=[y.max(), y.min(), x.mean(), 0.5])
    assert rmse(fit_logistic(x, y)(x), y) <= rmse(logistic(x, *theirs), y) + 1e-7


@pytest.mark.parametrize("bend", [None, (0.8, 0.1, 0.4, 0.1), (3.0, 0.0, 1.0, 0.2)])
def test_fit_is_as_good_as_scipys_on_few_pictures(bend):
    """Labels that are nearly a line or an exponential of the scores, too."""
    optimize = pytest.importorskip("scipy.optimize")
    for seed in range(10):
        rng = np.random.default_rng(seed)
        x = np.clip(rng.normal(0.37, 0.13, 100), 0, 1)
        y = (x if bend is None else logistic(x, *bend)) + rng.normal(0, 0.07, 100)
        start = [y.max(), y.min(), x.mean(), 0.5]
        theirs, _ = optimize.curve_fit(logistic, x, y, p0=start, maxfev=100_000)
        ours = fit_logistic(x, y)
        assert ours.logistic is not None and ours.note == ""
        assert rmse(ours(x), y) <= rmse(logistic(x, *theirs), y) * (1 + 1e-4)


def test_fit_falls_back_to_a_line_with_a_note():
    x = np.linspace(0, 1, 50)
    straight = fit_logistic(x, 2 * x + 1)
    assert straight(x) == pytest.approx(2 * x + 1, abs=2e-2)
    few = fit_logistic([0.0, 1.0], [1.0, 3.0])
    assert few.note and few([0.5, 2.0]) == pytest.approx([2.0, 5.0])
    equal = fit_logistic([0.4] * 6, [0.1, 0.2, 0.3, 0.1, 0.2, 0.3])
    assert equal.note and equal([0.4]) == pytest.approx([0.2])


def test_fit_survives_wild_input():
    x = np.array([0.0, 1e9, -1e9, 3.0, 4.0, 5.0, 6.0, 7.0])
    assert np.isfinite(fit_logistic(x, np.array([0, 1, 0, 1, 0, 1, 0, 1.0]))(x)).all()


def test_cross_fitting_maps_a_half_by_the_other_half():
    rng, seed = np.random.default_rng(0), 3
    label = rng.uniform(0, 1, 200)
    raw = np.clip(label + rng.normal(0, 0.1, 200), 0, 1)
    half = np.random.default_rng(seed).permutation(200) % 2 == 0
    flipped = label.copy()
    flipped[half] = 1 - flipped[half]
    mapped, _ = cross_fit(raw, label, seed)
    others, _ = cross_fit(raw, flipped, seed)
    # Other labels in one half change how the other half is mapped, and not its own mapping.
    assert mapped[half] == pytest.approx(others[half])
    assert not np.allclose(mapped[~half], others[~half], atol=0.05)


def test_a_curve_is_a_line_without_a_logistic():
    assert FittedCurve(None)([1.0, 2.0]) == pytest.approx([1.0, 2.0])
