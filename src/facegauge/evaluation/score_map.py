"""Fits the map from a scorer's scores to other labels: isotonic or logistic, as knots."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from facegauge.calibration import ScoreMap
from facegauge.errors import UsageError, require
from facegauge.evaluation.logistic import fit_logistic

Array = npt.NDArray[np.float64]

KINDS = ("isotonic", "logistic")
LEAST = 20  # pictures; fewer give a map that is noise
POINTS = 33  # knots of a logistic: its error between two is under 0.001 where it rises by 1 in 0.2


def fit_map(scores: npt.ArrayLike, labels: npt.ArrayLike, kind: str = "isotonic") -> ScoreMap:
    """Fit a map to pictures; intervals and figures need others.

    Isotonic regression (Zadrozny and Elkan 2002) gives steps, which would make different scores
    equal. Here the map runs through the middle of each step, at the mean score of its pictures, and
    straight between. Below the first and above the last it rises as the score does, within 0..1.

    Args:
        scores: (N,) the scorer's scores, 0..1.
        labels: (N,) 0..1.
        kind: "isotonic", any curve that never falls; or "logistic", four parameters, for few
            pictures.

    Raises:
        UsageError: an unknown kind, too few pictures, or labels that fall as scores rise.
        MissingExtra: isotonic without scipy.
    """
    x, y = np.asarray(scores, np.float64), np.asarray(labels, np.float64)
    if kind not in KINDS:
        raise UsageError(f"expected the map to be one of {', '.join(KINDS)}, got {kind!r}")
    if len(x) < LEAST or np.ptp(x) == 0:
        raise UsageError(
            f"expected {LEAST} pictures or more with different scores to fit a map to, got {len(x)}"
        )
    knots, values = (_isotonic if kind == "isotonic" else _logistic)(x, y)
    if values[-1] <= values[0]:
        raise UsageError("the labels do not rise with the scores, so no map can be fitted")
    return _with_ends(kind, knots, values)


def _isotonic(x: Array, y: Array) -> tuple[Array, Array]:
    require("scipy", "an isotonic map", "report")
    from scipy.optimize import isotonic_regression

    order = np.argsort(x, kind="stable")
    x, y = x[order], y[order]
    places, counts = np.unique(x, return_counts=True)  # equal scores have one value
    means = np.add.reduceat(y, np.concatenate([[0], np.cumsum(counts)[:-1]])) / counts
    found = isotonic_regression(means, weights=counts.astype(float))
    starts = found.blocks[:-1]
    weights = np.add.reduceat(counts, starts)
    return np.add.reduceat(places * counts, starts) / weights, found.x[starts]


def _logistic(x: Array, y: Array) -> tuple[Array, Array]:
    knots = np.linspace(x.min(), x.max(), POINTS)
    return knots, fit_logistic(x, y)(knots)


def _with_ends(kind: str, knots: Array, values: Array) -> ScoreMap:
    """Knots from 0 to 1, to six decimals."""
    knots, first = np.unique(np.round(knots, 6), return_index=True)
    values = np.maximum.accumulate(np.round(np.clip(values, 0, 1), 6)[first])
    if knots[0] > 0:
        low = max(0.0, round(float(values[0] - knots[0]), 6))
        knots, values = np.concatenate([[0.0], knots]), np.concatenate([[low], values])
    if knots[-1] < 1:
        high = min(1.0, round(float(values[-1] + 1 - knots[-1]), 6))
        knots, values = np.concatenate([knots, [1.0]]), np.concatenate([values, [high]])
    return ScoreMap(kind, tuple(knots.tolist()), tuple(values.tolist()))
