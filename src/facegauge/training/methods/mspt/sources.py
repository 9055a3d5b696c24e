"""Several kinds of pictures that are learned together: what each holds out, and mixed batches."""

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
from facegauge.nn.normalise import Normalise
from facegauge.training.fit import Validate
from facegauge.training.inputs.pictures import sampled
from facegauge.training.inputs.views import Batch, Framed, ViewBatches, ViewMaker
from facegauge.training.legacy_job import predict
from facegauge.training.settings import BatchPlan

BATCH = 64  # held-out pictures that are judged at a time


@dataclass(frozen=True, slots=True)
class Source:
    """One kind of pictures.

    Attributes:
        learn: what is learned from, with labels or pseudo-labels.
        held: what is not: it chooses weights and shows what was forgotten.
        clean: whose degraded copies have to keep their order.
    """

    learn: list[Framed]
    held: list[Framed]
    clean: list[Framed]


def parted(manifests: Sequence[Manifest]) -> tuple[Manifest, Manifest]:
    """What is learned from, and what is held out.

    A manifest with splits is parted into train and val; of one without, an eighth is held out,
    chosen by the file's name alone.
    """
    learn, held = [], []
    for manifest in manifests:
        if manifest.splits is not None:
            learn.append(manifest.where(split="train"))
            held.append(manifest.where(split="val"))
            continue
        apart = np.array([_held_out(path) for path in manifest.paths], bool)
        learn.append(manifest.take(~apart))
        held.append(manifest.take(apart))
    first, second = (
        join_unlabelled([replace(one, splits=None) for one in side]) for side in (learn, held)
    )
    return first, second


def thinned(pictures: list[Framed], most: int) -> list[Framed]:
    """At most so many, evenly spaced."""
    if len(pictures) <= most:
        return pictures
    return [pictures[int(row)] for row in np.linspace(0, len(pictures) - 1, most).round()]


class Together(Dataset[Batch]):
    """Maps a step to a batch of views of several sources, as `views.ViewBatches` does for one.

    What several sources have, such as `labelled`, lies end to end.

    Args:
        kinds: views of one source each, and how many of which kind.
    """

    def __init__(
        self,
        kinds: Sequence[tuple[ViewMaker, BatchPlan]],
        *,
        steps: int,
        seed: int,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        self.steps = steps
        self.parts = [
            ViewBatches(maker, plan, steps=steps, seed=seed + 1000 * place, rank=rank, world=world)
            for place, (maker, plan) in enumerate(kinds)
        ]

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, step: int) -> Batch:
        batches = [part[step] for part in self.parts]
        names = dict.fromkeys(name for batch in batches for name in batch)
        return {
            name: torch.cat([batch[name] for batch in batches if name in batch]) for name in names
        }


def watch(held: Mapping[str, list[Framed]], spec: PreprocessSpec) -> Validate:
    """(SRCC + PLCC) / 2 on what each source holds out; the criterion is their mean."""
    normalise = Normalise(spec)

    def validate(network: nn.Module) -> dict[str, float]:
        figures = {}
        for name, pictures in held.items():
            scores = [
                predict(network, sampled(pictures[row : row + BATCH], spec), normalise, BATCH)
                for row in range(0, len(pictures), BATCH)
            ]
            labels = np.array([one.score for one in pictures], np.float64)
            figures[name] = challenge(np.concatenate(scores), labels)
        return {**figures, "val_score": fmean(figures.values())}

    return validate


def _held_out(path: Path) -> bool:
    return hashlib.sha256(path.name.encode(errors="surrogateescape")).digest()[0] < 32
