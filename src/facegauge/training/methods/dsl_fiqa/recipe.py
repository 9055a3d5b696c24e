"""DSL-FIQA: an encoder learns degradations from two sets and then informs a transformer.

Source: arXiv 2406.09622. In order:
1. the degradation encoder learns from clean faces under many degradations (set S) and from faces as
   they are (set R); it is then frozen;
2. the core network learns the labels, from the picture, the encoder's cells and the landmarks;
   those of crops, and of photos too, whose faces are cut as scoring cuts them.

The training of the encoder was not released, so step 1 is our completion; see `dual_set` and
`dual_set_batches`. Ours, too: the core can start from a backbone that was trained for quality, and
it also learns the order of degraded copies, if its plan has groups. Settings for ablations:
`encoder.learns`, `core.degradation` and `core.landmarks`.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from facegauge.data.leakage import refuse_leaks, without_leaks
from facegauge.data.manifests import Manifest
from facegauge.errors import UsageError
from facegauge.faces.dense_landmarks import landmark_path
from facegauge.faces.spec import PreprocessSpec
from facegauge.nn.checkpoints import find_run
from facegauge.nn.regressor import Regressor
from facegauge.training.begin import begin_run, describe
from facegauge.training.context import TrainingContext
from facegauge.training.held_out import check_labels, refuse_unused
from facegauge.training.init_from import is_pretrained
from facegauge.training.inputs.views import Framed, ViewBatches, ViewMaker
from facegauge.training.methods.dsl_fiqa.config import CoreConfig, DslFiqaConfig, EncoderConfig
from facegauge.training.methods.dsl_fiqa.core_settings import CoreSettings
from facegauge.training.methods.dsl_fiqa.dual_set import DualSet
from facegauge.training.methods.dsl_fiqa.dual_set_batches import DualSetBatches
from facegauge.training.methods.dsl_fiqa.encoder import DegradationEncoder
from facegauge.training.methods.dsl_fiqa.network import Core, DslFiqa
from facegauge.training.methods.dsl_fiqa.patch_contrast import PatchContrast
from facegauge.training.methods.dsl_fiqa.photos import with_photos
from facegauge.training.methods.dsl_fiqa.retrieval import degraded_people, retrieval_validation
from facegauge.training.methods.dsl_fiqa.tokens import CnnTokens
from facegauge.training.objectives import Supervised, score_loss
from facegauge.training.start import load_pretrained

SYSTEM = "dsl"
FACES = "auto"  # in clean and unlabelled pictures: the largest face is detected
KEPT = ("command", "commit", "data")  # of the run that an encoder is taken from

logger = logging.getLogger(__name__)


def run(
    config: DslFiqaConfig,
    data: Manifest,
    unlabelled: Sequence[Manifest],
    clean: Sequence[Manifest],
    out: Path,
    *,
    photos: Manifest | None = None,
    resume: bool = False,
    allow_leakage: bool = False,
) -> dict[str, float]:
    """Train encoder and core into the run folder `out`.

    Args:
        config: a preset, with overrides; see `training.config.load_preset`.
        data: labelled pictures, framed as the labels saw them, with splits train and val.
        unlabelled: more faces as they are, for set R; with a split column, only its train rows.
        clean: sharp faces, for set S; likewise.
        out: the run folder.
        photos: labelled photos at their own size, with splits train and val, for the core.
        resume: continue with what `out` holds.
        allow_leakage: train although splits share pictures or people, and on unlabelled or clean
            pictures that val has too. Otherwise the first are refused and the second left out.

    Returns:
        `map`, the mean average precision of retrieval by the encoder, on people of val, if there is
        an encoder; and `val_score`, (SRCC + PLCC) / 2 of the whole network on val. With photos it
        is the mean of that on crops and on photos.

    Raises:
        UsageError: leaks between the splits, no train or val rows, `out` is in use and `resume` is
            off, or too few pictures for the sets.
    """
    refuse_unused(
        unlabelled,
        config.core.degradation != "none" and config.encoder.fit.trains,
        "no degradation encoder is trained; leave them out, or give encoder.fit steps",
    )
    if config.spec.dense_landmarks:
        _check_dense(data.where(split="train"))
    leaks: Mapping[str, int] = {}
    if photos is not None:
        check_labels(photos)
        leaks = refuse_leaks(photos, allow=allow_leakage)
    landmarks = bool(config.core.landmarks)
    encoder: DegradationEncoder | None = None
    source: dict[str, Any] = {}
    if config.core.degradation != "none":
        encoder, source = create_encoder(config.encoder)
    context = begin_run(
        config,
        data,
        [],
        out,
        spec=config.spec,
        resume=resume,
        allow_leakage=allow_leakage,
        landmarks=landmarks,
    )
    unlabelled, clean = ([_training_part(one) for one in side] for side in (unlabelled, clean))
    held_out = [context.val]
    if photos is not None:
        held_out.append(photos.where(split="val"))
        context = with_photos(
            context, photos, config.core, landmarks=landmarks, allow_leakage=allow_leakage
        )
    if leaks:
        both = dict(Counter(leaks) + Counter(context.record.get("leaks")))
        context = context.recorded(leaks=both)
    if not allow_leakage:
        unlabelled = [without_leaks(one, held_out) for one in unlabelled]
        clean = [without_leaks(one, [*held_out, *unlabelled]) for one in clean]
    lists = describe([*unlabelled, *clean])
    context = context.recorded(data=[*context.record["data"], *lists], **source)
    sharp = _load(context, clean, landmarks=landmarks)
    core = create_core(config.core, encoder, config.spec, bias=context.mean_label)

    figures = {}
    if encoder is not None:
        people = degraded_people(context.val, config.spec, config.retrieval.people)
        part = "mean" if config.encoder.pooled else "cells"
        validate = retrieval_validation(people, config.spec, part=part)
        validated = replace(context, validate=validate)
        train_encoder(validated, config.encoder, encoder, unlabelled, sharp)
        figures["map"] = validate(encoder)["map"]
    network = train_core(context, config.core, encoder, core, sharp)
    figures |= {
        name: figure
        for name, figure in context.validate(network).items()
        if photos is not None or name == "val_score"
    }
    for name, value in figures.items():
        logger.info("%s on val: %.4f", name, value)
    return figures


def create_encoder(config: EncoderConfig) -> tuple[DegradationEncoder, dict[str, Any]]:
    """The degradation encoder with its first weights.

    An encoder of an earlier run keeps its own layers and grid.

    Returns:
        The encoder, and for the record how the run that it was taken from was made, if any.

    Raises:
        UsageError: `init_from` holds no encoder and no network with the encoder's backbone.
    """
    network = None
    if is_pretrained(config.init_from):
        run = find_run(config.init_from)
        found = _encoder_of(run.network)
        if found is not None:
            made = {key: run.settings.get(key, "") for key in KEPT}
            return found.requires_grad_(True), {"encoder_run": made}
        network = load_pretrained(config.init_from, config.backbone)
    elif config.init_from:
        network = Regressor(config.backbone)
        network.load_pretrained(config.init_from)
    torch.manual_seed(config.fit.seed)
    encoder = DegradationEncoder(config.channels, config.grid, config.backbone)
    if network is not None:
        encoder.load_backbone(network)
    return encoder, {}


def train_encoder(
    context: TrainingContext,
    config: EncoderConfig,
    encoder: DegradationEncoder,
    unlabelled: Sequence[Manifest],
    clean: Sequence[Framed],
) -> None:
    """Step 1: contrastive learning on sets S and R; with 0 steps the encoder stays as it is.

    Args:
        unlabelled: faces of set R, beside the labelled ones.
        clean: faces of set S.
    """
    if config.fit.trains:
        spec, views = context.maker.spec, context.maker.config
        real = [*context.maker.pictures, *_load(context, unlabelled)]
        batches = partial(
            DualSetBatches,
            ViewMaker(clean, spec, views),
            ViewMaker(real, spec, views),
            config.plan,
        )
        objective = encoder_objective(config, spec)
        encoder.checkpointing = config.checkpointing
        context.fit("encoder", encoder, objective, batches, config.fit, system=f"{SYSTEM} encoder")
    encoder.eval()


def encoder_objective(config: EncoderConfig, spec: PreprocessSpec) -> nn.Module:
    """What the encoder learns: both ways of the dual sets, one of them, or patches."""
    if config.learns == "patches":
        return PatchContrast(spec, config.patch, config.patch_temperature)
    return DualSet(
        spec,
        temperature=config.temperature,
        distance=config.distance,
        ways=config.learns,
        pooled=config.pooled,
        standardised=config.standardised,
    )


def train_core(
    context: TrainingContext,
    config: CoreConfig,
    encoder: DegradationEncoder | None,
    core: Core,
    clean: Sequence[Framed],
) -> DslFiqa:
    """Step 2: labels, and, if the plan has groups, the order of degraded copies.

    Args:
        encoder: is frozen.
        core: is trained.
        clean: sharp faces, of which there are degraded copies too.
    """
    spec = context.maker.spec
    network = DslFiqa(encoder, core)
    objective = Supervised(
        spec,
        score_loss(config, config.label_rank_weight),
        config.severity_rank_weight,
        config.margin,
    )
    maker = ViewMaker([*context.maker.pictures, *clean], spec, context.maker.config)
    batches = partial(ViewBatches, maker, config.plan)
    context.fit("", network, objective, batches, config.fit, system=SYSTEM)
    return network.eval()


def create_core(
    config: CoreConfig, encoder: DegradationEncoder | None, spec: PreprocessSpec, *, bias: float
) -> Core:
    """The core network with its first weights, for the cells of an encoder.

    Args:
        encoder: whose cells the core takes.
        spec: width and height of the input.
        bias: the score at initialisation.

    Raises:
        UsageError: the weights of `init_from` cannot be read, or are those of another backbone or
            of a core of other sizes.
    """
    torch.manual_seed(config.fit.seed)
    shared = {field.name for field in fields(CoreSettings)} & vars(config).keys()
    sizes = {name: getattr(config, name) for name in shared}
    if encoder is not None:
        sizes |= {"cells": encoder.grid, "cell_width": encoder.width}
    core = Core(CoreSettings(**sizes, size=(spec.height, spec.width), bias=bias))
    if not is_pretrained(config.init_from):
        if config.init_from:
            core.load_pretrained(config.init_from)
        return core
    trained = find_run(config.init_from).network
    if isinstance(trained, DslFiqa):
        _copy_core(trained.core, core, config.init_from)
    else:
        weights = load_pretrained(config.init_from, config.backbone).state_dict()
        assert isinstance(core.tokens, CnnTokens)  # `load_pretrained` has no other backbones
        backbone = core.tokens.backbone
        backbone.load_state_dict({name: weights[name] for name in backbone.state_dict()})
    return core


def load_encoder(name_or_folder: str) -> DegradationEncoder:
    """The encoder of an earlier run: of its own folder, or of a whole network.

    Raises:
        UsageError: there is none.
    """
    found = _encoder_of(find_run(name_or_folder).network)
    if found is None:
        raise UsageError(f"{name_or_folder} holds no degradation encoder")
    return found.eval()


def _copy_core(source: Core, target: Core, name: str) -> None:
    """Copy all weights between cores of the same sizes; the source is called `name`."""
    have, want = ({**core.config, "bias": 0, "dropout": 0} for core in (source, target))
    other = [key for key in want if _listed(have[key]) != _listed(want[key])]
    if other:
        raise UsageError(
            f"cannot start from {name}: its core has {other[0]} {_listed(have[other[0]])}, not "
            f"{_listed(want[other[0]])}"
        )
    target.load_state_dict(source.state_dict())


def _listed(value: Any) -> Any:
    """A tuple as a list, which it becomes in a file."""
    return list(value) if isinstance(value, tuple) else value


def _encoder_of(network: nn.Module) -> DegradationEncoder | None:
    found = network.encoder if isinstance(network, DslFiqa) else network
    return found if isinstance(found, DegradationEncoder) else None


def _load(
    context: TrainingContext, manifests: Sequence[Manifest], *, landmarks: bool = False
) -> list[Framed]:
    return [
        picture
        for manifest in manifests
        for picture in context.load(manifest, FACES, landmarks=landmarks)
    ]


def _training_part(manifest: Manifest) -> Manifest:
    """The rows to train on, without labels: with a split column, its train rows."""
    part = manifest if manifest.splits is None else manifest.where(split="train")
    return replace(part, scores=None)


def _check_dense(pictures: Manifest) -> None:
    if not any(landmark_path(path).is_file() for path in pictures.paths):
        raise UsageError(
            f"{pictures.source}: no picture has dense landmarks; expected x/landmark/1.npy for "
            "x/img/1.png, or core.landmarks of 10, for the detector's five points"
        )
