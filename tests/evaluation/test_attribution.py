"""The additive model of the factors: recovered curves, the share explained, and the card."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from facegauge.attribution import Attribution, Curve
from facegauge.errors import ScorerError, UsageError
from facegauge.evaluation.attribution import fit_attribution
from facegauge.zoo import card_from_toml, card_to_toml
from toys import toy_card, toy_model


def drawn(n: int, noise: float) -> tuple[list[dict[str, float | None]], np.ndarray]:
    """Scores that rise with sharpness, bend with resolution, and know nothing of noise."""
    rng = np.random.default_rng(0)
    columns = {
        "sharpness": rng.uniform(0.2, 0.5, n),
        "resolution": rng.uniform(20, 400, n),
        "noise": rng.uniform(0, 10, n),
    }
    factors: list[dict[str, float | None]] = [
        {name: float(column[row]) for name, column in columns.items()} for row in range(n)
    ]
    added = columns["sharpness"] + 0.001 * np.minimum(columns["resolution"], 200)
    return factors, added + rng.normal(0, noise, n)


def test_the_curves_of_an_additive_score_are_found() -> None:
    factors, scores = drawn(400, 0.0)
    model = fit_attribution(factors, scores)
    assert model.n == 400 and model.r2 > 0.97 and model.low <= model.r2 <= model.high
    assert model.explains and set(model.curves) == {"sharpness", "resolution", "noise"}
    rise = model.curves["sharpness"].at(0.45) - model.curves["sharpness"].at(0.25)
    assert rise == pytest.approx(0.2, abs=0.02)
    flat = model.curves["resolution"].at(390) - model.curves["resolution"].at(250)
    assert flat == pytest.approx(0, abs=0.02)
    assert max(map(abs, model.curves["noise"].values)) < 0.01
    shares = model.shares(factors[3])
    assert list(shares.values()) == sorted(shares.values(), key=abs, reverse=True)
    assert model.mean + sum(shares.values()) == pytest.approx(scores[3], abs=0.03)
    assert model.shares({"noise": None})["sharpness"] == 0.0


def test_a_worse_value_never_adds() -> None:
    factors, scores = drawn(200, 0.01)
    for one, score in zip(factors, scores, strict=True):
        one["noise"] = 10 * float(score)  # noise that goes along with good pictures
        one["exposure"] = float(score) - 0.4
    model = fit_attribution(factors, scores)
    assert max(model.curves["noise"].values) == min(model.curves["noise"].values)
    assert np.all(np.diff(model.curves["sharpness"].values) >= 0)
    exposure = model.curves["exposure"]
    best = exposure.knots.index(min(exposure.knots, key=lambda knot: abs(knot + 0.07)))
    assert np.all(np.diff(exposure.values)[:best] >= 0)
    assert np.all(np.diff(exposure.values)[best:] <= 0)


def test_the_share_explained_is_that_on_pictures_that_the_fit_has_not_seen() -> None:
    factors, scores = drawn(150, 0.0)
    scores = np.random.default_rng(1).permutation(scores)
    model = fit_attribution(factors, scores)
    assert model.r2 < 0.2 and not model.explains


def test_factors_without_values_take_no_part() -> None:
    factors, scores = drawn(200, 0.01)
    for row, one in enumerate(factors):
        one["pose"] = None
        if row % 3 == 0:
            one["sharpness"] = None
    model = fit_attribution(factors, scores)
    assert "pose" not in model.curves and model.r2 > 0.3


def test_too_few_pictures_are_refused() -> None:
    factors, scores = drawn(99, 0.1)
    with pytest.raises(UsageError, match="100 or more"):
        fit_attribution(factors, scores)
    with pytest.raises(UsageError, match="one score a picture"):
        fit_attribution(factors, scores[:-1])


def test_a_card_keeps_it() -> None:
    model = Attribution(171, 0.75, 0.6, 0.8, 0.37, {"noise": Curve((1.0, 5.0), (0.01, -0.05))})
    card = replace(toy_card(toy_model()), attribution=model)
    text = card_to_toml(card)
    assert card_from_toml(text) == card
    assert card_from_toml(card_to_toml(replace(card, attribution=None))).attribution is None
    with pytest.raises(ScorerError, match=r"factors\.curves\.noise: expected two or more asc"):
        card_from_toml(text.replace("[1.0, 5.0]", "[5.0, 1.0]"))
