"""Pseudo-labels: a teacher's scores of unlabelled pictures, as a manifest to train on.

In the self-training of Efficient-FIQA (arXiv 2507.15709) a teacher scores unlabelled faces, a
logistic maps its scores to the scale of the labels, and the student learns the mapped scores. The
views of a picture, their spread and the weight made of it are not from the paper.
"""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from facegauge import __version__
from facegauge.data.manifests import Manifest
from facegauge.errors import NOT_A_NUMBER, UsageError
from facegauge.evaluation.logistic import FittedCurve, fit_logistic
from facegauge.faces.detection import Detector
from facegauge.faces.extraction import FaceExtractor
from facegauge.faces.located import Located
from facegauge.faces.policy import ExtractionPolicy
from facegauge.labelling.label_table import Label, Table
from facegauge.labelling.tta_views import View, tta_views
from facegauge.predictors import OnnxPredictor, Predictor, device_of, in_batches, predict_faces
from facegauge.results import Status
from facegauge.tables.shards import Listing, Shard

if TYPE_CHECKING:
    from facegauge.images.sources import Source

Progress = Callable[[Iterator[Label], Sequence[Path]], Iterable[Label]]
Named = tuple[str, Path]  # a picture's name in the table, and where it is
Viewed = tuple[Label, tuple[View, ...]]  # a picture without its numbers yet, and its views

BATCH = 32  # crops that the network sees at a time
FEWEST = 5  # labelled pictures that a curve can be fitted to
UNCHANGED = FittedCurve(None)

logger = logging.getLogger(__name__)


def label(
    predictor: Predictor,
    manifest: Manifest,
    *,
    faces: str = "auto",
    views: int = 1,
    mapping: FittedCurve = UNCHANGED,
    batch_size: int = BATCH,
    detector: Detector | None = None,
    detect_size: int | None = None,
) -> Iterator[Label]:
    """One label a picture, in the manifest's order, while they come in; few pictures are held.

    Args:
        predictor: the teacher.
        manifest: the pictures.
        faces: "whole": every picture is a framed face; "auto": the largest face is searched, and
            cut out unless the picture is framed already.
        views: of each picture, 1 or more; see `tta_views.tta_views`.
        mapping: from raw score to label; see `fit_mapping`.
        batch_size: crops that the network sees at a time.
        detector: finds the faces; CenterFace by default.
        detect_size: see `ExtractionPolicy`.

    Raises:
        UsageError: an argument that cannot be.
        ScorerError: the teacher or the detector is damaged.
    """
    policy = one_face_policy(predictor, faces, views, batch_size, detect_size)
    extractor = FaceExtractor(predictor.spec, policy, detector, device=device_of(predictor))
    return Labeller(predictor, extractor, views, mapping, batch_size)(manifest.paths)


def fit_mapping(
    predictor: Predictor, held_out: Manifest, *, views: int = 1, batch_size: int = BATCH
) -> FittedCurve:
    """The curve from raw score to label: `fit_logistic`, or the line that it falls back on.

    The reference code fits its logistic to the pictures that the teacher was trained on, where its
    scores are too good; give pictures that it has not seen. They are taken whole.

    Args:
        predictor: the teacher.
        held_out: labelled pictures; those that cannot be read are left out.
        views: as many as the pictures to label will have.
        batch_size: crops that the network sees at a time.

    Raises:
        UsageError: there are no labels, fewer than `FEWEST` of the pictures have a score, or the
            labels do not rise with the scores.
    """
    labels = held_out.labels()
    found = label(predictor, held_out, faces="whole", views=views, batch_size=batch_size)
    raw = np.array([np.nan if one.raw is None else one.raw for one in found])
    scored = np.isfinite(raw)
    if scored.sum() < FEWEST:
        raise UsageError(
            f"{held_out.source}: {scored.sum()} of {len(raw)} labelled pictures have a score; "
            f"a mapping needs {FEWEST} or more"
        )
    mapping = fit_logistic(raw[scored], labels[scored])
    low, high = mapping([raw[scored].min(), raw[scored].max()])
    if not low < high:
        raise UsageError(
            f"{held_out.source}: the labels do not rise with the scores of {predictor.name}; "
            "give labels of what it was trained for, or label without a mapping"
        )
    return mapping


