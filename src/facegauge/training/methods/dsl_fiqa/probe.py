"""A linear probe: what can be read from embeddings without further learning, kind and severity."""

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
    """What a linear reading of embeddings says of faces that it was not fitted to.

    Attributes:
        accuracy: share of pictures whose kind is named.
        chance: share of the commonest kind among them.
        severity: rank correlation of severity with its reading, whatever the kind.
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
    """Ridge regression of kind (one of each, the largest wins) and severity, in closed form.

    Args:
        embeddings: (N, D); each dimension is standardised on the fitted identities.
        held_out: share of the identities that are judged on, and not fitted to.
        ridge: the penalty, in units of the mean variance along the directions that there are.

    Raises:
        UsageError: the lengths differ, or too few identities to hold some out.
    """
    kinds, identities = np.asarray(kinds), np.asarray(identities)
    rows, severity = np.asarray(embeddings, np.float64), np.asarray(severities, np.float64)
    if not len(rows) == len(kinds) == len(severity) == len(identities):
        raise UsageError("embeddings, kinds, severities and identities must have one length")
    people = np.random.default_rng(seed).permutation(np.unique(identities))
    count = round(held_out * len(people))
    if not 0 < count < len(people):
        raise UsageError(
            f"cannot hold out {held_out} of {len(people)} identities: some must be fitted to and "
            "some judged on"
        )
    judged = np.isin(identities, people[:count])
    names = np.unique(kinds)
    targets = np.column_stack([kinds[:, None] == names, severity]).astype(np.float64)
    read = _fitted(rows[~judged], targets[~judged], rows[judged], ridge)
    right = names[read[:, :-1].argmax(1)] == kinds[judged]
    commonest = np.unique(kinds[judged], return_counts=True)[1].max()
    return Probe(
        bootstrap(np.mean, right.astype(np.float64), resamples=resamples, seed=seed),
        float(commonest / judged.sum()),
        bootstrap(srcc, read[:, -1], severity[judged], resamples=resamples, seed=seed),
    )


def _fitted(x: Array, y: Array, fresh: Array, ridge: float) -> Array:
    """Ridge regression of y (n, K) on x (n, D), at `fresh` (m, D): (m, K).

    Solved in whichever space is smaller, that of the D dimensions or that of the n rows.
    """
    centre, spread = x.mean(0), x.std(0)
    scale = np.divide(1, spread, out=np.zeros_like(spread), where=spread > 1e-9)
    x, fresh, mean = (x - centre) * scale, (fresh - centre) * scale, y.mean(0)
    penalty = ridge * np.square(x).sum() / min(x.shape) + 1e-12
    if x.shape[1] <= len(x):
        weights = np.linalg.solve(x.T @ x + penalty * np.eye(x.shape[1]), x.T @ (y - mean))
    else:
        weights = x.T @ np.linalg.solve(x @ x.T + penalty * np.eye(len(x)), y - mean)
    read: Array = fresh @ weights + mean
    return read
