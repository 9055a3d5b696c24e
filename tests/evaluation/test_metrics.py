"""Metrics against hand-worked values, scipy, and their own definitions."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from facegauge.evaluation.metrics import (
    challenge,
    evaluate,
    group_gaps,
    krcc,
    plcc,
    rmse,
    srcc,
)

LABEL = [0.1, 0.2, 0.3, 0.5]
PREDICTION = [0.2, 0.1, 0.35, 0.45]


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


def test_the_rmse_of_another_scale_is_that_of_the_fitted_scores():
    label, prediction = noisy()
    other = evaluate(100 * prediction, label, on_label_scale=False, resamples=10)
    assert other.rmse.value == pytest.approx(rmse(prediction, label), rel=0.2)
    assert any("RMSE is that of the fitted scores" in note for note in other.notes)
    assert evaluate(100 * prediction, label, resamples=10).rmse.value > 20


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
