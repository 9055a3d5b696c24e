"""What a card says of a scorer's agreement with labels, and its calibration to photos."""

from __future__ import annotations

import logging
import shutil
from dataclasses import fields, replace
from pathlib import Path

import numpy as np

from facegauge import zoo
from facegauge.arrays import Scores
from facegauge.data.manifests import Manifest
from facegauge.errors import UsageError
from facegauge.evaluation.calibration import fit_calibration
from facegauge.evaluation.evaluate import predict_with
from facegauge.evaluation.intervals import Interval
from facegauge.evaluation.metrics import Evaluation, evaluate
from facegauge.predictors import OnnxPredictor, Predictor
from facegauge.zoo import Card, Figure, Validation, card_to_toml

logger = logging.getLogger(__name__)


def calibrate_scorer(
    scorer: str, folder: Path, photos: Manifest, *, crops: Manifest | None = None
) -> Card:
    """Write a copy of a scorer that is calibrated to photos; its scores stay as they are.

    Args:
        scorer: a shipped scorer's name, or a scorer folder.
        folder: the copy; must be new or empty.
        photos: labelled, with a val split; read as `auto` reads them.
        crops: labelled, with a val split, for the interval of pictures that are taken whole.

    Returns:
        The new card.

    Raises:
        UsageError: `folder` is in use or cannot be written, or see `on_photos`.
        ScorerError: there is no such scorer, or it is damaged.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} is in use; choose a new folder for the scorer")
    predictor = OnnxPredictor(scorer)
    whole = None
    if crops is not None:
        val = crops.where(split="val")
        scores = predict_with(predictor, val).scores
        kept = np.isfinite(scores)
        whole = scores[kept], val.labels()[kept]
    card = on_photos(predictor.card, predictor, photos, whole=whole)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(predictor.folder / zoo.MODEL, folder / zoo.MODEL)
        (folder / zoo.CARD).write_text(card_to_toml(card), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write {folder}: {error.strerror or error}") from error
    return card


def on_photos(
    card: Card,
    predictor: Predictor,
    photos: Manifest,
    *,
    whole: tuple[Scores, Scores] | None = None,
) -> Card:
    """The card with figures on photos, and a calibration to them.

    Args:
        predictor: the scorer's network.
        photos: labelled, with a val split; read as `auto` reads them.
        whole: scores and labels of pictures that are taken whole, for their interval.

    Raises:
        UsageError: no labels, no val rows, or scores without a spread.
    """
    labels = photos.labels()
    is_val = np.array(photos.splits or [""] * len(photos)) == "val"
    scores = predict_with(predictor, photos, faces="auto").scores
    scored = np.isfinite(scores)
    kept = scored & is_val
    if not kept.any():
        raise UsageError(f"{photos.source}: expected val rows with a face, got none")
    judged = judged_on(scores[kept], labels[kept], "photos of val")
    count = int(scored.sum())
    if few := is_val.sum() - kept.sum():
        logger.info("%s: no face in %d of %d photos of val", photos.source, few, is_val.sum())
    calibration = fit_calibration(
        scores[kept], labels[kept], scores[scored], f"scores of {count:,} photos", whole=whole
    )
    measured = Validation(int(kept.sum()), card.val.label, card_figures(judged))
    return replace(card, photos=measured, calibration=calibration)


def judged_on(scores: Scores, labels: Scores, where: str) -> Evaluation:
    """The evaluation of scores (N,) against labels (N,).

    Raises:
        UsageError: a correlation is not defined; the message says on which pictures, `where`.
    """
    judged = evaluate(scores, labels)
    if np.isnan([judged.srcc.value, judged.plcc.value]).any():
        raise UsageError(f"the figures on {where} are not defined: {'; '.join(judged.notes)}")
    return judged


def card_figures(judged: Evaluation) -> dict[str, Figure]:
    """The intervals of an evaluation that are numbers, to six decimals."""
    out = {}
    for field in fields(judged):
        value = getattr(judged, field.name)
        if isinstance(value, Interval) and np.isfinite([value.value, value.low, value.high]).all():
            ends = (round(end, 6) for end in (value.value, value.low, value.high))
            out[field.name] = Figure(*ends)
    return out
