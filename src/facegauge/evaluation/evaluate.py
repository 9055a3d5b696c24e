"""How well the scores of a run or a scorer agree with the labels of a manifest."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from facegauge.arrays import Scores
from facegauge.data.manifests import Manifest
from facegauge.errors import NOT_A_NUMBER, UsageError
from facegauge.evaluation.metrics import (
    Evaluation,
    GroupGap,
    Interval,
    challenge,
    evaluate,
    group_gaps,
    paired_bootstrap,
    plcc,
    rmse,
    srcc,
)
from facegauge.faces.detection import Detector
from facegauge.faces.extraction import ExtractionPolicy, FaceExtractor
from facegauge.predictors import Predictor, in_batches, open_predictor, predict_faces

COMPARED = {"srcc": srcc, "plcc": plcc, "rmse": rmse, "challenge": challenge}


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """Scores for the N pictures of a manifest, as a scorer would give them.

    Attributes:
        scores: (N,), clipped to 0..1; nan where a picture has none.
        members: the same of each part of an ensemble, by name.
        unscored: the reason why a picture has no score, by row.
    """

    scores: Scores
    members: Mapping[str, Scores] = field(default_factory=dict)
    unscored: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """An evaluation, ready to be printed or saved.

    Attributes:
        figures: by name: the parts of an ensemble, if any, and "average" or "score".
        groups: one gap for each value of the group column.
        differences: of this minus the other, on the pictures that both have scored; by figure.
        unscored: the reason why a picture has no score, by path.
    """

    label_name: str
    figures: Mapping[str, Evaluation]
    groups: Sequence[GroupGap] = ()
    differences: Mapping[str, Interval] = field(default_factory=dict)
    unscored: Mapping[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "label": self.label_name,
            "figures": {name: value.to_dict() for name, value in self.figures.items()},
            "groups": [gap.to_dict() for gap in self.groups],
            "differences": {
                name: {**value.to_dict(), "n": value.n} for name, value in self.differences.items()
            },
            "unscored": dict(self.unscored),
        }


def report(
    manifest: Manifest,
    predictions: Predictions,
    *,
    label_name: str = "label",
    by: str | None = None,
    other: Predictions | None = None,
    resamples: int = 1000,
) -> Report:
    """Compare predictions with the manifest's labels; pictures without a score are listed.

    Args:
        manifest: labelled pictures.
        predictions: one for each of them.
        label_name: what the labels are called in print.
        by: a group column to show gaps for.
        other: predictions for the same manifest to compare with, row by row.
        resamples: of the bootstrap intervals.

    Raises:
        UsageError: there are no labels, no such column, or not one picture has a score.
    """
    labels = manifest.labels()
    scored = np.isfinite(predictions.scores)
    if not scored.any():
        why = next(iter(predictions.unscored.values()), "the manifest is empty")
        raise UsageError(f"none of the {len(manifest)} pictures has a score; the first: {why}")
    named = {**predictions.members, ("average" if predictions.members else "score"): None}
    figures = {
        name: evaluate(
            (predictions.scores if scores is None else scores)[scored],
            labels[scored],
            resamples=resamples,
        )
        for name, scores in named.items()
    }
    gaps: list[GroupGap] = []
    if by is not None:
        groups = [name for name, kept in zip(manifest.group(by), scored, strict=True) if kept]
        gaps = group_gaps(predictions.scores[scored], labels[scored], groups, resamples=resamples)
    differences = {}
    if other is not None:
        both = scored & np.isfinite(other.scores)
        sides = predictions.scores[both], other.scores[both], labels[both]
        differences = {
            name: paired_bootstrap(statistic, *sides, resamples=resamples)
            for name, statistic in COMPARED.items()
        }
    unscored = {str(manifest.paths[row]): why for row, why in predictions.unscored.items()}
    return Report(label_name, figures, gaps, differences, unscored)


def predict(
    name_or_folder: str | os.PathLike[str],
    manifest: Manifest,
    faces: str = "whole",
    *,
    detect_size: int | None = None,
) -> Predictions:
    """Score a manifest with a scorer (a shipped one's name, or a folder) or a run folder.

    A folder with a card runs as it ships, on onnxruntime; a run folder runs on torch, and of an
    ensemble each part has predictions of its own.

    Args:
        name_or_folder: see `predictors.open_predictor`.
        manifest: the pictures.
        faces, detect_size: see `predict_with`.

    Raises:
        UsageError, ScorerError: there is neither.
        MissingExtra: a run folder without torch.
    """
    ExtractionPolicy.of_one_face(faces, detect_size=detect_size)  # refused before the network opens
    return predict_with(open_predictor(name_or_folder), manifest, faces, detect_size=detect_size)


def predict_with(
    predictor: Predictor,
    manifest: Manifest,
    faces: str = "whole",
    *,
    batch_size: int = 32,
    detector: Detector | None = None,
    detect_size: int | None = None,
) -> Predictions:
    """Score a manifest with a network, as a scorer would.

    Args:
        predictor: the network; if it has `members`, other predictors by name that see the same
            crops, each has predictions of its own.
        manifest: the pictures.
        faces: "whole": every picture is a framed face; "auto": the largest face is searched, and
            cut out unless the picture is framed already.
        batch_size: crops that the network sees at a time.
        detector: finds the faces; CenterFace by default.
        detect_size: see `ExtractionPolicy`.

    Raises:
        UsageError: another value of `faces`.
        ScorerError: the network or the detector is damaged.
    """
    members: Mapping[str, Predictor] = getattr(predictor, "members", {})
    networks = {"": predictor, **members}
    policy = ExtractionPolicy.of_one_face(
        faces, landmarks=predictor.uses_landmarks, detect_size=detect_size
    )
    extractor = FaceExtractor(predictor.spec, policy, detector)
    columns = {name: np.full(len(manifest), np.nan) for name in networks}
    unscored: dict[int, str] = {}
    prepared = enumerate(extractor.map(manifest.paths, extractor.prepare))
    for batch in in_batches(prepared, lambda pair: pair[1].count, batch_size):
        unscored.update({row: one.message for row, one in batch if not one.crops})
        rows = [row for row, one in batch if one.crops]
        crops = [face for _, one in batch for face in one.crops]
        for name, network in networks.items():
            scores = predict_faces(network, crops, batch_size)
            columns[name][rows] = np.where(np.isfinite(scores), np.clip(scores, 0, 1), np.nan)
    for row in np.flatnonzero(~np.isfinite(columns[""])).tolist():
        unscored.setdefault(row, NOT_A_NUMBER)
    return Predictions(columns.pop(""), columns, dict(sorted(unscored.items())))
