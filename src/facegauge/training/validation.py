"""Validation during training: what decides which weights are kept."""

from __future__ import annotations

import numpy as np
from torch import nn

from facegauge.data.manifests import Manifest
from facegauge.evaluation.metrics import plcc, srcc
from facegauge.faces.detection import Detector
from facegauge.faces.landmarks import landmark_vector
from facegauge.faces.spec import PreprocessSpec
from facegauge.nn.predictor import predict_views
from facegauge.training.fit import Validate
from facegauge.training.fit_state import Figures
from facegauge.training.inputs.pictures import load_framed, sampled


def make_validation(
    data: Manifest,
    spec: PreprocessSpec,
    faces: str = "whole",
    *,
    landmarks: bool = False,
    detector: Detector | None = None,
    batch_size: int = 64,
) -> Validate:
    """SRCC and PLCC on labelled pictures, and `val_score`, their mean, by which weights are kept.

    Args:
        data: labelled pictures.
        spec: what the network sees.
        faces: as for `load_framed`.
        landmarks: whether the network also takes the faces' five points.
        detector: finds them, as for `load_framed`.
        batch_size: views that the network sees at a time.
    """
    pictures = load_framed(data, spec, faces, points=landmarks, detector=detector)
    views, labels = sampled(pictures, spec), np.array([p.score for p in pictures])
    points = np.stack([landmark_vector(p.points, p.frame) for p in pictures]) if landmarks else None

    def validate(network: nn.Module) -> Figures:
        scores = predict_views(
            network, spec, views, points, batch_size=batch_size, what="validating"
        )
        figures = {"srcc": srcc(scores, labels), "plcc": plcc(scores, labels)}
        return {**figures, "val_score": (figures["srcc"] + figures["plcc"]) / 2}

    return validate
