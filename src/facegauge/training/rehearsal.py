"""What a run will cost: its recipe is carried out with a few steps of every part, which are timed.

    with rehearsing() as rehearsal:
        recipe.run(config, data, out=temporary_folder)
    print(rehearsal.parts)

Pictures are read as for the run, so memory is measured too. Networks stay as they start.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from copy import deepcopy
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import Dataset

from facegauge.data.manifests import Manifest
from facegauge.labelling.label import label
from facegauge.predictors import Predictor
from facegauge.training.config import walk
from facegauge.training.devices import this_process
from facegauge.training.fit_state import Figures
from facegauge.training.inputs.picture_file import PictureFile
from facegauge.training.inputs.shares import Shares
from facegauge.training.inputs.views import Batch
from facegauge.training.learner import Learner
from facegauge.training.settings import FitConfig, MethodConfig

STEPS = 3  # of a fit; the first one is not timed
LONG = 200  # steps of a fit that is timed before it begins
LABELLED = 16  # pictures that a teacher labels
BATCHES = 2  # of a teacher cache
VAL = 64  # pictures that are validated
COPIES = 6  # of a network in a fit folder: now, averaged, best, AdamW's two, the result


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a run.

    Attributes:
        name: of the part.
        count: what it takes, with its unit, such as "400 steps".
        seconds: how long it will take, from what was measured.
    """

    name: str
    count: str
    seconds: float


@dataclass
class Rehearsal:
    """What was measured so far.

    Attributes:
        parts: in the order of the run.
        disk: bytes that the run folder will need.
        pictures: to train on.
        pixels: the file that holds all pictures while the run trains.
        val_share: share of the val pictures that each validation of the rehearsal scores.
    """

    parts: list[Part] = field(default_factory=list)
    disk: float = 0.0
    pictures: int = 0
    pixels: PictureFile | None = None
    val_share: float = 1.0

    @property
    def seconds(self) -> float:
        """How long the run will take, reading aside."""
        return sum(part.seconds for part in self.parts)

    def shortened(self, val: Manifest) -> Manifest:
        """A part of the val pictures, evenly spaced."""
        step = max(1, len(val) // VAL)
        part = val.take(list(range(0, len(val), step)))
        self.val_share = len(part) / len(val)
        return part

    def fit(
        self,
        name: str,
        network: nn.Module,
        objective: nn.Module,
        batches: Callable[..., Dataset[Batch]],
        *,
        validate: Callable[[nn.Module], Figures],
        config: FitConfig,
        workers: int,
    ) -> None:
        """Time a few steps and a validation on a copy of the network."""
        learner = deepcopy(network)
        a_step = seconds_per_step(learner, objective, batches, config, workers)
        started = time.monotonic()
        validate(learner.eval())
        validation = (time.monotonic() - started) / self.val_share
        validations = -(-config.steps // config.validate_every)
        seconds = config.steps * a_step + validations * validation
        self.parts.append(Part(f"training {name}", f"{config.steps} steps", seconds))
        self.disk += COPIES * sum(weight.nbytes for weight in network.parameters())

    def label(
        self, name: str, teacher: Predictor, pictures: Manifest, *, faces: str, views: int
    ) -> None:
        """Time the labels of a few pictures."""
        few = pictures.take(list(range(min(LABELLED, len(pictures)))))
        started = time.monotonic()
        for _ in label(teacher, few, faces=faces, views=views):
            pass
        seconds = (time.monotonic() - started) * len(pictures) / len(few)
        self.parts.append(Part(f"labelling {name}", f"{len(pictures)} pictures", seconds))

    @contextmanager
    def cache(self, folder: Path, batches: int) -> Iterator[None]:
        """Time a cache of `BATCHES` batches, which the block makes; the run's has `batches`."""
        times = batches / BATCHES
        with self.timed("filling the teacher cache", f"{batches} batches", times):
            yield
        self.disk += times * sum(file.stat().st_size for file in folder.glob("*.npy"))

    @contextmanager
    def timed(self, name: str, count: str, times: float) -> Iterator[None]:
        """Time a part, of which the block does one in `times`; the rest as `Part`."""
        started = time.monotonic()
        yield
        self.parts.append(Part(name, count, (time.monotonic() - started) * times))


def is_worth_rehearsing(config: MethodConfig) -> bool:
    """Whether a run of this one process has a part of `LONG` steps, or of passes, and more."""
    if this_process().num_processes > 1:
        return False
    fits = [(name.rpartition(".")[2], value) for name, _, value in walk(config)]
    return any(
        (name == "steps" and value >= LONG) or (name == "epochs" and value) for name, value in fits
    )


def seconds_per_step(
    learner: nn.Module,
    objective: nn.Module,
    batches: Callable[..., Dataset[Batch]],
    config: FitConfig,
    workers: int,
) -> float:
    """Time a few steps of a fit, which move the network; the objective stays as it is.

    Args:
        workers: processes that prepare batches; they make them while others are learned from.
    """
    each = config.accumulate
    steady = replace(config, compile=False)  # which takes minutes
    taught = Learner("rehearsal", learner.train(), deepcopy(objective), steady, batches=each)
    views = Shares(batches, STEPS, config.seed, each)
    learning, making = [], []
    for step in range(STEPS):
        started = time.monotonic()
        own = [views[step * each + place] for place in range(each)]
        made = time.monotonic()
        taught.step(step, own, config.lr)
        making.append(made - started)
        learning.append(time.monotonic() - made)
    one, other = min(learning[1:]), min(making[1:])
    return max(one, other / workers) if workers else one + other


_current: ContextVar[Rehearsal | None] = ContextVar("rehearsal", default=None)


@contextmanager
def rehearsing() -> Iterator[Rehearsal]:
    """Recipes that run in the block are rehearsed."""
    rehearsal = Rehearsal()
    token = _current.set(rehearsal)
    try:
        yield rehearsal
    finally:
        _current.reset(token)


def current() -> Rehearsal | None:
    """The rehearsal that is going on, if any."""
    return _current.get()


def peak_gpu_memory() -> float | None:
    """The most memory that tensors have had on the GPU, in bytes; None without a GPU of CUDA."""
    if this_process().device.type != "cuda":
        return None
    return float(torch.cuda.max_memory_reserved())


def peak_memory() -> float | None:
    """The most memory that this process has had, in bytes; None where the system does not say."""
    if sys.platform == "win32":
        return None
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return float(peak if sys.platform == "darwin" else peak * 1024)
