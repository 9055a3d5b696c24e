"""Fits what a score means: percentile reference and conformal interval, on held-out labels."""

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
    """Calibration from scored and labelled pictures that the scorer was not trained on.

    Args:
        scores: (N,) the scorer's outputs, 0..1.
        labels: (N,) the labels of the same pictures, 0..1.
        reference_labels: (M,) labels that percentiles refer to, 0..1.
        reference_name: what to call these labels.
        level: share of labels the interval shall hold.
        bins: number of bins of about equal count over the scores; fewer where scores are tied.

    Returns:
        The calibration, its numbers rounded to 6 decimals. A bin with too few pictures for the
        level (under 19 for 0.9) gets the offset 1 and so an interval that excludes nothing.

    Raises:
        UsageError: arrays empty, of different length, or not all numbers in 0..1.
    """
    predicted = _unit("scores", scores)
    truth = _unit("labels", labels)
    reference = _unit("reference_labels", reference_labels)
    if len(predicted) != len(truth):
        raise UsageError(f"expected one label a score, got {len(predicted)} and {len(truth)}")
    inner = np.round(np.quantile(predicted, np.arange(1, bins) / bins), 6)
    edges = np.unique(inner)
    place = np.searchsorted(edges, predicted, side="right")
    errors = [(truth - predicted)[place == number] for number in range(len(edges) + 1)]
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
    """The ceil((n + 1) (1 - miss))-th smallest error, miss = (1 - level) / 2; within 0..1."""
    rank = math.ceil((len(errors) + 1) * (1 + level) / 2 - 1e-9)
    if rank > len(errors):
        return 1.0
    return float(np.clip(np.sort(errors)[rank - 1], 0, 1))


def _unit(name: str, values: npt.ArrayLike) -> npt.NDArray[np.float64]:
    array = np.asarray(values, np.float64)
    if array.ndim != 1 or not len(array) or not ((array >= 0) & (array <= 1)).all():
        raise UsageError(f"expected {name} to be a non-empty list of numbers in 0..1")
    return array


def _rounded(values: Sequence[float] | npt.NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(round(float(value), 6) for value in values)
