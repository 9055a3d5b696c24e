"""The score of faces as a function."""

from __future__ import annotations

import os
from functools import lru_cache

import torch
from torch import Tensor

from facegauge import zoo
from facegauge.faces.detection import MIN_FACE, Detector
from facegauge.metric.faces import Boxes, check_images
from facegauge.metric.frozen import FrozenNetwork
from facegauge.metric.model import QualityModel, check_reduction


def face_quality(
    images: Tensor,
    boxes: Boxes | None = None,
    *,
    scorer: str | os.PathLike[str] = zoo.DEFAULT,
    faces: str = "largest",
    reduction: str = "mean",
    detector: Detector | None = None,
    min_face: float = MIN_FACE,
    rounding: bool = True,
) -> Tensor:
    """Perceptual quality of the faces of pictures, 0 (worst) to 1 (best), with gradients.

    Equal to the score that `Scorer(scorer, faces=faces)` gives the saved pictures, but for the
    rounding of float32. Shipped scorers stay open between calls; of a folder a `FaceQuality` opened
    once is faster.

    Args:
        images: (N, 3, H, W) floats in 0..1, RGB, on any device; values outside are clipped.
        boxes: of the faces in place of a search: (N, 4) left, top, right, bottom in pixels, nan
            for none, or what `find_faces` returns.
        scorer: a shipped scorer's name, a scorer folder or a run folder.
        faces: "largest": the largest face is searched, outside the graph, and cut out unless the
            picture is framed already; "whole": every picture is a framed face.
        reduction: "mean": of the pictures with a face; "none": one score a picture.
        detector: finds the faces in (H, W, 3) uint8 RGB pixels; CenterFace by default.
        min_face: faces whose box's shorter side has fewer pixels are left out.
        rounding: round pixels to 8 bits as in a saved picture; the gradient passes straight
            through.

    Returns:
        The mean score (), or scores (N,); nan without a face.

    Raises:
        UsageError, ScorerError: an argument that cannot be, or a damaged scorer.
    """
    check_images(images)
    check_reduction(reduction)
    dtype = torch.float64 if images.dtype is torch.float64 else torch.float32
    name = os.fspath(scorer)
    opened = _shipped if name in zoo.names() else _open
    model = QualityModel(
        opened(name, images.device, dtype),
        faces=faces,
        detector=detector,
        min_face=min_face,
        rounding=rounding,
    )
    scores: Tensor = model(images, boxes)
    return scores[~scores.isnan()].mean() if reduction == "mean" else scores


def _open(name: str, device: torch.device, dtype: torch.dtype) -> FrozenNetwork:
    return FrozenNetwork.open(name).to(device, dtype)


_shipped = lru_cache(maxsize=8)(_open)
