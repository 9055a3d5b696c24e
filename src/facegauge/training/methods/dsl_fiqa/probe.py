"""A linear probe: how well embeddings predict a degradation's kind and severity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from facegauge.errors import UsageError
from facegauge.evaluation.intervals import RESAMPLES, Interval, bootstrap
from facegauge.evaluation.metrics import srcc

Array = npt.NDArray[np.float64]
Names = npt.NDArray[np.str_]


@dataclass(frozen=True, slots=True)
class Probe:
    """How well a linear probe predicts on people that it was not fitted to.

    Attributes:
        accuracy: fraction of pictures whose kind is predicted.
        chance: fraction of the most frequent kind.
        severity: rank correlation (SRCC) of predicted and true severity, over all kinds.
    """

    accuracy: Interval
    chance: float
    severity: Interval


def linear_probe(
    embeddings: npt.ArrayLike,
    kinds: Sequence[str] | Names,
    severities: npt.ArrayLike,
    identities: Sequence[str] | Names,
    *,
    held_out: float = 0.5,
    ridge: float = 0.1,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Probe:
    """Fit a ridge regression of one-hot kind and severity to some people, test it on the others.

    Args:
        embeddings: (N, D); each dimension is standardised on the people of the fit.
        kinds: N names of degradations.
        severities: (N,), 0..5.
        identities: N names of people.
        held_out: fraction of the people to test on, between 0 and 1.
        ridge: the penalty, in units of the mean variance per direction.
        resamples, seed: of the bootstrap intervals; the seed also selects the people.

    Raises:
        UsageError: the lengths differ, or there are too few people to hold some out.
    """
    kinds, identities = np.asarray(kinds), np.asarray(identities)
    rows, severity = np.asarray(embeddings, np.float64), np.asarray(severities, np.float64)
    if not len(rows) == len(kinds) == len(severity) == len(identities):
        raise UsageError(
            "expected embeddings, kinds, severities and identities of one length, got "
            f"{len(rows)}, {len(kinds)}, {len(severity)} and {len(identities)}"
        )
    people = np.random.default_rng(seed).permutation(np.unique(identities))
    count = round(held_out * len(people))
    if not 0 < count < len(people):
        raise UsageError(
            f"cannot hold out {held_out} of {len(people)} people; expected some to fit to and some "
            "to test on"
        )
    tested = np.isin(identities, people[:count])
    names = np.unique(kinds)
    targets = np.column_stack([kinds[:, None] == names, severity]).astype(np.float64)
    predicted = _ridge(rows[~tested], targets[~tested], rows[tested], ridge)
    right = names[predicted[:, :-1].argmax(1)] == kinds[tested]
    most_frequent = np.unique(kinds[tested], return_counts=True)[1].max()
    return Probe(
        bootstrap(np.mean, right.astype(np.float64), resamples=resamples, seed=seed),
        float(most_frequent / tested.sum()),
        bootstrap(srcc, predicted[:, -1], severity[tested], resamples=resamples, seed=seed),
    )


def _ridge(x: Array, y: Array, new: Array, ridge: float) -> Array:
    """Ridge regression of y (n, K) on x (n, D), evaluated at `new` (m, D): (m, K).

    Solved in the smaller space: that of the D dimensions, or that of the n rows.
    """
    centre, spread = x.mean(0), x.std(0)
    scale = np.divide(1, spread, out=np.zeros_like(spread), where=spread > 1e-9)
    x, new, mean = (x - centre) * scale, (new - centre) * scale, y.mean(0)
    penalty = ridge * np.square(x).sum() / min(x.shape) + 1e-12
    if x.shape[1] <= len(x):
        weights = np.linalg.solve(x.T @ x + penalty * np.eye(x.shape[1]), x.T @ (y - mean))
    else:
        weights = x.T @ np.linalg.solve(x @ x.T + penalty * np.eye(len(x)), y - mean)
    predicted: Array = new @ weights + mean
    return predicted
