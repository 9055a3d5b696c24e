"""The sources of pictures that MSPT mixes: what each holds out, mixed batches, and validation."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

import numpy as np
import torch
from torch import nn
from torch.utils.data import Dataset

from facegauge.data.manifests import Manifest, join_unlabelled
from facegauge.evaluation.metrics import challenge
from facegauge.faces.spec import PreprocessSpec
from facegauge.nn.predictor import predict_views, uses_size
from facegauge.progress import track
from facegauge.training.fit import Validate
from facegauge.training.inputs.pictures import sampled, sizes
from facegauge.training.inputs.views import Batch, Framed, ViewBatches, ViewMaker
from facegauge.training.settings import BatchPlan

BATCH_SIZE = 64  # of validation
HELD_OUT = 32  # of 256: of a list without splits


@dataclass(frozen=True, slots=True)
class Source:
    """One kind of pictures.

    Attributes:
        train: pictures to train on, with labels or pseudo-labels.
        held_out: pictures that choose the weights and show what was forgotten.
        sharp: pictures whose degraded copies have to keep their order.
    """

    train: Sequence[Framed]
    held_out: Sequence[Framed]
    sharp: Sequence[Framed]


def split_held_out(manifests: Sequence[Manifest]) -> tuple[Manifest, Manifest]:
    """Unlabelled lists as one to train on and one that is held out.

    A manifest with splits is divided into its train and val rows. Of one without, an eighth is held
    out, selected by a hash of the file's name.
    """
    train, held_out = [], []
    for manifest in manifests:
        if manifest.splits is not None:
            train.append(manifest.where(split="train"))
            held_out.append(manifest.where(split="val"))
            continue
        selected = np.array([_is_held_out(path) for path in manifest.paths], bool)
        train.append(manifest.take(~selected))
        held_out.append(manifest.take(selected))
    first, second = (
        join_unlabelled([replace(one, splits=None) for one in side]) for side in (train, held_out)
    )
    return first, second


def evenly_spaced(pictures: Sequence[Framed], count: int) -> Sequence[Framed]:
    """At most `count` of the pictures, evenly spaced."""
    if len(pictures) <= count:
        return pictures
    return [pictures[int(row)] for row in np.linspace(0, len(pictures) - 1, count).round()]


class MixedBatches(Dataset[Batch]):
    """Maps a step to a batch of views of several sources, as `ViewBatches` does for one.

    Tensors of one name, such as `labelled`, are concatenated.

    Args:
        parts: the views of one source each, and how many of which kind.
        steps: length of the data set.
        seed: of all random choices.
        rank, world: this process, and the number of processes.
    """

    def __init__(
        self,
        parts: Sequence[tuple[ViewMaker, BatchPlan]],
        *,
        steps: int,
        seed: int,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        self.steps = steps
        self.parts = [
            ViewBatches(maker, plan, steps=steps, seed=seed + 1000 * place, rank=rank, world=world)
            for place, (maker, plan) in enumerate(parts)
        ]

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, step: int) -> Batch:
        batches = [part[step] for part in self.parts]
        names = dict.fromkeys(name for batch in batches for name in batch)
        return {
            name: torch.cat([batch[name] for batch in batches if name in batch]) for name in names
        }


def make_source_validation(
    held_out: Mapping[str, Sequence[Framed]], spec: PreprocessSpec
) -> Validate:
    """(SRCC + PLCC) / 2 on the held-out pictures of each source, and `val_score`, their mean.

    Args:
        held_out: pictures with labels or pseudo-labels, by source.
        spec: what the network sees.
    """

    def validate(network: nn.Module) -> dict[str, float]:
        figures = {}
        for name, pictures in held_out.items():
            scores = []
            starts, total = range(0, len(pictures), BATCH_SIZE), len(pictures)
            for row in track(starts, f"validating on {name}", total=total, each=BATCH_SIZE):
                some = pictures[row : row + BATCH_SIZE]  # views of all need much memory
                told = sizes(some, spec) if uses_size(network) else None
                scores.append(predict_views(network, spec, sampled(some, spec), told))
            labels = np.array([one.score for one in pictures], np.float64)
            figures[name] = challenge(np.concatenate(scores), labels)
        return {**figures, "val_score": fmean(figures.values())}

    return validate


def _is_held_out(path: Path) -> bool:
    name = path.name.encode(errors="surrogateescape")
    return hashlib.sha256(name).digest()[0] < HELD_OUT
