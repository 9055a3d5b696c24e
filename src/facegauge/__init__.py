"""facegauge: perceptual face image quality from 0 to 1, offline, in milliseconds.

The names below are imported on first use, so that `import facegauge` is fast.

    >>> import facegauge
    >>> result = facegauge.score("portrait.jpg")  # doctest: +SKIP
    >>> result.status, result.score, result.best.band  # doctest: +SKIP
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from facegauge.default_scorer import score
    from facegauge.errors import FacegaugeError
    from facegauge.evaluation.compare import compare
    from facegauge.explanation import Explanation, explain
    from facegauge.faces.located import Prepared
    from facegauge.image_scores import ImageScores
    from facegauge.results import Box, Face, FaceScore, HeatMap, ImageScore, Status
    from facegauge.schema import Column
    from facegauge.scorer import Scorer
    from facegauge.selection import best
    from facegauge.tables.cells import path_from_cell

    __version__: str

__all__ = [
    "Box",
    "Column",
    "Explanation",
    "Face",
    "FaceScore",
    "FacegaugeError",
    "HeatMap",
    "ImageScore",
    "ImageScores",
    "Prepared",
    "Scorer",
    "Status",
    "__version__",
    "best",
    "compare",
    "explain",
    "path_from_cell",
    "score",
]

_MODULES = {
    "Column": "schema",
    "FacegaugeError": "errors",
    **dict.fromkeys(("Box", "Face", "FaceScore", "HeatMap", "ImageScore", "Status"), "results"),
    "ImageScores": "image_scores",
    "Prepared": "faces.located",
    "Scorer": "scorer",
    "score": "default_scorer",
    "best": "selection",
    "compare": "evaluation.compare",
    "Explanation": "explanation",
    "explain": "explanation",
    "path_from_cell": "tables.cells",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import PackageNotFoundError, version

        try:
            return version("facegauge")
        except PackageNotFoundError:  # run from a source tree that is not installed
            return "unknown"
    if name not in _MODULES:
        raise AttributeError(f"module 'facegauge' has no attribute '{name}'")
    value = globals()[name] = getattr(import_module(f"facegauge.{_MODULES[name]}"), name)
    return value


def __dir__() -> list[str]:
    return __all__
