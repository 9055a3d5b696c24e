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
from facegauge.data.splitting import split_manifest
from facegauge.errors import UsageError
from facegauge.evaluation.attribution import LEAST, fit_attribution, measure_factors
from facegauge.evaluation.calibration import coverage, fit_calibration
from facegauge.evaluation.intervals import Interval
from facegauge.evaluation.metrics import Evaluation, evaluate, rmse
from facegauge.evaluation.predictions import predict_with
from facegauge.evaluation.score_map import fit_map
from facegauge.faces.spec import PreprocessSpec
from facegauge.outputs import check_new_folder, whole_folder
from facegauge.predictors import OnnxPredictor, Predictor
from facegauge.zoo import Accept, Card, Figure, Validation, card_to_toml

logger = logging.getLogger(__name__)


def calibrate_scorer(
    scorer: str,
    folder: Path,
    photos: Manifest | None = None,
    *,
    crops: Manifest | None = None,
    label_name: str = "",
    score_map: str | None = None,
    accept_rate: float | None = None,
    name: str = "",
) -> Card:
    """Write a copy of a scorer that is calibrated to labelled pictures.

    Its scores stay, unless they are mapped to the labels. Of lists with splits, intervals and
    figures are those of the val rows; percentiles refer to all.

    A map is fitted to the train rows of the photos, or of the crops without photos, and these do
    not count for anything else. A list without splits is divided: train 40 %, val 40 %, test 20 %.
    The test rows tell how well the map and the interval do on pictures that neither saw.

    Args:
        scorer: a shipped scorer's name, or a scorer folder.
        folder: the copy; must be new or empty.
        photos: read as `auto` reads them.
        crops: framed faces, taken whole. With photos, they are for the interval of pictures that
            are taken whole; without, all is fitted to them.
        label_name: what the labels are called in the card; by default as they were.
        score_map: "isotonic" or "logistic", see `score_map.fit_map`; None: scores stay.
        accept_rate: the share, above 0 and below 1, of the calibration's pictures whose scores are
            accepted; the card has the threshold.
        name: of the copy in its card; by default that of the scorer with `-calibrated` at its end,
            or `-mapped`, so that their tables tell them apart.

    Returns:
        The new card.

    Raises:
        UsageError: neither photos nor crops; a rate or a map that cannot be; `folder` is in use or
            cannot be written; or see `on_photos`.
        ScorerError: there is no such scorer, or it is damaged.
    """
    check_new_folder(folder, "scorer")
    if photos is None and crops is None:
        raise UsageError("expected photos, framed faces or both to calibrate to: --photos, --data")
    if accept_rate is not None and not 0 < accept_rate < 1:
        raise UsageError(f"expected a rate above 0 and below 1, got {accept_rate:g}")
    predictor = OnnxPredictor(scorer)
    if score_map is not None:
        if predictor.map is not None:
            raise UsageError(f"the scores of {scorer} are mapped already; map those it came from")
        main, faces = (photos, "auto") if photos is not None else (crops, "whole")
        assert main is not None
        predictor, main = _mapped(predictor, main, faces, score_map)
        photos, crops = (main, crops) if faces == "auto" else (None, main)
    card, whole = replace(predictor.card, same_as=()), None  # other scorers' intervals differ
    card = replace(card, name=name or _name_of_copy(card))
    if label_name:
        card = replace(card, val=replace(card.val, label=label_name))
    if crops is not None:
        measured = Measured.of(predictor, crops, "whole")
        whole = measured.scores[measured.val], measured.labels[measured.val]
        card = card if photos is not None else measured.on_card(card)
    if photos is not None:
        measured = Measured.of(predictor, photos, "auto")
        card = measured.on_card_of_photos(card, photos, predictor.spec, whole=whole)
    if score_map is not None:
        measured.say_unseen(card.calibration, whole=photos is None)
    if accept_rate is not None:
        card = replace(card, accept=measured.accept(accept_rate))
    try:
        with whole_folder(folder) as partial:
            shutil.copyfile(predictor.folder / zoo.MODEL, partial / zoo.MODEL)
            (partial / zoo.CARD).write_text(card_to_toml(card), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write {folder}: {error.strerror or error}") from error
    return card


def _name_of_copy(card: Card) -> str:
    ending = "-mapped" if card.map else "-calibrated"
    return card.name if card.name.endswith(ending) else card.name + ending


def _mapped(
    predictor: OnnxPredictor, data: Manifest, faces: str, kind: str
) -> tuple[OnnxPredictor, Manifest]:
    """The scorer with a map that is fitted to the train rows, and the list without them."""
    if data.splits is None:
        data = split_manifest(data, val=0.4, test=0.2)
    learned = data.where(split="train")
    scores = predict_with(predictor, learned, faces).scores
    kept = np.isfinite(scores)
    score_map = fit_map(scores[kept], learned.labels()[kept], kind)
    others = data.take(~data.in_split("train"))
    return predictor.with_map(score_map), others


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

    def accept(self, rate: float) -> Accept:
        """The score from which on this share of val is accepted."""
        scores = self.scores[self.val]
        threshold = float(np.quantile(scores, 1 - rate, method="lower"))
        return Accept(rate, round(threshold, 6), len(scores))

    def say_unseen(self, calibration: Calibration, *, whole: bool) -> None:
        """Log how the map and the interval do on the rows of test, if there are any."""
        scores, labels = self.scores[~self.val], self.labels[~self.val]
        if not len(scores):
            return
        offsets = (calibration.whole if whole else None) or calibration.offsets
        share = coverage(offsets, scores, labels)
        logger.info(
            "%d pictures of test, which neither the map nor the interval has seen: RMSE %.3f, mean "
            "error %+.3f; the interval holds %.1f %% of their labels, expected %.0f %%",
            len(scores), rmse(scores, labels), float(np.mean(scores - labels)),
            100 * share, 100 * calibration.level,
        )  # fmt: skip

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

    def on_card_of_photos(
        self,
        card: Card,
        photos: Manifest,
        spec: PreprocessSpec,
        *,
        whole: tuple[Scores, Scores] | None,
    ) -> Card:
        """The card with these photos, beside the pictures that it has; see `on_photos`."""
        return replace(
            card,
            photos=self.judged(card.val.label, "photos"),
            calibration=self.calibration("photos", whole),
            attribution=self.attribution(photos, spec),
        )


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
    return found.on_card_of_photos(card, photos, predictor.spec, whole=whole)


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
    """The figures of an evaluation that are numbers, to six decimals.

    An interval that too few pictures leave undefined is all that the figure can be.
    """
    out = {}
    for field in fields(judged):
        one = getattr(judged, field.name)
        if isinstance(one, Interval) and np.isfinite(one.value):
            least, most = (0.0, 1.0) if field.name == "rmse" else (-1.0, 1.0)
            low = one.low if np.isfinite(one.low) else least
            high = one.high if np.isfinite(one.high) else most
            out[field.name] = Figure(*(round(float(end), 6) for end in (one.value, low, high)))
    return out
