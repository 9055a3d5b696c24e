"""The pictures that a benchmark takes from a manifest, and one score for each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from facegauge.data.manifests import Manifest
from facegauge.results import ImageScore

T = TypeVar("T")

Scores = npt.NDArray[np.float64]


def chosen(manifest: Manifest, split: str, n: int = 0) -> Manifest:
    """The rows of a split ("all": every row), at most n of them, evenly spaced (0: all)."""
    if split != "all":
        manifest = manifest.where(split=split)
    if not 0 < n < len(manifest):
        return manifest
    return manifest.take(np.linspace(0, len(manifest) - 1, n).round())


def evenly(paths: Sequence[T], n: int) -> list[T]:
    """At most n of some paths, evenly spaced."""
    places = np.linspace(0, len(paths) - 1, min(n, len(paths))).round().astype(int)
    return [paths[place] for place in places]


def main_score(result: ImageScore) -> float:
    """The score of the largest face; nan if there is none."""
    return result.faces[0].score if result.faces else math.nan