def label_into(
    out: str | os.PathLike[str],
    predictor: Predictor,
    manifest: Manifest,
    *,
    faces: str = "auto",
    views: int = 1,
    held_out: Manifest | None = None,
    batch_size: int = BATCH,
    detector: Detector | None = None,
    detect_size: int | None = None,
    resume: bool = False,
    overwrite: bool = False,
    excel: bool = False,
    shard: Shard | None = None,
    progress: Progress = lambda labels, pictures: labels,
) -> Counter[Status]:
    """Label a manifest into a table, one row a picture; a run that was killed can be resumed.

    Rows reach the disk batch by batch, as lines of `<out>.partial.jsonl`, which becomes the table
    when all are there. `<out>.settings.json` says how the labels are made and holds the mapping,
    so that a resumed table has one mapping throughout.

    Args:
        out: ends in .csv or .parquet; its names of pictures start from its folder.
        predictor: the teacher.
        manifest: the pictures.
        faces: as for `label`.
        views: as for `label`.
        held_out: labelled pictures to fit the mapping to; without them the label is the raw score.
        batch_size: as for `label`.
        detector, detect_size: as for `label`.
        resume: continue what is there, if anything; what was unreadable or gave an error is tried
            again.
        overwrite: replace what is there, if anything.
        excel: for spreadsheets, see `tables.cells`: CSV only.
        shard: label only this share of the pictures, by their names in the table.
        progress: passes the new labels on, to show them; also given the pictures that they are of.

    Returns:
        How many pictures of this run have which status.

    Raises:
        UsageError: an argument that cannot be; the table exists and neither `resume` nor
            `overwrite` is given; resumed with other settings, or after the table was moved away
            from its pictures; it cannot be written.
    """
    policy = one_face_policy(predictor, faces, views, batch_size, detect_size)
    table = Table(Path(out), excel=excel)
    rows = {table.name(path): row for row, path in enumerate(manifest.paths)}
    listing = Listing()
    if shard is not None:
        for name in rows:
            listing.add(name)
        rows = {name: row for name, row in rows.items() if name in shard}
    settings = label_settings(
        predictor, faces=faces, views=views, held_out=held_out, detect_size=detect_size, excel=excel
    )
    if shard is not None:
        settings["shard"] = str(shard)
    if table.exists and not (resume or overwrite):
        raise UsageError(f"{out} exists: resume it (--resume) or replace it (--overwrite)")
    counts: Counter[Status] = Counter()
    try:
        if table.exists and not overwrite:
            mapping = table.resume(settings, _same_as(predictor))
            _check_same_place(table, rows)
            if tried := table.retry(rows):
                logger.info("%d failed before and will be tried again", tried)
        else:
            mapping = UNCHANGED
            if held_out is not None:
                mapping = fit_mapping(predictor, held_out, views=views, batch_size=batch_size)
                kind = mapping.note or "a logistic"
                logger.info("score to label: %s, fitted to %s", kind, _describe(held_out))
            table.begin(settings, mapping)
        names = [name for name in rows if name not in table.done]
        left = [manifest.paths[rows[name]] for name in names]
        extractor = FaceExtractor(predictor.spec, policy, detector, device=device_of(predictor))
        labeller = Labeller(predictor, extractor, views, mapping, batch_size)
        labels = _label_remaining(labeller, table, zip(names, left, strict=True))
        with table:
            for name, one in zip(names, progress(labels, left), strict=True):
                table.write(name, one, predictor.name)
                counts[one.status] += 1
            if shard is not None:
                table.listed(listing)
    except OSError as error:
        raise UsageError(f"cannot write {out}: {error.strerror or error}") from error
    return counts


def label_settings(
    predictor: Predictor,
    *,
    faces: str,
    views: int,
    held_out: Manifest | None,
    detect_size: int | None,
    excel: bool = False,
) -> dict[str, Any]:
    """What labels depend on, as JSON types, for the notes of their table; see `label_into`."""
    settings: dict[str, Any] = {
        "facegauge": __version__,
        "scorer": predictor.name,
        "version": predictor.version,
        "sha256": predictor.fingerprint,
        "faces": faces,
        "views": views,
        "labels": None if held_out is None else _describe(held_out),
    }
    if excel:
        settings["excel"] = True
    if detect_size is not None:
        settings["detect_size"] = detect_size
    if device_of(predictor) != "cpu":
        settings["device"] = device_of(predictor)
    return settings


