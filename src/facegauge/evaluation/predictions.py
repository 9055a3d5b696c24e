"""One score for each picture of a manifest, from a network or a table."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from facegauge.arrays import Scores
from facegauge.data.manifests import Manifest
from facegauge.errors import NOT_A_NUMBER, UsageError
from facegauge.evaluation.photos import warn_of_photos
from facegauge.evaluation.table_scores import (
    OURS,
    TableOptions,
    TableScores,
    ignored_rows,
    is_table,
    missing_rows,
    read_scores,
)
from facegauge.faces.detection import Detector
from facegauge.faces.extraction import FaceExtractor
from facegauge.faces.policy import ExtractionPolicy
from facegauge.predictors import (
    Predictor,
    device_of,
    faces_of,
    in_batches,
    open_predictor,
    predict_faces,
)
from facegauge.progress import track
from facegauge.tables.formats import DECIMALS
from facegauge.tables.notes import read_notes


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """Scores for the N pictures of a manifest, from a network or a table.

    Attributes:
        scores: (N,), higher is better; those of networks are clipped to 0..1. nan where a picture
            has none.
        members: the same of each part of an ensemble, by name.
        unscored: the reason why a picture has no score, by row.
        ignored: rows of a table that do not count, by the reason why.
        on_label_scale: whether the scores are meant to equal the labels, not only to order them.
    """

    scores: Scores
    members: Mapping[str, Scores] = field(default_factory=dict)
    unscored: Mapping[int, str] = field(default_factory=dict)
    ignored: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    on_label_scale: bool = True

    def take(self, rows: npt.ArrayLike) -> Predictions:
        """Those of some pictures, (N,) a boolean mask."""
        kept = np.flatnonzero(np.asarray(rows, bool))
        places = {int(row): place for place, row in enumerate(kept)}
        return replace(
            self,
            scores=self.scores[kept],
            members={name: scores[kept] for name, scores in self.members.items()},
            unscored={places[row]: why for row, why in self.unscored.items() if row in places},
        )


def join_table(table: TableScores, manifest: Manifest, join: str = "path") -> Predictions:
    """The scores of a table for the pictures of a manifest.

    Args:
        table: see `table_scores.read_scores`.
        manifest: the pictures; they need not be there.
        join: see `table_scores.TableOptions`.

    Raises:
        UsageError: no row of the table is one of the pictures.
    """
    pairs = table.join([str(path) for path in manifest.paths], join, manifest.folder)
    scores = np.full(len(manifest), np.nan)
    for left, right in pairs.rows:
        scores[right] = table.scores[left]
    return Predictions(
        scores,
        unscored=missing_rows(pairs, table, manifest),
        ignored=ignored_rows(pairs, table),
        on_label_scale=table.on_label_scale,
    )


def faces_read(subject: str | os.PathLike[str], faces: str | None = None) -> str | None:
    """How the faces of a subject's pictures are read, as `predictions_of` does.

    Returns:
        "whole" or "auto"; of a table what its notes say, such as "all"; None if they are gone.
    """
    if not is_table(subject):
        return faces or faces_of(subject)
    try:
        return str(read_notes(Path(subject)).settings["faces"])
    except (UsageError, KeyError):
        return None


def predictions_of(
    subject: str | os.PathLike[str],
    manifest: Manifest,
    split: str = "all",
    *,
    faces: str | None = None,
    detect_size: int | None = None,
    device: str = "cpu",
    options: TableOptions = OURS,
) -> Predictions:
    """The scores of one split of a manifest, from a table, a scorer or a run folder.

    Args:
        subject: a table's path, a shipped scorer's name, a scorer folder or a run folder.
        manifest: all pictures; a table's rows of other splits have a partner too.
        split: the pictures that count; "all": all of them.
        faces, detect_size: for scorers and runs, see `predict_with`; by default as a run read its
            own pictures, and whole for scorers.
        device: for scorers and runs, see `predictors.open_predictor`.
        options: for tables.

    Raises:
        UsageError: no such split; and as `join_table`, `read_scores` and `predict`.
    """
    rows = manifest.in_split(split)
    if is_table(subject):
        return join_table(read_scores(subject, options), manifest, options.join).take(rows)
    faces = faces or faces_of(subject)
    return predict(subject, manifest.take(rows), faces, detect_size=detect_size, device=device)


def predict(
    name_or_folder: str | os.PathLike[str],
    manifest: Manifest,
    faces: str = "whole",
    *,
    detect_size: int | None = None,
    device: str = "cpu",
) -> Predictions:
    """Score a manifest with a scorer (a shipped one's name, or a folder) or a run folder.

    A folder with a card runs as it ships, on onnxruntime; a run folder runs on torch, and of an
    ensemble each part has predictions of its own.

    Args:
        name_or_folder: see `predictors.open_predictor`.
        manifest: the pictures.
        faces, detect_size: see `predict_with`.
        device: see `predictors.open_predictor`.

    Raises:
        UsageError, ScorerError: there is neither, or the device cannot be used.
        MissingExtra: a run folder without torch.
    """
    ExtractionPolicy.of_one_face(faces, detect_size=detect_size)  # refused before the network opens
    predictor = open_predictor(name_or_folder, device)
    return predict_with(predictor, manifest, faces, detect_size=detect_size)


def predict_with(
    predictor: Predictor,
    manifest: Manifest,
    faces: str = "whole",
    *,
    batch_size: int = 32,
    detector: Detector | None = None,
    detect_size: int | None = None,
) -> Predictions:
    """Score a manifest with a network, as a scorer would, with the decimals of a score table.

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
    extractor = FaceExtractor(predictor.spec, policy, detector, device=device_of(predictor))
    columns = {name: np.full(len(manifest), np.nan) for name in networks}
    unscored: dict[int, str] = {}
    pictures = extractor.map(manifest.paths, extractor.prepare)
    prepared = enumerate(track(pictures, "scoring", total=len(manifest)))
    for batch in in_batches(prepared, lambda pair: pair[1].count, batch_size):
        unscored.update({row: one.message for row, one in batch if not one.crops})
        rows = [row for row, one in batch if one.crops]
        crops = [face for _, one in batch for face in one.crops]
        for name, network in networks.items():
            scores = predict_faces(network, crops, batch_size)
            known = np.where(np.isfinite(scores), np.clip(scores, 0, 1), np.nan)
            columns[name][rows] = np.round(known, DECIMALS)
    if faces == "whole":
        warn_of_photos(manifest.paths, predictor.spec, detector)
    for row in np.flatnonzero(~np.isfinite(columns[""])).tolist():
        unscored.setdefault(row, NOT_A_NUMBER)
    return Predictions(columns.pop(""), columns, dict(sorted(unscored.items())))
