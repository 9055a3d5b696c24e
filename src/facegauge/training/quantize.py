"""A copy of a scorer in int8: made, compared with the scorer, and measured anew."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from facegauge import zoo
from facegauge.arrays import Scores
from facegauge.data.manifests import Manifest
from facegauge.errors import UsageError
from facegauge.evaluation.card import Measured
from facegauge.faces.extraction import FaceExtractor
from facegauge.faces.policy import ExtractionPolicy
from facegauge.faces.sampling import Crop, to_tensor
from facegauge.outputs import check_new_folder, whole_folder
from facegauge.predictors import OnnxPredictor, guide_for
from facegauge.training.onnx_int8 import Inputs, quantised
from facegauge.zoo import Card, card_to_toml
from facegauge.zoo.onnx_model import INPUT, LANDMARKS, SIZE

SAMPLES = 256  # pictures of each list that show which values occur
IN_FLOAT = (6, 20, 32)  # convolutions that may stay in float32, fewest first
MAX_DRIFT = 0.003  # mean change of a score by 8 bits
MAX_SPREAD = 0.002  # and its standard deviation

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Change:
    """How 8 bits change the scores of the train pictures.

    Attributes:
        mean: of the differences.
        spread: their standard deviation.
        largest: absolute difference.
    """

    mean: float
    spread: float
    largest: float

    @classmethod
    def of(cls, before: Scores, after: Scores) -> Change:
        """From scores (N,) to scores (N,) of the same pictures."""
        moved = after - before
        return cls(float(moved.mean()), float(moved.std()), float(np.abs(moved).max()))

    @property
    def is_small(self) -> bool:
        """Whether it is within `MAX_DRIFT` and `MAX_SPREAD`."""
        return abs(self.mean) <= MAX_DRIFT and self.spread <= MAX_SPREAD


def quantize_scorer(
    scorer: str,
    folder: Path,
    data: Manifest,
    *,
    photos: Manifest | None = None,
    name: str = "",
    in_float: int | None = None,
) -> Card:
    """Write a copy of a scorer with the convolutions of its network in int8.

    Pictures of the train splits show which values occur. The first convolutions stay in float32, as
    few of `IN_FLOAT` as move the scores of these pictures by at most `MAX_DRIFT` on average with a
    standard deviation of at most `MAX_SPREAD`. Figures and intervals of the card are those of the
    copy on the val splits. What was measured of the scorer alone, its fairness, is left out.

    Args:
        scorer: a shipped scorer's name, or a scorer folder.
        folder: the copy; must be new or empty.
        data: labelled framed faces with the splits train and val, taken whole.
        photos: labelled photos likewise, read as `auto` reads them; needed where the scorer's card
            has figures on photos.
        name: of the copy; by default the scorer's, with "-int8".
        in_float: number of convolutions, from the input on, that stay in float32; None: chosen.

    Returns:
        The copy's card.

    Raises:
        UsageError: a list without train or val rows; photos are missing; `folder` is in use or
            cannot be written; or 8 bits change the scores too much.
        ScorerError: there is no such scorer, or it is damaged.
        MissingExtra: without the package onnx.
    """
    check_new_folder(folder, "scorer")
    predictor = OnnxPredictor(scorer)
    if predictor.card.photos is not None and photos is None:
        raise UsageError(
            f"the card of {scorer} has figures on photos; give labelled photos too, to measure the "
            "copy on them: --photos FILE"
        )
    crops = _crops(predictor, data, "whole")
    if photos is not None:
        crops += _crops(predictor, photos, "auto")
    model = zoo.load_model(predictor.folder)
    before = _scores(predictor, crops)
    with whole_folder(folder) as partial:
        for kept in IN_FLOAT if in_float is None else (in_float,):
            smaller = quantised(model, _inputs(predictor, crops), in_float=kept)
            card = _begun(predictor.card, smaller, name)
            _write(partial, card, smaller)
            copy = OnnxPredictor(partial)
            change = Change.of(before, _scores(copy, crops))
            logger.info(
                "%d convolutions in float32: scores of %d train pictures change by %+.4f on "
                "average, standard deviation %.4f, at most %.3f",
                *(kept, len(crops), change.mean, change.spread, change.largest),
            )
            if change.is_small or in_float is not None:
                break
        else:
            raise UsageError(
                f"8 bits change the scores of {scorer} too much: by {change.mean:+.4f} on average, "
                f"standard deviation {change.spread:.4f}; at most {MAX_DRIFT} and {MAX_SPREAD} are "
                "accepted. --in-float N keeps more convolutions in float, or accepts more"
            )
        card = _measured(card, copy, data, photos)
        (partial / zoo.CARD).write_text(card_to_toml(card), encoding="utf-8")
    return card


def _crops(predictor: OnnxPredictor, data: Manifest, faces: str) -> list[Crop]:
    """Evenly spaced train pictures, as the network sees them."""
    data.labels()
    train = data.where(split="train")
    few = train.take(list(range(0, len(train), -(-len(train) // SAMPLES))))
    policy = ExtractionPolicy.of_one_face(faces, landmarks=predictor.uses_landmarks)
    extractor = FaceExtractor(predictor.spec, policy)
    prepared = (extractor.prepare(extractor.locate(path)) for path in few.paths)
    return [picture.crops[0][0] for picture in prepared if picture.crops]


def _inputs(predictor: OnnxPredictor, crops: Sequence[Crop]) -> Iterator[Inputs]:
    """The network's inputs by name, one picture at a time."""
    for pixels, guide in crops:
        inputs = {INPUT: to_tensor(pixels, predictor.spec)[None]}
        told = guide_for(predictor, [guide])
        if told is not None:
            inputs[LANDMARKS if predictor.uses_landmarks else SIZE] = told
        yield inputs


def _scores(predictor: OnnxPredictor, crops: Sequence[Crop]) -> Scores:
    """The scores (N,), before the card's map."""
    scores = [
        predictor.predict(to_tensor(pixels, predictor.spec)[None], guide_for(predictor, [guide]))
        for pixels, guide in crops
    ]
    return np.concatenate(scores)


def _begun(card: Card, model: bytes, name: str) -> Card:
    """The card of the copy, before it is measured."""
    return replace(
        card,
        name=name or f"{card.name}-int8",
        sha256=hashlib.sha256(model).hexdigest(),
        same_as=(),
        summary=f"A copy of {' '.join(filter(None, (card.name, card.version)))} in int8: faster, "
        "with scores that differ by some thousandths.",
        fairness="",
    )


def _measured(card: Card, copy: OnnxPredictor, data: Manifest, photos: Manifest | None) -> Card:
    """The card with figures and intervals of the copy."""
    on_crops = Measured.of(copy, data, "whole")
    whole = on_crops.scores[on_crops.val], on_crops.labels[on_crops.val]
    card = on_crops.on_card(card)
    if photos is None:
        return card
    on_photos = Measured.of(copy, photos, "auto")
    return on_photos.on_card_of_photos(card, photos, copy.spec, whole=whole)


def _write(folder: Path, card: Card, model: bytes) -> None:
    (folder / zoo.MODEL).write_bytes(model)
    (folder / zoo.CARD).write_text(card_to_toml(card), encoding="utf-8")