def one_face_policy(
    predictor: Predictor, faces: str, views: int, batch_size: int, detect_size: int | None
) -> ExtractionPolicy:
    """The policy of labels, of one face a picture.

    Raises:
        UsageError: an argument that cannot be.
    """
    for name, value in (("views", views), ("batch_size", batch_size)):
        if value < 1:
            raise UsageError(f"expected {name} to be 1 or more, got {value}")
    return ExtractionPolicy.of_one_face(
        faces, landmarks=predictor.uses_landmarks, detect_size=detect_size
    )


def _same_as(predictor: Predictor) -> tuple[str, ...]:
    """Fingerprints of other weights of the teacher, whose labels may stand beside its own."""
    return predictor.card.same_as if isinstance(predictor, OnnxPredictor) else ()


def _check_same_place(table: Table, names: Collection[str]) -> None:
    """Refuse a table that was moved: its old names, which start from its folder, lead nowhere."""
    if not table.done or not table.done.isdisjoint(names):
        return
    if not (table.path.parent / min(table.done)).exists():
        raise UsageError(
            f"cannot resume {table.path}: its pictures are not where it has them, such as "
            f"{min(table.done)}; was it moved? Move it back, or {table.anew}"
        )


def _describe(held_out: Manifest) -> str:
    splits = ", ".join(sorted(set(held_out.splits or ())))
    return f"{len(held_out)} pictures of {held_out.name}" + (f", split {splits}" if splits else "")


@dataclass(frozen=True, slots=True, eq=False)
class Labeller:
    """Labels pictures; can be pickled if the predictor and the detector can be.

    Args:
        predictor: the teacher.
        extractor: for its spec.
        views: of each picture.
        mapping: from raw score to label.
        batch_size: crops that the network sees at a time.
    """

    predictor: Predictor
    extractor: FaceExtractor
    views: int
    mapping: FittedCurve
    batch_size: int

    def __call__(self, paths: Iterable[Source]) -> Iterator[Label]:
        """Labels of pictures with their views, as many at a time as fill a batch."""
        pictures = self.extractor.map(paths, self._cut)
        for batch in in_batches(pictures, lambda viewed: sum(map(len, viewed[1])), self.batch_size):
            views = [view for _, several in batch for view in several]
            scores = iter(predict_faces(self.predictor, views, self.batch_size).tolist())
            for seen, several in batch:
                yield _with_numbers(seen, [next(scores) for _ in several], self.mapping)

    def one(self, named: Named) -> Label:
        """The label of one picture."""
        return next(self([named[1]]))

    def _cut(self, located: Located) -> Viewed:
        seen = Label(Path(located.name), located.status, message=located.message)
        return seen, tta_views(located, self.predictor.spec, self.views)


def _label_remaining(
    labeller: Labeller, table: Table, pictures: Iterable[Named]
) -> Iterator[Label]:
    """Labels of pictures, noted as begun; what may have ended an earlier run is tried alone."""
    from facegauge.guard import guarded  # imports multiprocessing

    for suspect, group in groupby(pictures, lambda named: table.is_suspect(named[0])):
        if suspect:
            yield from guarded(labeller.one, group, _failed)
        else:
            yield from labeller(_noted(group, table))


def _noted(pictures: Iterable[Named], table: Table) -> Iterator[Path]:
    for name, path in pictures:
        table.begun(name)
        yield path


def _failed(named: Named, why: str) -> Label:
    return Label(named[1], Status.ERROR, message=why)


def _with_numbers(seen: Label, scores: Sequence[float], mapping: FittedCurve) -> Label:
    """A label with its score, spread and weight, by the scores of its views."""
    if not scores:
        return seen
    if not np.isfinite(scores).all():
        return replace(seen, status=Status.ERROR, message=NOT_A_NUMBER)
    raw, spread = float(np.mean(scores)), float(np.std(scores))
    score = float(np.clip(mapping([raw])[0], 0, 1))
    return replace(seen, raw=raw, score=score, spread=spread, weight=float(np.exp(-spread)))
