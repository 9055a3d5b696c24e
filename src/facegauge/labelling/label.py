"""Pseudo-labels: a judge's scores of unlabelled pictures, as a manifest that can be trained on.

In the self-training of Efficient-FIQA (arXiv 2507.15709) a teacher scores unlabelled faces, a
logistic maps its scores to the labels' scale, and the mapped score is what the student learns. The
views of a picture, their spread and the weight made of it are not the paper's.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from itertools import chain, islice
from pathlib import Path

import numpy as np
import numpy.typing as npt

from facegauge import __version__
from facegauge.data.manifests import Manifest
from facegauge.errors import NOT_A_NUMBER, MissingExtra, UsageError
from facegauge.evaluation.evaluate import FACES
from facegauge.evaluation.logistic import FittedCurve, fit_logistic
from facegauge.faces.detection import CenterFace, Detector
from facegauge.faces.sampling import to_tensor
from facegauge.labelling.label_table import Label, Table
from facegauge.labelling.tta_views import Seen, look, look_ahead
from facegauge.predictors import Judge
from facegauge.results import Status

Scores = npt.NDArray[np.float64]
Watch = Callable[[Iterator["Label"], Sequence[Path]], Iterable["Label"]]

BATCH = 32  # views the network sees at a time
FEWEST = 5  # labelled pictures that a curve can be fitted to
UNCHANGED = FittedCurve(None)


def label(
    judge: Judge,
    manifest: Manifest,
    *,
    faces: str = "auto",
    views: int = 1,
    mapping: FittedCurve = UNCHANGED,
    batch_size: int = BATCH,
    detector: Detector | None = None,
) -> Iterator[Label]:
    """One label a picture, in the manifest's order, while they come in; few pictures are held.

    Args:
        faces: "whole": every picture is a framed face; "auto": the largest face is searched, and
            cut out unless the picture is framed already.
        views: of each picture. The first is what scoring sees, all crops of a large face. Every
            second one is mirrored, and all but the first are shifted by whole pixels, at most
            `looks.SHIFT` of the frame. The shifts follow from the face's pixels, so that a label
            depends on its picture alone.
        mapping: from raw score to label; see `fit_mapping`.
        batch_size: views the network sees at a time.
        detector: finds the faces; CenterFace by default.

    Raises:
        UsageError: an argument that cannot be.
        MissingExtra: several views without torch.
        ScorerError: the judge or the detector is damaged.
    """
    _check(faces, views, batch_size)
    finder = (detector or CenterFace()) if faces == "auto" else None
    looking = partial(look, spec=judge.spec, detector=finder, views=views)
    return _score(judge, look_ahead(manifest.paths, looking), mapping, batch_size)


def fit_mapping(
    judge: Judge, held_out: Manifest, *, views: int = 1, batch_size: int = BATCH
) -> FittedCurve:
    """The curve from raw score to label: `fit_logistic`, or the line that it falls back on.

    The reference code fits its logistic to the pictures that the teacher was trained on, where its
    scores are too good; give pictures that it has not seen. They are taken whole.

    Args:
        held_out: labelled pictures; those that cannot be read are left out.
        views: as many as the pictures to label will have.

    Raises:
        UsageError: there are no labels, fewer than `FEWEST` of the pictures have a score, or the
            labels do not rise with the scores.
    """
    labels = held_out.labels()
    found = label(judge, held_out, faces="whole", views=views, batch_size=batch_size)
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
            f"{held_out.source}: the labels do not rise with the scores of {judge.name}; "
            "give labels of what it was trained for, or label without a mapping"
        )
    return mapping


def label_into(
    out: str | os.PathLike[str],
    judge: Judge,
    manifest: Manifest,
    *,
    faces: str = "auto",
    views: int = 1,
    held_out: Manifest | None = None,
    batch_size: int = BATCH,
    detector: Detector | None = None,
    resume: bool = False,
    overwrite: bool = False,
    say: Callable[[str], None] = print,
    watch: Watch = lambda labels, pictures: labels,
) -> Counter[Status]:
    """Label a manifest into a table, one row a picture; a killed run can be taken up again.

    Rows reach the disk batch by batch, as lines of `<out>.partial.jsonl`, which becomes the table
    when all are there. `<out>.settings.json` says how the labels are made and holds the mapping,
    so that a resumed table has one mapping throughout.

    Args:
        out: ends in .csv or .parquet; its names of pictures start from its folder.
        held_out: labelled pictures to fit the mapping to; without them the label is the raw score.
        detector: as for `label`.
        resume: go on with what is there, if anything.
        overwrite: replace what is there, if anything.
        watch: passes the new labels on; also given the pictures that they are of.

    Returns:
        How many pictures of this run have which status.

    Raises:
        UsageError: an argument that cannot be; the table exists and neither `resume` nor
            `overwrite` is given; resumed with other settings, or after the table was moved away
            from its pictures; it cannot be written.
    """
    _check(faces, views, batch_size)
    table = Table(Path(out))
    rows = {table.name(path): row for row, path in enumerate(manifest.paths)}
    settings = {
        "facegauge": __version__,
        "scorer": judge.name,
        "sha256": judge.sha256,
        "faces": faces,
        "views": views,
        "labels": None if held_out is None else _describe(held_out),
    }
    if table.exists and not (resume or overwrite):
        raise UsageError(f"{out} exists: go on with it (--resume) or replace it (--overwrite)")
    counts: Counter[Status] = Counter()
    try:
        if table.exists and not overwrite:
            mapping = table.go_on(settings)
            _check_same_place(table, rows)
        else:
            mapping = UNCHANGED
            if held_out is not None:
                mapping = fit_mapping(judge, held_out, views=views, batch_size=batch_size)
                kind = mapping.note or "a logistic"
                say(f"score to label: {kind}, fitted to {_describe(held_out)}")
            table.begin(settings, mapping)
        names = [name for name in rows if name not in table.done]
        left = manifest.take(np.array([rows[name] for name in names], int))
        labels = label(
            judge,
            left,
            faces=faces,
            views=views,
            mapping=mapping,
            batch_size=batch_size,
            detector=detector,
        )
        with table:
            for name, one in zip(names, watch(labels, left.paths), strict=True):
                table.write(name, one, judge.name)
                counts[one.status] += 1
    except OSError as error:
        raise UsageError(f"cannot write {out}: {error.strerror or error}") from error
    return counts


def _check(faces: str, views: int, batch_size: int) -> None:
    if faces not in FACES:
        raise UsageError(f"faces must be {' or '.join(FACES)} here, got {faces!r}")
    for name, value in (("views", views), ("batch_size", batch_size)):
        if value < 1:
            raise UsageError(f"expected {name} to be 1 or more, got {value}")
    if views > 1 and find_spec("torch") is None:
        raise MissingExtra("labelling by several views", "train")


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


def _score(
    judge: Judge, pictures: Iterator[Seen], mapping: FittedCurve, batch_size: int
) -> Iterator[Label]:
    """Labels of pictures that have been looked at, as many at a time as fill a batch."""
    waiting: list[Seen] = []
    count = 0
    for picture in chain(pictures, [None]):
        if picture is not None:
            waiting.append(picture)
            count += sum(map(len, picture[1]))
            if max(count, len(waiting)) < batch_size:
                continue
        crops = [crop for _, views in waiting for view in views for crop in view]
        scores: list[float] = []
        for start in range(0, len(crops), batch_size):
            batch = [to_tensor(crop, judge.spec) for crop in crops[start : start + batch_size]]
            scores += judge.score(np.stack(batch)).tolist()
        rest = iter(scores)
        for seen, views in waiting:
            means = [float(np.mean(list(islice(rest, len(view))))) for view in views]
            yield _conclude(seen, means, mapping)
        waiting, count = [], 0


def _conclude(seen: Label, scores: Sequence[float], mapping: FittedCurve) -> Label:
    if not scores:
        return seen
    if not np.isfinite(scores).all():
        return replace(seen, status=Status.ERROR, message=NOT_A_NUMBER)
    raw, spread = float(np.mean(scores)), float(np.std(scores))
    score = float(np.clip(mapping([raw])[0], 0, 1))
    return replace(seen, raw=raw, score=score, spread=spread, weight=float(np.exp(-spread)))
