"""The beginning of every run: what can be checked is checked, and the pictures are read."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from facegauge.data.leakage import refuse_leaks, without_leaks
from facegauge.data.manifests import Manifest
from facegauge.faces.spec import PreprocessSpec
from facegauge.nn.checkpoints import provenance
from facegauge.nn.pretrained import fetch_imagenet
from facegauge.training.context import TrainingContext, read_pictures
from facegauge.training.devices import log_from_main_process, this_process
from facegauge.training.held_out import check_labels
from facegauge.training.init_from import anchored, check_sources, imagenet_backbones
from facegauge.training.inputs.picture_file import PictureFile
from facegauge.training.inputs.views import ViewMaker
from facegauge.training.kept_memory import keep_freed_memory
from facegauge.training.rehearsal import current
from facegauge.training.run_folder import check_folder, processes_at_first, take_folder
from facegauge.training.settings import MethodConfig
from facegauge.training.validation import make_validation

PIXELS = "pictures.rgb"  # in the run folder, while it is trained

logger = logging.getLogger(__name__)


def begin_run(
    config: MethodConfig,
    data: Manifest,
    unlabelled: Sequence[Manifest],
    out: Path,
    *,
    spec: PreprocessSpec,
    resume: bool = False,
    allow_leakage: bool = False,
    landmarks: bool = False,
    faces: str = "whole",
) -> TrainingContext:
    """Check what can be checked, take the run folder into use and read the pictures.

    Args:
        data: labelled pictures, framed as the labels saw them, with splits train and val.
        unlabelled: more faces, whose scores, if they have any, are left aside; with a split column,
            only their train rows.
        spec: what the networks see, at first.
        resume: continue with what `out` holds.
        allow_leakage: train although splits share pictures or people, and on unlabelled pictures
            that val has too. Otherwise the first are refused and the second left out.
        landmarks: find the labelled faces' five points, for networks that take them.
        faces: of the labelled pictures, as for `load_framed`.

    Raises:
        UsageError: a network to start from is not there; leaks between the splits; no labels, no
            train or val rows; or `out` is in use and `resume` is off.
    """
    keep_freed_memory()
    log_from_main_process()
    check_sources(config)
    config = anchored(config)
    data.labels()
    train, val = data.where(split="train"), data.where(split="val")
    check_labels(data)
    check_folder(config, out, resume)
    processes = processes_at_first(config, out)
    more = [part if part.splits is None else part.where(split="train") for part in unlabelled]
    leaks = refuse_leaks(data, allow=allow_leakage)
    if not allow_leakage:
        more = [without_leaks(part, [val]) for part in more]
    fetch_weights(config)
    lock = take_folder(config, out)
    into = PictureFile(out / PIXELS, fresh=this_process().is_main_process)
    read = partial(read_pictures, spec=spec, into=into)
    pictures = read(train, faces=faces, points=landmarks)
    mean_label = float(np.mean([p.score for p in pictures if p.score is not None]))
    rehearsal = current()
    if rehearsal is not None:
        val = rehearsal.shortened(val)
    for manifest in more:
        pictures += read(replace(manifest, scores=None), faces="auto")
    val_pictures = read(val, faces=faces, points=landmarks)
    if this_process().is_main_process:
        count = len(pictures)
        logger.info(
            "%d pictures to train on, %d in val; decoded and cut, %.2f GB in the run folder",
            *(count, len(val_pictures), into.size / 1e9),
        )
    if rehearsal is not None:
        rehearsal.pictures = len(pictures)
        rehearsal.pixels = into
    return TrainingContext(
        config=config,
        record={
            **provenance(),
            "data": describe([train, *more]),
            **({"leaks": leaks} if leaks else {}),
        },
        maker=ViewMaker(pictures, spec, config.views),
        val=val,
        val_pictures=val_pictures,
        pictures=into,
        validate=make_validation(val_pictures, spec, landmarks=landmarks),
        mean_label=mean_label,
        out=out,
        lock=lock,
        processes=processes,
    )


def fetch_weights(config: MethodConfig) -> None:
    """Fetch all ImageNet weights that the run will need, before its first step.

    Raises:
        UsageError: they cannot be fetched.
    """
    if this_process().is_main_process:
        for backbone in imagenet_backbones(config):
            logger.info("fetching ImageNet weights of %s, unless they are there", backbone)
            fetch_imagenet(backbone)
    this_process().wait_for_everyone()


def describe(manifests: Iterable[Manifest]) -> list[dict[str, Any]]:
    """What was trained on, for cards: lists, and how many pictures of each; see also `joined`."""
    names = [
        name for one in manifests for name in one.groups.get("manifest", [one.name] * len(one))
    ]
    return [{"manifest": name, "pictures": count} for name, count in Counter(names).items()]
