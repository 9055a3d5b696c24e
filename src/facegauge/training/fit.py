"""One flat training loop on accelerate: network + objective + batches -> a fit folder; resumes."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.data import Dataset

from facegauge.errors import FacegaugeError
from facegauge.progress import track
from facegauge.training.devices import computes_bfloat16, this_process
from facegauge.training.fit_state import Figures, FitState, Log, finished, load_best, update_ema
from facegauge.training.inputs.views import Batch, loader
from facegauge.training.optimisers import OPTIMISERS
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
) -> Figures:
    """Train `network` in place and load its best averaged weights into it.

    Args:
        objective: (network, batch) -> named losses, summed; its own parameters are trained too.
        batches: steps, seed, rank and world, by name, -> the batch of every step.
        validate: network -> figures; the weights with the highest "val_score" are kept.
        folder: the fit folder, see `fit_state`; it is resumed if begun, and loaded if finished.
        workers: processes that prepare batches.

    Returns:
        The step and the figures of the best validation.

    Raises:
        FacegaugeError: a loss is not finite.
    """
    done = finished(folder)
    if done is not None:
        load_best(folder, network)
        return done

    torch.manual_seed(config.seed)
    process = this_process()
    autocast = in_bfloat16(config, process.device, folder.name)
    network.to(process.device).to(memory_format=torch.channels_last)
    objective.to(process.device)
    weights = [p for p in (*network.parameters(), *objective.parameters()) if p.requires_grad]
    optimisers = OPTIMISERS[config.optimiser](network, weights, config.lr, config.weight_decay)
    state = FitState(folder, network, objective, optimisers)
    if state.resume():
        logger.info("%s: resumed at step %d", folder.name, state.step)
    task, *optimisers = process.prepare(Task(network, objective), *optimisers)
    views = batches(
        steps=config.steps,
        seed=config.seed,
        rank=process.process_index,
        world=process.num_processes,
    )
    main, clock = process.is_main_process, Clock(state.step)
    log = Log(folder / "log.jsonl", state.step, writes=main)

    task.train()
    for step, batch in numbered(
        views, state.step, config.steps, workers, f"training {folder.name}"
    ):
        lr = set_rate(optimisers, rate(step, config))
        torch.manual_seed(config.seed * 1_000_003 + step)  # dropout, if the network has any
        on_device = {name: value.to(process.device) for name, value in batch.items()}
        # not accelerate's own, which one process cannot have in two precisions
        with torch.autocast(process.device.type, torch.bfloat16, enabled=autocast):
            losses = task(on_device)
        loss = finite(torch.stack(list(losses.values())).sum(), step, folder.name)
        process.backward(loss)
        process.clip_grad_norm_(weights, config.clip)
        for optimiser in optimisers:
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        update_ema(state.ema, network, config.ema_decay, step)

        state.step, last = step + 1, step + 1 == config.steps
        if last or state.step % config.log_every == 0:
            row = {name: round(value.item(), 5) for name, value in losses.items()}
            row["steps_per_s"] = clock.steps_per_second(state.step)
            log.write({"step": state.step, "lr": lr, **row})
        if last or state.step % config.validate_every == 0:
            judge(state, validate, log, config)
            task.train()
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
    return state.best


def numbered(
    views: Dataset[Batch], done: int, steps: int, workers: int, what: str
) -> Iterator[tuple[int, Batch]]:
    """The steps that are left, with their batches; shown as `what`."""
    left = range(done, steps)
    made = zip(left, loader(views, left, workers), strict=True)
    return track(made, what, total=steps, unit="steps", done=done)


def rate(step: int, config: FitConfig) -> float:
    """The learning rate of a step: linear warm-up, then cosine down to lr / 100."""
    if step < config.warmup:
        return config.lr * (step + 1) / config.warmup
    done = (step - config.warmup) / max(1, config.steps - config.warmup)
    return config.lr * (0.01 + 0.99 * (1 + math.cos(math.pi * done)) / 2)


def judge(state: FitState, validate: Validate, log: Log, config: FitConfig) -> None:
    """Validate the averaged weights, log the figures, and keep the weights if they are the best."""
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


def set_rate(optimisers: Sequence[Optimizer], lr: float) -> float:
    """Give all weights this learning rate, which is returned."""
    for optimiser in optimisers:
        for group in optimiser.param_groups:
            group["lr"] = lr
    return lr


def in_bfloat16(config: FitConfig, device: torch.device, name: str) -> bool:
    """Whether a fit computes in bfloat16; a CPU that only emulates it is warned of."""
    if config.precision == "bf16" and not computes_bfloat16(device):
        logger.warning('%s: this CPU emulates bfloat16; precision = "fp32" is faster here', name)
    return config.precision == "bf16"


def finite(loss: Tensor, step: int, name: str) -> Tensor:
    """The loss as it is.

    Raises:
        FacegaugeError: it is not a number.
    """
    if not torch.isfinite(loss):
        raise FacegaugeError(
            f"the loss became {loss.item()} at step {step} of {name}; lower lr, or set precision "
            "to fp32, and continue with --resume"
        )
    return loss


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


class Task(nn.Module):
    """Network and objective as one module, which is what DDP wraps."""

    def __init__(self, network: nn.Module, objective: nn.Module) -> None:
        super().__init__()
        self.network, self.objective = network, objective

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        losses: dict[str, Tensor] = self.objective(self.network, batch)
        return losses


class Clock:
    """Training speed since the last row of the log; validations do not count."""

    def __init__(self, step: int) -> None:
        self.step, self.started = step, time.monotonic()

    def steps_per_second(self, step: int) -> float:
        speed = (step - self.step) / (time.monotonic() - self.started)
        self.step, self.started = step, time.monotonic()
        return speed
