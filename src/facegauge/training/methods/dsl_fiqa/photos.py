"""Labelled photos beside the crops that the core learns; our choice."""

from __future__ import annotations

from dataclasses import replace

from facegauge.data.leakage import without_leaks
from facegauge.data.manifests import Manifest
from facegauge.training.begin import describe
from facegauge.training.context import TrainingContext
from facegauge.training.inputs.views import ViewMaker
from facegauge.training.methods.dsl_fiqa.config import CoreConfig
from facegauge.training.rehearsal import current
from facegauge.training.validation import make_source_validation


def with_photos(
    context: TrainingContext,
    photos: Manifest,
    config: CoreConfig,
    *,
    landmarks: bool,
    allow_leakage: bool,
) -> TrainingContext:
    """The same run with labelled photos beside its crops; weights are then chosen on both."""
    train, val = photos.where(split="train"), photos.where(split="val")
    if not allow_leakage:
        train = without_leaks(train, [context.val])
    if (rehearsal := current()) is not None:
        val = rehearsal.shortened(val)
    learned, judged = (context.load(one, "auto", landmarks=landmarks) for one in (train, val))
    maker, repeated = context.maker, learned * config.photo_repeats
    maker = ViewMaker([*maker.pictures, *repeated], maker.spec, maker.config)
    sources = {"crops": context.val_pictures, "photos": judged}
    validate = make_source_validation(sources, maker.spec, landmarks=landmarks)
    data = [*context.record["data"], *describe([train])]
    return replace(context, maker=maker, validate=validate).recorded(data=data)
