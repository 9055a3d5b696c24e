"""Fits a calibration: percentiles of reference labels, and conformal intervals."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from facegauge.calibration import Calibration, Offsets
from facegauge.errors import UsageError

logger = logging.getLogger(__name__)

MIN_NEIGHBOURS = 60  # fewer give offsets that are the largest errors among them


def fit_calibration(
    scores: npt.ArrayLike,
    labels: npt.ArrayLike,
    reference_scores: npt.ArrayLike,
    reference_name: str,
    *,
    whole: tuple[npt.ArrayLike, npt.ArrayLike] | None = None,
    level: float = 0.9,
    neighbours: int | None = None,
) -> Calibration:
    """Fit a calibration to pictures that the scorer was not trained on.

    See `facegauge.calibration` for the method.

    Args:
        scores: (N,) the scorer's scores, 0..1.
        labels: (N,) labels of the same pictures, 0..1.
        reference_scores: (M,) scores or labels that percentiles refer to, 0..1.
        reference_name: what these are.
        whole: scores and labels of pictures that were taken whole, if they have an interval of
            their own.
        level: fraction of labels that the interval should contain, 0..1.
        neighbours: see `fit_offsets`.

    Returns:
        The calibration, rounded to 6 decimals.

    Raises:
        UsageError: an array is empty or has values outside 0..1, or the lengths differ.
    """
    reference = _as_unit_array("reference_scores", reference_scores)
    sides = [None if one is None else fit_offsets(*one, level=level, neighbours=neighbours)
             for one in ((scores, labels), whole)]  # fmt: skip
    assert sides[0] is not None
    return Calibration(
        reference=reference_name,
        n=len(reference),
        quantiles=_rounded(np.quantile(reference, np.arange(101) / 100)),
        offsets=sides[0],
        whole=sides[1],
        level=level,
    )


def fit_offsets(
    scores: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    level: float = 0.9,
    neighbours: int | None = None,
) -> Offsets:
    """Fit the offsets of an interval.

    Args:
        scores, labels, level: as for `fit_calibration`.
        neighbours: calibration pictures whose errors make the interval at a knot; a fifth of them
            by default, but `MIN_NEIGHBOURS` or more, where there are as many.

    Returns:
        The offsets, rounded to 6 decimals. With too few pictures for the level (fewer than 19 for
        0.9) they are 1, so that the interval excludes nothing.

    Raises:
        UsageError: as `fit_calibration`.
    """
    predicted = _as_unit_array("scores", scores)
    target = _as_unit_array("labels", labels)
    if len(predicted) != len(target):
        raise UsageError(
            f"expected one label per score, got {len(target)} labels and {len(predicted)} scores"
        )
    least = math.ceil((1 + level) / (1 - level) - 1e-9)
    if len(predicted) < least:
        logger.warning(
            "%d labelled pictures are too few for an interval of %.0f %%: it is 0 to 1 for every "
            "score; expected %d or more, and %d for one that tells anything",
            len(predicted), 100 * level, least, MIN_NEIGHBOURS,
        )  # fmt: skip
    count = min(neighbours or max(len(predicted) // 5, MIN_NEIGHBOURS), len(predicted))
    order = np.argsort(predicted, kind="stable")
    predicted, errors = predicted[order], (target - predicted)[order]
    starts = _starts(len(predicted), count)
    windows = [slice(start, start + count) for start in starts]
    middles = np.round([np.median(predicted[window]) for window in windows], 6)
    offsets = np.array(
        [[_offset(side * errors[window], level) for side in (-1, 1)] for window in windows]
    )
    knots, first = np.unique(middles, return_index=True)
    low, high = _rising(knots, *offsets[first].T)
    return Offsets(_rounded(knots), _rounded(low), _rounded(high))


def coverage(offsets: Offsets, scores: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """The share, 0..1, of labels (N,) that lie in the intervals of their scores (N,)."""
    ends = np.array([offsets.interval(score) for score in np.asarray(scores).tolist()])
    target = np.asarray(labels, np.float64)
    return float(np.mean((ends[:, 0] <= target) & (target <= ends[:, 1])))


def _starts(total: int, count: int) -> list[int]:
    """First places of windows of `count` out of `total`, half overlapping, from end to end."""
    steps = max(0, round((total - count) / max(1, count / 2)))
    return sorted({round(start) for start in np.linspace(0, total - count, steps + 1).tolist()})


def _rising(
    knots: npt.NDArray[np.float64],
    lower: npt.NDArray[np.float64],
    upper: npt.NDArray[np.float64],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The offsets, widened where an end of the interval would fall while the score rises."""
    low = np.minimum.accumulate((knots - lower)[::-1])[::-1]
    high = np.maximum.accumulate(knots + upper)
    return knots - low, high - knots


def _offset(errors: npt.NDArray[np.float64], level: float) -> float:
    """The ceil((n + 1) (1 - miss))-th smallest error with miss = (1 - level) / 2, in 0..1."""
    rank = math.ceil((len(errors) + 1) * (1 + level) / 2 - 1e-9)
    if rank > len(errors):
        return 1.0
    return float(np.clip(np.sort(errors)[rank - 1], 0, 1))


def _as_unit_array(name: str, values: npt.ArrayLike) -> npt.NDArray[np.float64]:
    array = np.asarray(values, np.float64)
    if array.ndim != 1 or not len(array) or not ((array >= 0) & (array <= 1)).all():
        raise UsageError(f"expected {name} to be a non-empty list of numbers in 0..1")
    return array


def _rounded(values: Sequence[float] | npt.NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(round(float(value), 6) for value in values)
