"""Losses against hand-worked values and slow loops."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from facegauge.nn.losses import (
    EPSILON,
    LOSSES,
    charbonnier,
    mse_corr,
    mse_plcc,
    pearson,
    plcc_loss,
    ranking_loss,
    robust_corr,
    severity_ranking_loss,
)

LABEL = torch.tensor([0.1, 0.2, 0.3, 0.5])
PREDICTION = torch.tensor([0.2, 0.1, 0.35, 0.45])


def test_mse_corr_is_the_hand_worked_value() -> None:
    assert mse_corr(PREDICTION, LABEL).item() == pytest.approx(0.2350262, abs=1e-5)
    assert mse_corr(PREDICTION, LABEL, weight=0).item() == pytest.approx(0.00625, abs=1e-7)


def test_pearson_is_numpys() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 50)).astype(np.float32)
    got = pearson(torch.from_numpy(a), torch.from_numpy(b)).item()
    assert got == pytest.approx(np.corrcoef(a, b)[0, 1], abs=1e-5)


@pytest.mark.parametrize("loss", [*LOSSES.values(), plcc_loss, ranking_loss])
@pytest.mark.parametrize("count", [1, 5])
def test_no_spread_gives_finite_gradients(loss: object, count: int) -> None:
    prediction = torch.full((count,), 0.4, requires_grad=True)
    value = loss(prediction, torch.linspace(0.2, 0.6, count))  # type: ignore[operator]
    value.backward()
    assert torch.isfinite(value) and torch.isfinite(prediction.grad).all()


def test_robust_corr_bears_an_outlier_better() -> None:
    label, wrong = torch.linspace(0.3, 0.6, 20), torch.linspace(0.3, 0.6, 20)
    wrong[0] = 1.0
    squared = mse_corr(wrong, label, weight=0) * 0.5 / 0.1  # smooth L1 near 0, knee at 0.1
    assert robust_corr(wrong, label, weight=0) < squared


def test_charbonnier_is_the_hand_worked_value() -> None:
    assert charbonnier(PREDICTION, LABEL).item() == pytest.approx(0.0750075, abs=1e-7)
    # rho is 0.8474825
    more = charbonnier(PREDICTION, LABEL, weight=0.5).item()
    assert more == pytest.approx(0.0750075 + 0.5 * (1 - 0.8474825), abs=1e-5)
    assert charbonnier(LABEL, LABEL, epsilon=0.02).item() == pytest.approx(0.02)
    # 0.1 twice and 0.05 twice; weighted 0.4 + 0.1 + 0.05 + 0 over 4 + 1 + 1 + 0
    sample_weight = torch.tensor([4.0, 1.0, 1.0, 0.0])
    weighted = charbonnier(PREDICTION, LABEL, sample_weight=sample_weight, epsilon=0.0).item()
    assert weighted == pytest.approx(0.55 / 6, abs=1e-6)


def correlated(rho: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Two lists of 200 whose correlation is rho."""
    one, other = torch.from_numpy(np.linalg.qr(centred())[0].T)
    return 0.4 + 2 * (rho * one + (1 - rho**2) ** 0.5 * other), 0.5 + one


def centred() -> np.ndarray:
    values = np.random.default_rng(0).normal(size=(200, 2))
    return values - values.mean(0)


@pytest.mark.parametrize("rho", [-1.0, -0.7, 0.0, 0.3, 0.95, 1.0])
def test_plcc_is_its_closed_form(rho: float) -> None:
    value = plcc_loss(*correlated(rho)).item()
    assert value == pytest.approx((1 - rho) * (3 + rho) / 8, abs=1e-5)
    known = {1.0: 0, 0.0: 3 / 8, -1.0: 1 / 2}
    assert value == pytest.approx(known.get(rho, value), abs=1e-5)


def test_plcc_has_the_slope_of_its_closed_form() -> None:
    prediction, target = correlated(0.3)
    prediction.requires_grad_()
    (got,) = torch.autograd.grad(plcc_loss(prediction, target), prediction)
    rho = pearson(prediction, target)
    (expected,) = torch.autograd.grad((1 - rho) * (3 + rho) / 8, prediction)
    assert torch.allclose(got, expected, atol=1e-6) and expected.abs().max() > 1e-3


def test_mse_plcc_is_the_sum_and_weighs_targets() -> None:
    term = plcc_loss(PREDICTION, LABEL).item()
    assert mse_plcc(PREDICTION, LABEL).item() == pytest.approx(0.00625 + term, abs=1e-7)
    assert mse_plcc(PREDICTION, LABEL, weight=0.5).item() == pytest.approx(0.00625 + term / 2)
    # squares 0.01, 0.01, 0.0025, 0.0025; weighted 0.04 + 0.01 + 0.0025 + 0 over 4 + 1 + 1 + 0
    sample_weight = torch.tensor([4.0, 1.0, 1.0, 0.0])
    weighted = mse_plcc(PREDICTION, LABEL, weight=0, sample_weight=sample_weight).item()
    assert weighted == pytest.approx(0.0525 / 6, abs=1e-7)


def test_ranked_is_the_slow_loop() -> None:
    rng = np.random.default_rng(0)
    scores, labels = rng.random(12), rng.choice([0.1, 0.3, 0.4, 0.8], 12)
    deviation = np.sqrt(scores.var() + EPSILON)
    terms = [
        np.log1p(np.exp(-(scores[i] - scores[j]) / deviation / 0.3))
        for i in range(12)
        for j in range(12)
        if labels[i] > labels[j]
    ]
    got = ranking_loss(torch.tensor(scores), torch.tensor(labels), scale=0.3).item()
    assert got == pytest.approx(np.mean(terms), abs=1e-9)
    stretched = ranking_loss(torch.tensor(3 * scores + 1), torch.tensor(labels), scale=0.3).item()
    assert stretched == pytest.approx(got, abs=1e-6)
    assert ranking_loss(torch.tensor(scores), torch.full((12,), 0.3)) == 0


def slow_ordered(scores: np.ndarray, severities: np.ndarray, margin: float) -> float:
    terms = []
    for row, worst in zip(scores, severities, strict=True):
        for i in range(len(row)):
            for j in range(len(row)):
                if worst[j] > worst[i]:
                    needed = margin * (worst[j] - worst[i])
                    terms.append(max(0.0, needed - (row[i] - row[j])))
    return float(np.mean(terms)) if terms else 0.0


def test_ordered_is_the_slow_loop() -> None:
    rng = np.random.default_rng(0)
    scores, severities = rng.random((6, 4)), rng.choice([0.0, 1.0, 2.5, 4.0], (6, 4))
    got = severity_ranking_loss(torch.tensor(scores), torch.tensor(severities), 0.05).item()
    assert got == pytest.approx(slow_ordered(scores, severities, 0.05), abs=1e-9)


def test_ordered_is_zero_in_order_and_positive_after_a_swap() -> None:
    severity = torch.tensor([[0.0, 1.0, 2.0]])
    assert severity_ranking_loss(torch.tensor([[0.6, 0.5, 0.4]]), severity, 0.0) == 0
    assert severity_ranking_loss(torch.tensor([[0.6, 0.4, 0.5]]), severity, 0.0) > 0
