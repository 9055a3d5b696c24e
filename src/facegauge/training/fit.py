"""One flat training loop on accelerate: network + objective + batches -> a fit folder; resumes."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from accelerate.utils import broadcast
from torch import Tensor, nn
from torch.utils.data import Dataset

from facegauge.images.memory import give_back_freed
from facegauge.progress import track
from facegauge.training.devices import this_process
from facegauge.training.fit_state import Figures, FitState, Log, finished, load_best, update_ema
from facegauge.training.inputs.shares import Shares, batches_of_each
from facegauge.training.inputs.views import Batch, loader
from facegauge.training.kept_memory import KeptMemory
from facegauge.training.learner import Learner
from facegauge.training.settings import FitConfig

Validate = Callable[[nn.Module], Figures]

logger = logging.getLogger(__name__)


def fit(
    network: nn.Module,
    objective: nn.Module,
    batches: Callable[..., Dataset[Batch]],
    *,
    validate: Validate,
    folder: Path,
    config: FitConfig,
    workers: int = 1,
    processes: int | None = None,
) -> Figures:
    """Train `network` in place and load its best averaged weights into it.

    Args:
        objective: (network, batch) -> named losses, summed; its own parameters are trained too.
        batches: steps, seed, rank and world, by name, -> the batch of every step.
        validate: network -> figures; the weights with the highest "val_score" are kept.
        folder: the fit folder, see `fit_state`; it is resumed if begun, and loaded if finished.
        workers: processes that prepare batches.
        processes: that the run began with, if it is resumed with others; a step's batches stay.

    Returns:
        The step and the figures of the best validation.

    Raises:
        FacegaugeError: a loss is not finite.
        UsageError: the processes of this run cannot share a step's batches.
    """
    done = finished(folder)
    if done is not None:
        load_best(folder, network)
        return done

    torch.manual_seed(config.seed)
    process = this_process()
    each = batches_of_each(config.accumulate, processes or process.num_processes)
    learner = Learner(folder.name, network, objective, config, batches=each)
    state = FitState(folder, network, objective, learner.optimisers, learner.scaler)
    if state.resume():
        logger.info("%s: resumed at step %d", folder.name, state.step)
    views = Shares(batches, config.steps, config.seed, each)
    main, clock = process.is_main_process, Clock(state.step)
    log = Log(folder / "log.jsonl", state.step, writes=main)
    memory = KeptMemory()

    learner.task.train()
    for step, own in numbered(views, state.step, workers, f"training {folder.name}"):
        lr = rate(step, config)
        losses = learner.step(step, own, lr)
        update_ema(state.ema, network, config.ema_decay, step)
        memory.look()

        state.step, last = step + 1, step + 1 == config.steps
        if last or state.step % config.log_every == 0:
            row = {name: round(value.item(), 5) for name, value in losses.items()}
            row["steps_per_s"] = clock.steps_per_second(state.step)
            log.write({"step": state.step, "lr": lr, **row})
        if last or state.step % config.validate_every == 0:
            judge(state, validate, log, config)
            learner.task.train()
            clock = Clock(state.step)
        if main and (last or state.step % config.save_every == 0):
            state.save()
        if is_tired(state, config):
            logger.info("%s: no better validation since step %d", folder.name, state.best["step"])
            break

    process.wait_for_everyone()
    load_best(folder, network)
    if main:
        state.finish()
    give_back_freed()
    return state.best


def numbered(
    views: Shares, done: int, workers: int, what: str
) -> Iterator[tuple[int, list[Batch]]]:
    """The steps that are left, with this process's batches; shown as `what`."""
    each, left = views.each, range(done, views.steps)
    made = iter(loader(views, range(done * each, len(views)), workers))
    steps = ((step, [next(made) for _ in range(each)]) for step in left)
    return track(steps, what, total=views.steps, unit="steps", done=done)


def rate(step: int, config: FitConfig) -> float:
    """The learning rate of a step: linear warm-up, then down by the schedule."""
    if step < config.warmup:
        return config.lr * (step + 1) / config.warmup
    done = (step - config.warmup) / max(1, config.steps - config.warmup)
    if config.schedule == "cosine":
        return config.lr * (0.01 + 0.99 * (1 + math.cos(math.pi * done)) / 2)
    return config.lr * 0.1 ** int(3 * done) if config.schedule == "step" else config.lr


def judge(state: FitState, validate: Validate, log: Log, config: FitConfig) -> None:
    """Validate the averaged weights, log the figures, and keep the weights if they are the best."""
    broadcast(state.ema)  # the statistics of batch norms differ between processes
    figures = validated(state.network, state.ema, validate)
    log.write({"step": state.step, **figures})
    name = state.folder.name
    logger.info("%s: step %d/%d %s", name, state.step, config.steps, shown(figures))
    if state.is_best(figures) and log.writes:
        state.save_best()


def is_tired(state: FitState, config: FitConfig) -> bool:
    """Whether so many validations passed without a better one that training ends."""
    since = state.step - state.best.get("step", state.step)
    return bool(config.patience) and since >= config.patience * config.validate_every


def shown(figures: Figures) -> str:
    return " ".join(f"{name} {value:.4f}" for name, value in figures.items())


def validated(network: nn.Module, weights: dict[str, Tensor], validate: Validate) -> Figures:
    """Figures of the network with other weights; its own are put back."""
    own = {name: value.clone() for name, value in network.state_dict().items()}
    network.load_state_dict(weights)
    network.eval()
    figures = validate(network)
    network.load_state_dict(own)
    return figures


class Clock:
    """Training speed since the last row of the log; validations do not count."""

    def __init__(self, step: int) -> None:
        self.step, self.started = step, time.monotonic()

    def steps_per_second(self, step: int) -> float:
        speed = (step - self.step) / (time.monotonic() - self.started)
        self.step, self.started = step, time.monotonic()
        return speed
