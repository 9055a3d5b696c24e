"""The linear probe against least squares and known answers."""

from __future__ import annotations

import numpy as np
import pytest

from facegauge.errors import UsageError
from facegauge.training.methods.dsl_fiqa.probe import _ridge, linear_probe


@pytest.mark.parametrize("dimensions", [4, 30])
def test_ridge_is_the_least_squares_of_the_stacked_system(dimensions: int) -> None:
    rng = np.random.default_rng(0)
    x, y, fresh = rng.normal(2, 3, (12, dimensions)), rng.normal(size=(12, 2)), rng.normal(
        size=(5, dimensions)
    )  # fmt: skip
    scaled, other = ((rows - x.mean(0)) / x.std(0) for rows in (x, fresh))
    penalty = 0.3 * np.square(scaled).sum() / min(12, dimensions)
    stacked = np.vstack([scaled, np.sqrt(penalty) * np.eye(dimensions)])
    goal = np.vstack([y - y.mean(0), np.zeros((dimensions, 2))])
    weights = np.linalg.lstsq(stacked, goal, rcond=None)[0]
    assert np.allclose(_ridge(x, y, fresh, 0.3), other @ weights + y.mean(0))


def described(noise: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Embeddings that say kind and severity, and whose face it is, more or less."""
    rng = np.random.default_rng(0)
    kinds = np.tile(list("abc"), 40)
    identities = np.repeat([f"p{number}" for number in range(20)], 6)
    severities = rng.uniform(1, 5, 120)
    face = rng.normal(size=(20, 8))[np.repeat(np.arange(20), 6)]
    told = np.column_stack([np.eye(3)[np.tile(np.arange(3), 40)], severities])
    return (
        np.hstack([told + noise * rng.normal(size=told.shape), face]),
        kinds,
        severities,
        identities,
    )


def test_the_probe_reads_what_is_there() -> None:
    probe = linear_probe(*described(0.0), ridge=1e-6, resamples=50)
    assert probe.accuracy.value == 1 and probe.severity.value > 0.999
    assert probe.accuracy.n == 60 and probe.chance == pytest.approx(1 / 3)


def test_the_probe_does_not_read_what_is_not_there() -> None:
    embeddings, kinds, severities, identities = described(0.0)
    probe = linear_probe(embeddings[:, 4:], kinds, severities, identities, resamples=50)
    assert probe.accuracy.value < 0.55 and abs(probe.severity.value) < 0.35


def test_held_out_people_are_not_fitted_to() -> None:
    """A kind that only one face has cannot be named once that face is held out."""
    embeddings, kinds, severities, identities = described(0.0)
    labels = np.array([f"{kind}{who}" for kind, who in zip(kinds, identities, strict=True)])
    probe = linear_probe(embeddings, labels, severities, identities, resamples=10)
    assert probe.accuracy.value == 0


def test_too_few_people_are_said() -> None:
    with pytest.raises(UsageError, match="cannot hold out"):
        linear_probe(np.ones((2, 1)), ["a", "b"], [1, 2], ["p", "p"])
    with pytest.raises(UsageError, match="one length"):
        linear_probe(np.ones((2, 1)), ["a"], [1, 2], ["p", "q"])
