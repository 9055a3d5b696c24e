"""The head in closed form, against a direct solution; shifts of heads against their definition."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from facegauge.nn.ensemble import Ensemble  # noqa: E402
from facegauge.nn.regressor import Regressor  # noqa: E402
from facegauge.training.methods.finetune.head import _ridge, fit_shift  # noqa: E402

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("rows", [12, 20, 60])
def test_ridge_solves_its_equations_with_fewer_rows_than_columns_and_more(rows: int) -> None:
    rng = np.random.default_rng(0)
    design, target, penalties = rng.normal(size=(rows, 20)), rng.normal(size=rows), [0.1, 30.0]
    for penalty, found in zip(
        penalties, _ridge(design, target, np.array(penalties)).T, strict=True
    ):
        expected = np.linalg.solve(design.T @ design + penalty * np.eye(20), design.T @ target)
        assert found == pytest.approx(expected, abs=1e-9)


def test_a_change_that_is_there_is_found() -> None:
    x = RNG.normal(size=(200, 6)) * [1, 2, 5, 1, 1, 0] + 3
    slope = RNG.uniform(0.5, 2, 200)
    weight, bias = np.array([0.3, -0.1, 0.02, 0, 0, 0]), 0.7
    residual = slope * (x @ weight + bias) + RNG.normal(scale=1e-3, size=200)
    found = fit_shift(x, residual, slope, np.arange(200))
    assert found.weight == pytest.approx(weight, abs=2e-3)
    assert found.weight[5] == 0  # a constant feature
    assert x @ found.weight + found.bias == pytest.approx(x @ weight + bias, abs=0.01)


def test_where_there_is_nothing_to_learn_the_penalty_is_high() -> None:
    x, noise = RNG.normal(size=(100, 40)), RNG.normal(size=100)
    found = fit_shift(x, noise, np.ones(100), np.arange(100))
    assert found.penalty >= 100 and np.std(x @ found.weight) < 0.3


def test_views_of_a_picture_are_judged_together() -> None:
    """With a picture's views apart, learning pictures by heart would look good."""
    x = np.repeat(RNG.normal(size=(40, 60)), 3, axis=0)
    noise = np.repeat(RNG.normal(size=40), 3)
    together = fit_shift(x, noise, np.ones(120), np.repeat(np.arange(40), 3))
    apart = fit_shift(x, noise, np.ones(120), np.arange(120))
    assert together.penalty > apart.penalty


@pytest.mark.parametrize("kind", ["linear", "factorised", "ensemble", "mirrored"])
def test_a_shifted_head_adds_what_it_should(kind: str) -> None:
    torch.manual_seed(0)
    head = kind if kind in ("linear", "factorised") else "linear"
    network: Regressor | Ensemble = Regressor("mobilenet_v3_small", depths="all", head=head)
    if kind in ("ensemble", "mirrored"):
        other = Regressor("shufflenet_v2_x0_5")
        network = Ensemble({"a": network, "b": other}, flip=kind == "mirrored")
    network.eval()
    x = torch.randn(3, 3, 64, 64)
    weight = torch.randn(network.embedding_size) * 0.1
    with torch.inference_mode():
        before, embedding = network(x), network.embed(x)
        assert network.score_embedding(embedding) == pytest.approx(before, abs=1e-5)
    network.shift_head(weight, 0.25)
    with torch.inference_mode():
        assert network(x) == pytest.approx(before + embedding @ weight + 0.25, abs=1e-4)
