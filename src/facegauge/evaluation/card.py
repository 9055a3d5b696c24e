"""What a card says of a scorer's agreement with labels, and its calibration to pictures."""

from __future__ import annotations

import logging
import shutil
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from facegauge import zoo
from facegauge.arrays import Scores
from facegauge.attribution import Attribution
from facegauge.calibration import Calibration
from facegauge.data.manifests import Manifest
from facegauge.errors import UsageError
from facegauge.evaluation.attribution import LEAST, fit_attribution, measure_factors
from facegauge.evaluation.calibration import fit_calibration
from facegauge.evaluation.evaluate import predict_with
from facegauge.evaluation.intervals import Interval
from facegauge.evaluation.metrics import Evaluation, evaluate
from facegauge.faces.spec import PreprocessSpec
from facegauge.predictors import OnnxPredictor, Predictor
from facegauge.zoo import Card, Figure, Validation, card_to_toml

logger = logging.getLogger(__name__)


def calibrate_scorer(
    scorer: str,
    folder: Path,
    photos: Manifest | None = None,
    *,
    crops: Manifest | None = None,
    label_name: str = "",
) -> Card:
    """Write a copy of a scorer that is calibrated to labelled pictures; its scores stay.

    Of lists with splits, intervals and figures are those of the val rows; percentiles refer to all.

    Args:
        scorer: a shipped scorer's name, or a scorer folder.
        folder: the copy; must be new or empty.
        photos: read as `auto` reads them.
        crops: framed faces, taken whole. With photos, they are for the interval of pictures that
            are taken whole; without, all is fitted to them.
        label_name: what the labels are called in the card; by default as they were.

    Returns:
        The new card.

    Raises:
        UsageError: neither photos nor crops; `folder` is in use or cannot be written; or see
            `on_photos`.
        ScorerError: there is no such scorer, or it is damaged.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} is in use; choose a new folder for the scorer")
    if photos is None and crops is None:
        raise UsageError("expected photos, framed faces or both to calibrate to: --photos, --data")
    predictor = OnnxPredictor(scorer)
    card, whole = predictor.card, None
    if label_name:
        card = replace(card, val=replace(card.val, label=label_name))
    if crops is not None:
        measured = Measured.of(predictor, crops, "whole")
        whole = measured.scores[measured.val], measured.labels[measured.val]
        card = card if photos is not None else measured.on_card(card)
    if photos is not None:
        card = on_photos(card, predictor, photos, whole=whole)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(predictor.folder / zoo.MODEL, folder / zoo.MODEL)
        (folder / zoo.CARD).write_text(card_to_toml(card), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write {folder}: {error.strerror or error}") from error
    return card


@dataclass(frozen=True, slots=True)
class Measured:
    """Labelled pictures with a scorer's scores, as far as they have one.

    Attributes:
        scores: (N,), of all that have one.
        labels: (N,).
        val: (N,), whether each is for figures and intervals.
        rows: (N,), their places in the list.
    """

    scores: Scores
    labels: Scores
    val: npt.NDArray[np.bool_]
    rows: npt.NDArray[np.intp]

    @classmethod
    def of(cls, predictor: Predictor, data: Manifest, faces: str) -> Measured:
        """Score a list.

        Raises:
            UsageError: no labels, or no val rows with a face.
        """
        labels = data.labels()
        scores = predict_with(predictor, data, faces).scores
        scored = np.isfinite(scores)
        val = np.array([split == "val" for split in data.splits or ["val"] * len(data)])
        if not (scored & val).any():
            raise UsageError(f"{data.source}: expected val rows with a face, got none")
        if few := int((val & ~scored).sum()):
            logger.info("%s: no face in %d of %d pictures of val", data.source, few, val.sum())
        return cls(scores[scored], labels[scored], val[scored], np.flatnonzero(scored))

    def judged(self, label: str, what: str) -> Validation:
        """The figures on val.

        Raises:
            UsageError: they are not defined.
        """
        judged = judged_on(self.scores[self.val], self.labels[self.val], f"{what} of val")
        return Validation(int(self.val.sum()), label, card_figures(judged))

    def calibration(self, what: str, whole: tuple[Scores, Scores] | None = None) -> Calibration:
        """Fitted to val; percentiles refer to all scores."""
        reference = f"scores of {len(self.scores):,} {what}"
        val = self.val
        return fit_calibration(
            self.scores[val], self.labels[val], self.scores, reference, whole=whole
        )

    def on_card(self, card: Card) -> Card:
        """The card with these pictures in the place of those that it has."""
        judged = self.judged(card.val.label, "pictures")
        calibration = self.calibration("pictures")
        return replace(card, val=judged, photos=None, calibration=calibration, attribution=None)

    def attribution(self, data: Manifest, spec: PreprocessSpec) -> Attribution | None:
        """The additive model of the factors, fitted to val; None where val has too few pictures."""
        scores = self.scores[self.val]
        if len(scores) < LEAST or np.ptp(scores) == 0:
            logger.info("no model of the factors: fewer than %d pictures of val", LEAST)
            return None
        return fit_attribution(measure_factors(data.take(self.rows[self.val]), spec), scores)


def on_photos(
    card: Card,
    predictor: Predictor,
    photos: Manifest,
    *,
    whole: tuple[Scores, Scores] | None = None,
) -> Card:
    """The card with figures on photos, a calibration to them, and what moves their scores.

    Args:
        predictor: the scorer's network.
        photos: labelled; read as `auto` reads them.
        whole: scores and labels of pictures that are taken whole, for their interval.

    Raises:
        UsageError: no labels, no val rows, or scores without a spread.
    """
    found = Measured.of(predictor, photos, "auto")
    judged = found.judged(card.val.label, "photos")
    return replace(
        card,
        photos=judged,
        calibration=found.calibration("photos", whole),
        attribution=found.attribution(photos, predictor.spec),
    )


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
