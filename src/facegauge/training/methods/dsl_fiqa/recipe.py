"""DSL-FIQA: an encoder that learns degradation from two sets, and a transformer that it guides.

Source: arXiv 2406.09622. Its parts, in order:
1. the degradation encoder learns from clean faces under many degradations, S, and from faces as
   they are, R; it is then frozen;
2. the core network learns the labels, from the picture, the encoder's cells and the landmarks.

How the encoder was trained was never released, so step 1 is a completion; see `dual_set`. The core
may start from a backbone that was trained for quality before, and also learns the order of degraded
copies where its plan asks for it: our choices. For comparison, `encoder.learns` says what the
encoder learns from, `core.degradation` how the core takes its cells, `core.landmarks` whether
landmarks guide it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from functools import partial
from pathlib import Path

import torch
from torch import nn

from facegauge.data.leakage import refuse_leaks, without_leaks
from facegauge.data.manifests import Manifest
from facegauge.errors import UsageError
from facegauge.faces.landmarks import LANDMARK_SIZE
from facegauge.nn.checkpoints import load_run
from facegauge.training.context import describe
from facegauge.training.devices import log_from_main_process
from facegauge.training.inputs.views import Framed, ViewBatches, ViewMaker
from facegauge.training.legacy_job import (
    Job,
    Settings,
    batch_plan,
    earlier,
    open_job,
    score_loss,
)
from facegauge.training.methods.dsl_fiqa.dual_set import WAYS, DualSet, DualSetBatches, DualSetPlan
from facegauge.training.methods.dsl_fiqa.encoder import DegradationEncoder
from facegauge.training.methods.dsl_fiqa.network import Core, CoreSettings, DslFiqa
from facegauge.training.methods.dsl_fiqa.patch_contrast import PatchContrast
from facegauge.training.methods.dsl_fiqa.retrieval import retrieval_validation, sharpest_people
from facegauge.training.methods.dsl_fiqa.tokens import CnnTokens
from facegauge.training.objectives import Supervised

SYSTEM = "dsl"
FACES = "auto"  # in clean and unlabelled pictures: the largest face is searched
LESSONS = (*WAYS, "patches")


def run(
    settings: Settings,
    data: Manifest,
    unlabelled: Sequence[Manifest],
    clean: Sequence[Manifest],
    out: Path,
    *,
    resume: bool = False,
    allow_leakage: bool = False,
    say: Callable[[str], None] = print,
) -> dict[str, float]:
    """Train encoder and core into the run folder `out`; it becomes the whole system's.

    Args:
        settings: a preset of `dsl.toml`, with overrides.
        data: labelled pictures, framed as the labels saw them, with splits train and val.
        unlabelled: more faces as they are, for R; with a split column, only its train rows.
        clean: sharp faces, for S; likewise.
        resume: go on with what `out` holds.
        allow_leakage: train although splits share pictures or people, and on unlabelled or clean
            pictures that val has too. Otherwise the first are refused and the second left out.

    Returns:
        `map`, the encoder's mean average precision of retrieval on people of val, if it has an
        encoder, and `val_score`, (SRCC + PLCC) / 2 of the whole system on val.

    Raises:
        UsageError: leaks between the splits, no train or val rows, `out` is in use and `resume` is
            off, or settings that do not go together.
    """
    if settings["core"]["landmarks"] not in (0, LANDMARK_SIZE):
        raise UsageError(
            f"expected core.landmarks to be {LANDMARK_SIZE}, the detector's five points, "
            f"or 0 for none, got {settings['core']['landmarks']}"
        )
    log_from_main_process()
    if not allow_leakage:
        refuse_leaks(data)
        val = data.where(split="val")
        unlabelled = [without_leaks(part, [val]) for part in unlabelled]
        clean = [without_leaks(part, [val, *unlabelled]) for part in clean]
    points, start = bool(settings["core"]["landmarks"]), settings["encoder"]["start"]
    encoder = earlier_encoder(start) if start else None
    job = open_job(settings, data, [], out, resume=resume, say=say, points=points)
    learned = describe([data.where(split="train"), *map(_learned, [*unlabelled, *clean])])
    record = {**job.settings, "data": learned}
    if start:
        made = load_run(start).settings
        record["encoder_run"] = {key: made.get(key, "") for key in ("command", "commit", "data")}
    job = replace(job, settings=record)
    sharp = _faces(job, clean, points)
    figures = {}
    if settings["core"]["degradation"] == "none":
        encoder = None
    else:
        spec = job.maker.spec
        faces = sharpest_people(job.val, spec, settings["judge"]["faces"])
        part = "mean" if settings["encoder"]["pooled"] else "cells"
        judge = retrieval_validation(faces, spec, part=part)
        encoder = encoder or train_encoder(replace(job, validate=judge), unlabelled, sharp)
        figures["map"] = judge(encoder)["map"]
    network = train_core(job, encoder, sharp)
    figures["val_score"] = job.validate(network)["val_score"]
    for name, value in figures.items():
        job.say(f"{name} on val {value:.4f}")
    return figures


def train_encoder(
    job: Job, unlabelled: Sequence[Manifest], clean: list[Framed]
) -> DegradationEncoder:
    """Step 1: dual sets, or patches."""
    numbers = job.settings["encoder"]
    torch.manual_seed(numbers["fit"]["seed"])
    encoder = DegradationEncoder(numbers["channels"], numbers["grid"], numbers["backbone"])
    if numbers["body"]:
        encoder.start_from(earlier(numbers["body"], numbers["backbone"]))
    if numbers["fit"]["steps"]:
        real = [*job.maker.pictures, *_faces(job, unlabelled)]
        maker = partial(ViewMaker, spec=job.maker.spec, config=job.maker.config)
        plan = DualSetPlan(**numbers["plan"])
        sets = partial(DualSetBatches, maker(clean), maker(real), plan)
        system = f"{SYSTEM} encoder"
        job.fit(
            "encoder", encoder, lesson(job, numbers), sets, system=system, numbers=numbers["fit"]
        )
    return encoder.eval()


def lesson(job: Job, numbers: Settings) -> nn.Module:
    """What the encoder learns from: both ways of the dual set, one of them, or patches."""
    spec, learns = job.maker.spec, numbers["learns"]
    if learns not in LESSONS:
        raise UsageError(f"encoder.learns must be one of {', '.join(LESSONS)}, got {learns!r}")
    if learns == "patches":
        return PatchContrast(spec, numbers["patch"], numbers["patch_temperature"])
    names = ("temperature", "distance", "pooled", "standardised")
    return DualSet(spec, **{name: numbers[name] for name in names}, ways=learns)


def train_core(job: Job, encoder: DegradationEncoder | None, clean: list[Framed]) -> DslFiqa:
    """Step 2: labels, and, where the plan asks for groups, the order of degraded copies.

    Args:
        clean: sharp faces, of which copies are degraded too.
    """
    numbers = job.settings["core"]
    torch.manual_seed(numbers["fit"]["seed"])
    names = {field.name for field in fields(CoreSettings)}
    sizes = {name: value for name, value in numbers.items() if name in names}
    if encoder is not None:
        cells = {"cells": encoder.grid, "cell_width": encoder.width}
        sizes.update(cells)
    spec = job.maker.spec
    core = Core(CoreSettings(**sizes, size=(spec.height, spec.width), bias=job.mean_label))
    if numbers["weights"]:
        core.load_pretrained(numbers["weights"])
    if numbers["start"]:
        start_tokens(core, numbers["start"])
    network = DslFiqa(encoder, core)
    objective = Supervised(spec, score_loss(numbers), numbers["order_weight"], numbers["margin"])
    maker = ViewMaker([*job.maker.pictures, *clean], spec, job.maker.config)
    batches = partial(ViewBatches, maker, batch_plan(numbers["plan"]))
    job.fit("", network, objective, batches, system=SYSTEM, numbers=numbers["fit"])
    return network.eval()


def start_tokens(core: Core, start: str) -> None:
    """The core's backbone from an earlier network; see `job.earlier`.

    Raises:
        UsageError: there is none with the same backbone.
    """
    before = earlier(start, core.config["backbone"]).state_dict()
    assert isinstance(core.tokens, CnnTokens)  # `earlier` has no other backbones
    backbone = core.tokens.backbone
    backbone.load_state_dict({name: before[name] for name in backbone.state_dict()})


def earlier_encoder(folder: str) -> DegradationEncoder:
    """The encoder of an earlier run: its own folder's, or that of a whole system.

    Raises:
        UsageError: there is none.
    """
    network = load_run(folder).network
    found = network.encoder if isinstance(network, DslFiqa) else network
    if not isinstance(found, DegradationEncoder):
        raise UsageError(f"{folder} holds no degradation encoder")
    return found.eval()


def _faces(job: Job, manifests: Sequence[Manifest], points: bool = False) -> list[Framed]:
    found: list[Framed] = []
    for manifest in manifests:
        found += job.load(_learned(manifest), FACES, points=points)
    return found


def _learned(manifest: Manifest) -> Manifest:
    """The part of a list that is learned from: with a split column, its train rows; no labels."""
    part = manifest if manifest.splits is None else manifest.where(split="train")
    return replace(part, scores=None)
