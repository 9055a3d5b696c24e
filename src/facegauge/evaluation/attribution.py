"""Fits the additive model of the factors of quality to a scorer's scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from facegauge.attribution import Attribution, Curve
from facegauge.data.manifests import Manifest
from facegauge.errors import UsageError
from facegauge.evaluation.metrics import bootstrap
from facegauge.faces.extraction import FaceExtractor
from facegauge.faces.located import Located
from facegauge.faces.policy import ExtractionPolicy
from facegauge.faces.spec import PreprocessSpec
from facegauge.factors import measure_face
from facegauge.factors.quality import Quality
from facegauge.progress import track
from facegauge.ratings import RATINGS, rated

KNOTS = 6  # of a curve, at evenly spaced quantiles
RIDGE = 1.0  # pictures' worth of pull on each step between knots towards 0
ROUNDS, CLOSE = 2000, 1e-7  # of coordinate descent; the largest change of a step that ends it
FOLDS = 10
LEAST = 100  # pictures; with fewer the share explained is a guess

Values = npt.NDArray[np.float64]


def fit_attribution(
    factors: Sequence[Mapping[str, float | None]], scores: npt.ArrayLike
) -> Attribution:
    """Fit an additive model: piecewise linear in each factor, by ridge regression.

    A worse value never adds more than a better one, see `ratings`: without this, small photos, in
    which noise and detail are faint alike, would have noise add to the score.

    Args:
        factors: of each picture the values of the factors, by name; None where there is none.
        scores: (N,) the scorer's scores of these pictures, which it has not learned from.

    Returns:
        The model, fitted to all pictures, rounded to 6 decimals. Its `r2` is that of predictions
        of each tenth of the pictures by a fit to the others, in the order given.

    Raises:
        UsageError: fewer than 100 pictures, lengths that differ, or scores that are all equal.
    """
    target = np.asarray(scores, np.float64)
    if len(factors) != len(target):
        raise UsageError(f"expected one score a picture, got {len(target)} for {len(factors)}")
    if len(target) < LEAST or np.ptp(target) == 0:
        raise UsageError(
            f"expected {LEAST} or more pictures with scores that differ, got {len(target)}"
        )
    columns = {name: _column(factors, name) for name in RATINGS}
    columns = {name: column for name, column in columns.items() if _varies(name, column)}
    fold = np.arange(len(target)) % FOLDS
    predicted = np.empty_like(target)
    for number in range(FOLDS):
        held, kept = fold == number, fold != number
        model = _fit({name: column[kept] for name, column in columns.items()}, target[kept])
        predicted[held] = [
            model.predict({name: _known(column[place]) for name, column in columns.items()})
            for place in np.flatnonzero(held)
        ]
    r2 = bootstrap(_explained, target, predicted)
    value, low, high = (round(float(end), 6) for end in (r2.value, r2.low, r2.high))
    return replace(_fit(columns, target), r2=value, low=low, high=high)


def measure_factors(
    data: Manifest, spec: PreprocessSpec, faces: str = "auto"
) -> list[dict[str, float | None]]:
    """The values of the factors of quality of each picture's face, by name.

    Args:
        data: pictures.
        spec: how faces are framed.
        faces: "auto", the largest face, or "whole", framed faces; as for `predict_with`.

    Returns:
        One a picture, in the same order; without values where there is no face.
    """
    extractor = FaceExtractor(spec, ExtractionPolicy.of_one_face(faces, landmarks=True))
    quality = Quality(spec)

    def cut(located: Located) -> dict[str, float | None]:
        for face in located.upright():
            cells, _ = measure_face([quality], face.pixels, face.face, face.frame)
            return {name: one.value for name, one in rated(cells).items()}
        return {}

    return list(track(extractor.map(data.paths, cut), "measuring", total=len(data)))


def _explained(target: Values, predicted: Values) -> float:
    """The share of variance that predictions explain; nan where there is none."""
    total = float(np.square(target - target.mean()).sum())
    return 1 - float(np.square(target - predicted).sum()) / total if total else np.nan


def _fit(columns: Mapping[str, Values], target: Values) -> Attribution:
    knots = {name: _knots(name, column) for name, column in columns.items()}
    ramps = [_ramps(columns[name], places) for name, places in knots.items()]
    signs = np.concatenate([_signs(name, places) for name, places in knots.items()])
    design = np.hstack(ramps)
    centre = design.mean(0)
    mean = float(target.mean())
    steps = signs * _least_squares((design - centre) * signs, target - mean)
    curves, start = {}, 0
    for name, places in knots.items():
        part = slice(start, start + len(places) - 1)
        start = part.stop
        values = np.concatenate([[0.0], np.cumsum(steps[part])]) - centre[part] @ steps[part]
        curves[name] = Curve(
            tuple(round(float(place), 6) for place in places),
            tuple(round(float(value), 6) for value in values),
        )
    return Attribution(len(target), 0.0, 0.0, 0.0, round(mean, 6), curves)


def _least_squares(design: Values, target: Values) -> Values:
    """Weights (K,) of 0 or more of a ridge regression, by coordinate descent."""
    gram = design.T @ design + RIDGE * np.eye(design.shape[1])
    towards, weights = design.T @ target, np.zeros(design.shape[1])
    for _ in range(ROUNDS):
        largest = 0.0
        for place, slope in enumerate(towards):
            old = weights[place]
            rest = slope - gram[place] @ weights + gram[place, place] * old
            weights[place] = max(0.0, rest / gram[place, place])
            largest = max(largest, abs(weights[place] - old))
        if largest < CLOSE:
            break
    return weights


def _ramps(column: Values, knots: Values) -> Values:
    """Between which knots values lie (N, K - 1): from 0 at a knot to 1 at the next.

    Rows of pictures without a value are the mean row.
    """
    known = np.isfinite(column)
    parts = (column[known, None] - knots[:-1]) / np.diff(knots)
    rows = np.clip(parts, 0, 1)
    filled = np.tile(rows.mean(0), (len(column), 1))
    filled[known] = rows
    return filled


def _signs(name: str, knots: Values) -> Values:
    """1 for steps between knots on which higher values are better, -1 where they are worse."""
    rating, middles = RATINGS[name], (knots[1:] + knots[:-1]) / 2
    if rating.low is None:
        better = 1.0 if rating.good > rating.bad else -1.0
        return np.full(len(middles), better)
    return np.where(middles < _middle(name), 1.0, -1.0)


def _middle(name: str) -> float:
    """The best value of a factor that can be too low and too high."""
    rating = RATINGS[name]
    assert rating.low is not None
    return (rating.low[0] + rating.good) / 2


def _knots(name: str, column: Values) -> Values:
    """Quantiles, and the best value of a factor with two sides."""
    quantiles = np.nanquantile(column, np.linspace(0.02, 0.98, KNOTS))
    middle = [] if RATINGS[name].low is None else [_middle(name)]
    inside = [one for one in middle if quantiles[0] < one < quantiles[-1]]
    return np.unique(np.round([*quantiles, *inside], 6))


def _varies(name: str, column: Values) -> bool:
    """Whether a factor is known of most pictures and has two knots or more."""
    return bool(np.isfinite(column).mean() > 0.5) and len(_knots(name, column)) > 1


def _column(factors: Sequence[Mapping[str, float | None]], name: str) -> Values:
    values = (one.get(name) for one in factors)
    return np.array([np.nan if value is None else value for value in values], np.float64)


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
