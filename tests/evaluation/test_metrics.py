"""Metrics against hand-worked values, scipy, and their own definitions."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from facegauge.evaluation.logistic import Mapping, cross_fitted, fit_logistic
from facegauge.evaluation.metrics import (
    bootstrap,
    challenge,
    evaluate,
    group_gaps,
    krcc,
    paired_bootstrap,
    plcc,
    rmse,
    srcc,
)

LABEL = [0.1, 0.2, 0.3, 0.5]
PREDICTION = [0.2, 0.1, 0.35, 0.45]


def logistic(x, b1, b2, b3, b4):
    return b2 + (b1 - b2) / (1 + np.exp(-(x - b3) / abs(b4)))


def noisy(n=300, seed=0, noise=0.1):
    rng = np.random.default_rng(seed)
    label = rng.uniform(0, 1, n)
    return label, np.clip(label + rng.normal(0, noise, n), 0, 1)


@pytest.mark.parametrize(
    ("statistic", "expected"),
    [(rmse, 0.0790569), (plcc, 0.8474825), (srcc, 0.8), (krcc, 0.6666667), (challenge, 0.8237412)],
)
def test_worked_values(statistic, expected):
    assert statistic(PREDICTION, LABEL) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("seed", range(8))
def test_agrees_with_scipy_with_and_without_ties(seed):
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 400))
    a, b = rng.normal(size=n), rng.normal(size=n)
    if seed % 2:  # many ties, on one side or both
        a, b = np.round(a), (np.round(b) if seed % 4 == 1 else b)
    assert plcc(a, b) == pytest.approx(stats.pearsonr(a, b)[0])
    assert srcc(a, b) == pytest.approx(stats.spearmanr(a, b)[0])
    assert krcc(a, b) == pytest.approx(stats.kendalltau(a, b)[0])


def test_krcc_is_exact_for_thirty_thousand_rows():
    n = 30_000
    label = np.arange(n)
    swapped = label.reshape(-1, 2)[:, ::-1].reshape(-1)  # n / 2 discordant pairs
    assert krcc(swapped, label) == pytest.approx(1 - 4 * (n / 2) / (n * (n - 1)), abs=1e-12)


@pytest.mark.parametrize("statistic", [srcc, plcc, krcc])
@pytest.mark.parametrize(("a", "b"), [([1, 1, 1], [1, 2, 3]), ([1, 2, 3], [0.3] * 3), ([1], [2])])
def test_no_spread_is_nan(statistic, a, b):
    assert math.isnan(statistic(a, b))


def test_lengths_must_agree():
    with pytest.raises(ValueError, match="one length"):
        srcc([1, 2], [1, 2, 3])


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
    label, raw = noisy(200)
    seed = 3
    half = np.random.default_rng(seed).permutation(200) % 2 == 0
    spoilt = label.copy()
    spoilt[half] = 1 - spoilt[half]
    mapped, _ = cross_fitted(raw, label, seed)
    others, _ = cross_fitted(raw, spoilt, seed)
    # Other labels in one half change how the other half is mapped, and not its own mapping.
    assert mapped[half] == pytest.approx(others[half])
    assert not np.allclose(mapped[~half], others[~half], atol=0.05)


def test_bootstrap_of_a_mean_matches_theory_and_repeats():
    x = np.random.default_rng(0).normal(size=400)
    interval = bootstrap(lambda v: float(v.mean()), x, level=0.95)
    assert interval.n == 400
    assert interval.value == pytest.approx(x.mean())
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * x.std() / 20, rel=0.1)
    assert interval == bootstrap(lambda v: float(v.mean()), x, level=0.95)
    narrow = bootstrap(lambda v: float(v.mean()), x, level=0.5)
    assert interval.low < narrow.low < narrow.high < interval.high


def test_one_or_two_rows_have_no_interval():
    for n in (1, 2):
        interval = bootstrap(lambda v: float(v.mean()), np.arange(n))
        assert interval.value == (n - 1) / 2 and np.isnan([interval.low, interval.high]).all()
        assert str(interval).endswith(f"[too few rows: {n}]")
        assert interval.to_dict() == {"value": interval.value, "low": None, "high": None}
    assert bootstrap(lambda v: float(v.mean()), np.arange(3)).high == 2


def test_bootstrap_covers_the_truth():
    rng = np.random.default_rng(2)
    hits = 0
    for _ in range(60):
        a = rng.normal(size=80)
        b = 0.6 * a + 0.8 * rng.normal(size=80)
        interval = bootstrap(plcc, a, b, resamples=200)
        hits += interval.low <= 0.6 <= interval.high
    assert hits >= 51  # 57 expected


def test_paired_difference_sees_what_separate_intervals_do_not():
    label, a = noisy(300, noise=0.10)
    b = np.clip(a + np.random.default_rng(9).normal(0, 0.03, 300), 0, 1)
    difference = paired_bootstrap(srcc, a, b, label, resamples=300)
    assert difference.value == pytest.approx(srcc(a, label) - srcc(b, label))
    assert difference.low > 0
    own, other = (bootstrap(srcc, side, label, resamples=300) for side in (a, b))
    assert own.low < other.high
    same = paired_bootstrap(srcc, a, a, label, resamples=50)
    assert (same.value, same.low, same.high) == (0, 0, 0)


def test_evaluation_holds_every_figure_and_becomes_json():
    label, prediction = noisy()
    result = evaluate(prediction, label, resamples=100)
    assert result.n == 300
    assert result.srcc.value == pytest.approx(srcc(prediction, label))
    assert result.krcc.value == pytest.approx(krcc(label, prediction))
    assert result.challenge.value == pytest.approx((result.srcc.value + result.plcc.value) / 2)
    assert result.rmse.low < result.rmse.value < result.rmse.high
    plain = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert set(plain["plcc_fitted"]) == {"value", "low", "high"}
    assert plain["n"] == 300


def test_fitted_plcc_undoes_a_curve_and_uses_the_calibration_rows_only():
    label, clean = noisy(300, noise=0.02)
    bent = np.log((clean + 0.01) / (1.01 - clean))
    result = evaluate(bent, label, resamples=10)
    assert result.plcc_fitted.value > result.plcc.value + 0.01
    constant = ([0.1] * 10, [0.5] * 10)  # a curve from these rows is flat: nothing is left
    flat = evaluate(bent, label, calibration=constant, resamples=10)
    assert math.isnan(flat.plcc_fitted.value)
    assert flat.plcc.value == result.plcc.value
    assert any("line" in note for note in flat.notes)


def test_constant_predictions_are_nan_with_a_reason():
    result = evaluate([0.5, 0.5, 0.5], [0.1, 0.2, 0.3], resamples=10)
    assert math.isnan(result.srcc.value) and math.isnan(result.krcc.low)
    assert result.rmse.value == pytest.approx(math.sqrt((0.16 + 0.09 + 0.04) / 3))
    assert "all predictions are equal" in result.notes[0]
    assert result.to_dict()["srcc"]["value"] is None
    assert "two rows" in evaluate([0.1], [0.2], resamples=5).notes[0]


def test_values_that_are_not_finite_are_refused():
    with pytest.raises(ValueError, match="finite"):
        evaluate([0.1, math.nan], [0.1, 0.2])


def test_group_gaps_name_the_favoured_group():
    label, prediction = noisy(200, noise=0.05)
    groups = ["a"] * 150 + ["b"] * 50
    shifted = prediction + np.where(np.array(groups) == "b", 0.2, 0.0)
    a, b = group_gaps(shifted, label, groups, resamples=100)
    assert (a.name, a.n, b.name, b.n) == ("a", 150, "b", 50)
    assert b.residual.value == pytest.approx(np.mean(shifted[150:] - label[150:]))
    assert a.residual.high < b.residual.low
    assert b.srcc.value == pytest.approx(srcc(shifted[150:], label[150:]))


def test_mapping_is_a_line_without_a_logistic():
    assert Mapping(None)([1.0, 2.0]) == pytest.approx([1.0, 2.0])
