"""The sources of pictures that MSPT mixes, and batches of several of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.utils.data import Dataset

from facegauge.training.inputs.views import Batch, Framed, ViewBatches, ViewMaker
from facegauge.training.view_settings import BatchPlan


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

    @property
    def a_pass(self) -> float:
        """Batches of all processes in which every picture of the first source comes once."""
        return self.parts[0].a_pass

    def __getitem__(self, step: int) -> Batch:
        batches = [part[step] for part in self.parts]
        names = dict.fromkeys(name for batch in batches for name in batch)
        return {
            name: torch.cat([batch[name] for batch in batches if name in batch]) for name in names
        }
