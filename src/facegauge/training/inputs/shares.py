"""The batches of a step, shared out between processes and, in each, between its passes.

A step's gradient comes from `accumulate` batches of every process that the run began with. They are
numbered as if each were of a process of its own. So a run that is resumed with fewer processes goes
on with the same batches: each process then has more of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch.utils.data import Dataset

from facegauge.errors import UsageError
from facegauge.training.devices import this_process
from facegauge.training.inputs.views import Batch
from facegauge.training.settings import FitConfig


def batches_of_each(accumulate: int, began: int) -> int:
    """How many batches of a step each process has.

    Args:
        accumulate: batches of each process that the run began with.
        began: number of these.

    Raises:
        UsageError: the processes of this run cannot have equally many.
    """
    world: int = this_process().num_processes
    each, left = divmod(accumulate * began, world)
    if left:
        raise UsageError(
            f"the run began with {began} {'process' if began == 1 else 'processes'} and a step has "
            f"{accumulate * began} batches, which {world} processes cannot share equally; resume "
            f"it with a number of processes that divides {accumulate * began}"
        )
    return each


def in_steps(
    config: FitConfig, batches: Callable[..., Dataset[Batch]], began: int | None = None
) -> FitConfig:
    """A fit's settings with steps in place of epochs.

    Args:
        config: with steps or epochs.
        batches: steps, seed, rank and world, by name, -> the batch of every step; its `a_pass` says
            how many batches a pass has.
        began: processes that the run began with; None: those that there are.

    Raises:
        UsageError: epochs of a fit without labelled views.
    """
    if not config.epochs:
        return config
    one: Any = batches(steps=1, seed=config.seed, rank=0, world=1)
    if not one.a_pass:
        raise UsageError("epochs count labelled views, and the plan has none; give steps")
    a_step = config.accumulate * (began or this_process().num_processes)
    return config.in_steps(one.a_pass / a_step)


class Shares(Dataset[Batch]):
    """This process's batches, step by step: place p is batch p % each of step p // each.

    Args:
        batches: steps, seed, rank and world, by name, -> the batch of every step.
        steps, seed: of the fit.
        each: batches of each process in a step.
    """

    def __init__(
        self, batches: Callable[..., Dataset[Batch]], steps: int, seed: int, each: int
    ) -> None:
        process = this_process()
        rank, world = process.process_index, process.num_processes
        self.steps, self.each = steps, each
        self.parts = [
            batches(steps=steps, seed=seed, rank=place * world + rank, world=world * each)
            for place in range(each)
        ]

    def __len__(self) -> int:
        return self.steps * self.each

    def __getitem__(self, place: int) -> Batch:
        step, part = divmod(place, self.each)
        return self.parts[part][step]
