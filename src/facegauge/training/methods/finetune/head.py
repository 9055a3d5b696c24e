"""The head on frozen features: ridge regression around the head that the start has."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

PENALTIES = np.logspace(-2, 6, 9)
BIAS_SCALE = 10.0  # of the column of the bias, which is hardly penalised then


@dataclass(frozen=True, slots=True)
class Shift:
    """What is added to every score before the curve: `embedding @ weight + bias`.

    Attributes:
        weight: (C,).
        bias: one number.
        penalty: of the ridge regression, which cross-validation chose.
    """

    weight: Array
    bias: float
    penalty: float


def fit_shift(
    embeddings: npt.ArrayLike,
    residuals: npt.ArrayLike,
    slopes: npt.ArrayLike,
    pictures: npt.ArrayLike,
    *,
    folds: int = 5,
    seed: int = 0,
) -> Shift:
    """Fit a change of the head that explains what a curve on the start's scores leaves over.

    A change d of a score before the curve moves it by slope * d behind it. So the residuals are
    regressed on the features times the slopes: one Gauss-Newton step, in closed form. The features
    are standardised, and the largest change is no better than none: the penalty pulls towards the
    head as it is. It is chosen by cross-validation over pictures.

    Args:
        embeddings: (N, C), of views.
        residuals: (N,), label minus the curve's value.
        slopes: (N,), of the curve at each score.
        pictures: (N,), which picture a view is of: its views are in one fold.
        folds: of the cross-validation.
        seed: of the folds.
    """
    features, r, slope = (np.asarray(x, np.float64) for x in (embeddings, residuals, slopes))
    mean, spread = features.mean(0), features.std(0)
    spread = np.where(spread > 1e-8, spread, np.inf)  # a constant one gets no weight
    design = np.column_stack([(features - mean) / spread, np.full(len(r), BIAS_SCALE)])
    design *= slope[:, None]

    which = np.unique(np.asarray(pictures), return_inverse=True)[1]
    fold = np.random.default_rng(seed).permutation(which.max() + 1)[which] % folds
    errors = np.zeros(len(PENALTIES))
    for number in range(folds):
        held = fold == number
        if held.all() or not held.any():
            continue
        solutions = _ridge(design[~held], r[~held], PENALTIES)
        errors += ((r[held, None] - design[held] @ solutions) ** 2).sum(0)
    penalty = float(PENALTIES[np.argmin(errors)])

    (solution,) = _ridge(design, r, np.array([penalty])).T
    weight = solution[:-1] / spread
    return Shift(weight, float(solution[-1] * BIAS_SCALE - weight @ mean), penalty)


def _ridge(design: Array, target: Array, penalties: Array) -> Array:
    """Solutions (C, P) of the ridge regressions with each penalty, by one decomposition.

    With fewer rows than columns it is that of the rows' products, which is smaller.
    """
    if len(design) < design.shape[1]:
        values, vectors = np.linalg.eigh(design @ design.T)
        shrunk = (vectors.T @ target)[:, None] / (np.maximum(values, 0)[:, None] + penalties)
        return np.asarray(design.T @ (vectors @ shrunk), np.float64)
    values, vectors = np.linalg.eigh(design.T @ design)
    projected = vectors.T @ (design.T @ target)
    shrunk = projected[:, None] / (np.maximum(values, 0)[:, None] + penalties)
    return np.asarray(vectors @ shrunk, np.float64)
