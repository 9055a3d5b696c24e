"""Validation during training: what decides which weights are kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean

import numpy as np
from torch import nn

from facegauge.evaluation.metrics import challenge, plcc, srcc
from facegauge.faces.spec import PreprocessSpec
from facegauge.nn.predictor import predict_views, uses_size
from facegauge.progress import track
from facegauge.training.devices import of_all_processes, own_rows
from facegauge.training.fit import Validate
from facegauge.training.fit_state import Figures
from facegauge.training.inputs.pictures import landmarks as landmarks_of
from facegauge.training.inputs.pictures import sampled, sizes
from facegauge.training.inputs.views import Framed

BATCH_SIZE = 64  # views that a network sees at a time


def make_validation(
    pictures: Sequence[Framed],
    spec: PreprocessSpec,
    *,
    landmarks: bool = False,
    batch_size: int = BATCH_SIZE,
) -> Validate:
    """SRCC and PLCC on labelled pictures, and `val_score`, their mean, by which weights are kept.

    Every process of a run scores its share of the pictures, and all get the same figures.

    Args:
        pictures: with labels.
        spec: what the network sees.
        landmarks: whether the network also takes the faces' five points.
        batch_size: views that the network sees at a time.
    """
    labels, own = np.array([p.score for p in pictures]), own_rows(len(pictures))
    mine = [pictures[row] for row in own]
    views = sampled(mine, spec) if mine else np.empty((0, spec.height, spec.width, 3), np.uint8)
    points = landmarks_of(mine, spec) if landmarks and mine else None

    def validate(network: nn.Module) -> Figures:
        scored = predict_views(
            network, spec, views, points, batch_size=batch_size, what="validating"
        )
        scores = of_all_processes(scored, len(labels))
        figures = {"srcc": srcc(scores, labels), "plcc": plcc(scores, labels)}
        return {**figures, "val_score": (figures["srcc"] + figures["plcc"]) / 2}

    return validate


def make_source_validation(
    held_out: Mapping[str, Sequence[Framed]], spec: PreprocessSpec, *, landmarks: bool = False
) -> Validate:
    """(SRCC + PLCC) / 2 on the held-out pictures of each source, and `val_score`, their mean.

    Args:
        held_out: pictures with labels or pseudo-labels, by source.
        spec: what the network sees.
        landmarks: whether the network also takes the faces' five points.
    """

    def validate(network: nn.Module) -> dict[str, float]:
        figures = {}
        for name, pictures in held_out.items():
            scores = [np.empty(0)]
            own = own_rows(len(pictures))
            starts, total = range(0, len(own), BATCH_SIZE), len(own)
            for first in track(starts, f"validating on {name}", total=total, each=BATCH_SIZE):
                # views of all need much memory
                some = [pictures[row] for row in own[first : first + BATCH_SIZE]]
                told = None
                if uses_size(network):
                    told = sizes(some, spec)
                elif landmarks:
                    told = landmarks_of(some, spec)
                scores.append(predict_views(network, spec, sampled(some, spec), told))
            labels = np.array([one.score for one in pictures], np.float64)
            whole = of_all_processes(np.concatenate(scores), len(labels))
            figures[name] = challenge(whole, labels)
        return {**figures, "val_score": fmean(figures.values())}

    return validate
