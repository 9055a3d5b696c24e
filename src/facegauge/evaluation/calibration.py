"""Fits a calibration: percentiles of reference labels, and conformal intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from facegauge.calibration import Calibration
from facegauge.errors import UsageError


def fit_calibration(
    scores: npt.ArrayLike,
    labels: npt.ArrayLike,
    reference_labels: npt.ArrayLike,
    reference_name: str,
    *,
    level: float = 0.9,
    bins: int = 5,
) -> Calibration:
    """Fit a calibration to pictures that the scorer was not trained on.

    See `facegauge.calibration` for the method.

    Args:
        scores: (N,) the scorer's scores, 0..1.
        labels: (N,) labels of the same pictures, 0..1.
        reference_labels: (M,) labels that percentiles refer to, 0..1.
        reference_name: name of these labels.
        level: fraction of labels that the interval should contain, 0..1.
        bins: number of bins of the scores, of about equal count; fewer if scores are tied.

    Returns:
        The calibration, rounded to 6 decimals. A bin with too few pictures for the level (fewer
        than 19 for 0.9) gets the offset 1, so that its interval excludes nothing.

    Raises:
        UsageError: an array is empty or has values outside 0..1, or the lengths differ.
    """
    predicted = _as_unit_array("scores", scores)
    target = _as_unit_array("labels", labels)
    reference = _as_unit_array("reference_labels", reference_labels)
    if len(predicted) != len(target):
        raise UsageError(
            f"expected one label per score, got {len(target)} labels and {len(predicted)} scores"
        )
    inner = np.round(np.quantile(predicted, np.arange(1, bins) / bins), 6)
    edges = np.unique(inner)
    bin_index = np.searchsorted(edges, predicted, side="right")
    errors = [(target - predicted)[bin_index == number] for number in range(len(edges) + 1)]
    return Calibration(
        reference=reference_name,
        n=len(reference),
        quantiles=_rounded(np.quantile(reference, np.arange(101) / 100)),
        edges=_rounded(edges),
        lower=_rounded([_offset(-error, level) for error in errors]),
        upper=_rounded([_offset(error, level) for error in errors]),
        level=level,
    )


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
