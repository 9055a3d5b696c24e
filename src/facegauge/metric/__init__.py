"""Perceptual face quality for torch: a metric of torchmetrics, a function and a loss.

    >>> from facegauge.metric import FaceQuality
    >>> metric = FaceQuality()  # doctest: +SKIP
    >>> metric.update(restored)  # (N, 3, H, W), floats in 0..1  # doctest: +SKIP
    >>> metric.compute()  # doctest: +SKIP

The names below are imported on first use. They need the extra `[metric]`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from facegauge.errors import require

if TYPE_CHECKING:
    from facegauge.metric.faces import find_faces
    from facegauge.metric.functional import face_quality
    from facegauge.metric.loss import FaceQualityLoss
    from facegauge.metric.torchmetric import FaceQuality

__all__ = ["FaceQuality", "FaceQualityLoss", "face_quality", "find_faces"]

_MODULES = {
    "FaceQuality": "torchmetric",
    "FaceQualityLoss": "loss",
    "face_quality": "functional",
    "find_faces": "faces",
}
_NEEDED = ("torch", "torchvision", "timm", "safetensors", "torchmetrics", "onnx")


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'facegauge.metric' has no attribute '{name}'")
    for package in _NEEDED:
        require(package, "facegauge.metric", "metric")
    value = globals()[name] = getattr(import_module(f"facegauge.metric.{_MODULES[name]}"), name)
    return value


def __dir__() -> list[str]:
    return __all__
