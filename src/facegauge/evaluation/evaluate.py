"""Predictions of a run folder or a scorer folder for a manifest, and how good they are."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from facegauge import zoo
from facegauge.arrays import FloatArray
from facegauge.data.manifests import Manifest
from facegauge.errors import NOT_A_NUMBER, MissingExtra, PictureError, UsageError
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
from facegauge.faces.detection import CenterFace, Detector
from facegauge.faces.extraction import largest_frame
from facegauge.faces.sampling import face_crops, to_tensor
from facegauge.faces.spec import PreprocessSpec
from facegauge.images.loading import open_picture
from facegauge.results import Box

if TYPE_CHECKING:
    from torch import nn

    from facegauge.nn.checkpoints import Run

Scores = npt.NDArray[np.float64]

FACES = ("whole", "auto")
COMPARED = {"srcc": srcc, "plcc": plcc, "rmse": rmse, "challenge": challenge}


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """Scores for the N pictures of a manifest, as a scorer would give them.

    Attributes:
        scores: (N,), clipped to 0..1; nan where a picture has none.
        members: the same of every part of an ensemble, by name.
        unscored: row to the reason why it has no score.
    """

    scores: Scores
    members: Mapping[str, Scores] = field(default_factory=dict)
    unscored: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """An evaluation, ready to be printed or saved.

    Attributes:
        figures: by name: the parts of an ensemble, if any, and "average" or "score".
        groups: one gap for each value of the column that was asked for.
        differences: this less the other, on the pictures that both have scored; by figure.
        unscored: path to reason.
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
    """Judge predictions against the manifest's labels; pictures without a score are named.

    Args:
        by: a group column to show gaps for.
        other: predictions for the same manifest to compare with, row by row.

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


def predict(folder: str | Path, manifest: Manifest, faces: str = "whole") -> Predictions:
    """Score a manifest with a scorer (a shipped one's name, or a folder) or a run folder.

    A folder with a card is scored as it ships, by onnxruntime; a run folder by torch.

    Raises:
        UsageError, ScorerError: there is neither.
        MissingExtra: a run folder without torch.
    """
    if is_run(folder):
        return predict_run(open_run(folder), manifest, faces=faces)
    return predict_scorer(folder, manifest, faces)


def is_run(name_or_folder: str | os.PathLike[str]) -> bool:
    """Whether it is a run folder, not a shipped scorer's name or a scorer folder."""
    if os.fspath(name_or_folder) in zoo.names():
        return False
    folder = Path(name_or_folder)
    return (folder / "run.json").is_file() and not (folder / zoo.CARD).is_file()


def open_run(folder: str | os.PathLike[str]) -> Run:
    """`load_run`, with a plain word where torch is missing."""
    from importlib.util import find_spec

    if find_spec("torch") is None:
        raise MissingExtra("opening a run folder", "train")
    from facegauge.nn.checkpoints import load_run

    return load_run(folder)


def predict_scorer(folder: str | Path, manifest: Manifest, faces: str = "whole") -> Predictions:
    """Score a manifest with a scorer; see `predict_network` for `faces`."""
    from facegauge.scorer import Scorer

    _check_faces(faces)
    scorer = Scorer(folder, faces="whole" if faces == "whole" else "largest")
    scores, unscored = np.full(len(manifest), np.nan), {}
    for row, result in enumerate(scorer.score_iter(manifest.paths)):
        if result.score is None:
            unscored[row] = result.message or result.status.value
        else:
            scores[row] = result.score
    return Predictions(scores, {}, unscored)


def predict_run(
    run: Run, manifest: Manifest, batch_size: int = 64, faces: str = "whole"
) -> Predictions:
    """Score a manifest with a run's network and each of its members."""
    networks = {"": run.network, **run.members}
    columns, unscored = _predict(networks, run.spec, manifest, batch_size, faces)
    return Predictions(columns.pop(""), columns, unscored)


def predict_network(
    network: nn.Module,
    spec: PreprocessSpec,
    manifest: Manifest,
    batch_size: int = 64,
    faces: str = "whole",
) -> Predictions:
    """Score a manifest with one network, on the device that it is on.

    Args:
        network: (N, 3, height, width) normalised float32 -> (N,). If its attribute `guided` is
            true it is also given (N, 10) from `faces.landmarks.landmark_vector`.
        faces: "whole": every picture is a framed face; "auto": the largest face is searched, and
            cut out unless the picture is framed already.
    """
    columns, unscored = _predict({"": network}, spec, manifest, batch_size, faces)
    return Predictions(columns[""], {}, unscored)


def _predict(
    networks: Mapping[str, nn.Module],
    spec: PreprocessSpec,
    manifest: Manifest,
    batch_size: int,
    faces: str,
) -> tuple[dict[str, Scores], dict[int, str]]:
    import torch

    _check_faces(faces)
    guided = bool(getattr(networks[""], "guided", False))
    look = partial(
        _look,
        spec=spec,
        detector=CenterFace() if guided or faces == "auto" else None,
        whole=faces == "whole",
    )
    columns = {name: np.full(len(manifest), np.nan) for name in networks}
    unscored: dict[int, str] = {}
    device = next(networks[""].parameters()).device
    training = networks[""].training
    networks[""].eval()
    with torch.inference_mode():
        for rows, *given in _batches(manifest, look, batch_size, unscored):
            images, marks = (torch.from_numpy(part).to(device) for part in given)
            images = images.contiguous(memory_format=torch.channels_last)  # faster on a CPU
            for name, network in networks.items():
                scores = network(images, *([marks] if guided else [])).float().cpu().numpy()
                for row in set(rows):
                    columns[name][row] = np.clip(scores[np.equal(rows, row)].mean(), 0, 1)
    networks[""].train(training)
    for row in np.flatnonzero(~np.isfinite(columns[""])).tolist():
        unscored.setdefault(row, NOT_A_NUMBER)
    return columns, unscored


def _batches(
    manifest: Manifest,
    look: Callable[[Path], list[tuple[FloatArray, FloatArray]]],
    batch_size: int,
    unscored: dict[int, str],
) -> Iterator[tuple[list[int], FloatArray, FloatArray]]:
    """Row numbers, tensors (n, 3, H, W) and points (n, 10); a row for every crop of a picture.

    What has no tensor is noted in `unscored`.
    """
    rows: list[int] = []
    seen: list[tuple[FloatArray, FloatArray]] = []
    for row, path in enumerate(manifest.paths):
        try:
            found = look(path)
            seen += found
            rows += [row] * len(found)
        except PictureError as error:
            unscored[row] = str(error)
        if len(rows) >= batch_size or (rows and row == len(manifest) - 1):
            yield rows, np.stack([image for image, _ in seen]), np.stack([each for _, each in seen])
            rows, seen = [], []


def _look(
    path: Path, *, spec: PreprocessSpec, detector: Detector | None, whole: bool
) -> list[tuple[FloatArray, FloatArray]]:
    """One picture's crops as the network wants them: (3, H, W), and where the face's points lie."""
    pixels = open_picture(path)
    height, width = pixels.shape[:2]
    frame = Box(0, 0, width, height)
    found = detector(pixels) if detector else []
    if not whole:
        frame = largest_frame(found, width, height, spec)
    points = found[0].points if found else ()
    return [
        (to_tensor(seen, spec), marks) for seen, marks in face_crops(pixels, frame, points, spec)
    ]


def _check_faces(faces: str) -> None:
    if faces not in FACES:
        raise UsageError(f"faces must be {' or '.join(FACES)} here, got {faces!r}")
