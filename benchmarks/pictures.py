"""Which pictures of a manifest, the one score of each, and figures over them as text."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from facegauge.metrics import bootstrap
from facegauge.results import ImageScore
from facegauge.training.manifests import Manifest

Scores = npt.NDArray[np.float64]


def chosen(manifest: Manifest, split: str, n: int = 0) -> Manifest:
    """The rows of a split ("all": every row), at most n of them, evenly spaced (0: all)."""
    if split != "all":
        manifest = manifest.where(split=split)
    if not 0 < n < len(manifest):
        return manifest
    return manifest.take(np.linspace(0, len(manifest) - 1, n).round())


def main_score(result: ImageScore) -> float:
    """The largest face's score; nan where there is none."""
    return result.faces[0].score if result.faces else math.nan


def figure(statistic: Callable[..., float], *columns: npt.ArrayLike, sign: str = "") -> str:
    """A statistic with its 95 % bootstrap interval; "-" without rows.

    Args:
        sign: "+" shows the sign of positive numbers.
    """
    if not len(np.asarray(columns[0])):
        return "-"
    found = bootstrap(statistic, *columns)
    value, low, high = (format(end, f"{sign}.3f") for end in (found.value, found.low, found.high))
    return f"{value} [{low}, {high}]"
