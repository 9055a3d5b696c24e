"""One flat training loop on accelerate: network + objective + batches -> a fit folder; resumes.

A fit folder holds `log.jsonl` (losses and validations), `best.safetensors` (the averaged weights
that validated best) and, until the end, `state.pt` (everything needed to go on).
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from facegauge.errors import FacegaugeError, UsageError
from facegauge.training.devices import computes_bfloat16, this_process
from facegauge.training.inputs.views import Batch, loader
from facegauge.training.optimisers import OPTIMISERS

Validate = Callable[[nn.Module], dict[str, float]]


@dataclass(frozen=True, slots=True)
class FitSettings:
    """Numbers of one fit.

    Attributes:
        steps: optimiser steps; a batch each.
        lr: peak learning rate; linear warm-up, then cosine to a hundredth of it.
        warmup: steps of warm-up.
        optimiser: "adamw"; or "muon" for the network's matrices, and AdamW for all else.
        average: decay of the exponential weight average that is validated and kept; 0: none.
        precision: "no", float32 throughout; or "bf16", bfloat16 where torch's autocast takes it.
        validate_every, save_every: steps; the last step always validates.
    """

    steps: int
    lr: float
    weight_decay: float = 0.01
    warmup: int = 100
    optimiser: str = "adamw"
    average: float = 0.998
    precision: str = "no"
    validate_every: int = 500
    save_every: int = 200
    log_every: int = 50
    seed: int = 0
    workers: int = 1
    clip: float = 5.0

    def __post_init__(self) -> None:
        if self.precision not in ("no", "bf16"):
            raise UsageError(f"expected precision to be no or bf16, got {self.precision!r}")
        if self.optimiser not in OPTIMISERS:
            known = " or ".join(OPTIMISERS)
            raise UsageError(f"expected optimiser to be {known}, got {self.optimiser!r}")
        for name in ("validate_every", "save_every", "log_every"):
            if getattr(self, name) < 1:
                raise UsageError(f"expected {name} to be 1 or more, got {getattr(self, name)}")


def rate(step: int, settings: FitSettings) -> float:
    """The learning rate of a step: linear warm-up, then cosine down to lr / 100."""
    if step < settings.warmup:
        return settings.lr * (step + 1) / settings.warmup
    done = (step - settings.warmup) / max(1, settings.steps - settings.warmup)
    return settings.lr * (0.01 + 0.99 * (1 + math.cos(math.pi * done)) / 2)


def fit(  # noqa: PLR0912, PLR0915  one flat loop
    network: nn.Module,
    objective: nn.Module,
    batches: Callable[..., Dataset[Batch]],
    *,
    validate: Validate,
    folder: Path,
    settings: FitSettings,
    say: Callable[[str], None] = print,
) -> dict[str, float]:
    """Train `network` in place and load its best averaged weights into it.

    Args:
        objective: (network, batch) -> named losses, summed; its own parameters are trained too.
        batches: steps, seed, rank and world, by name, -> the batch of every step.
        validate: network -> figures; the highest "criterion" is kept.
        folder: the fit folder; a `state.pt` in it is gone on from, a finished fit is loaded.

    Returns:
        The figures of the best validation.

    Raises:
        FacegaugeError: a loss is not finite.
    """
    from safetensors.torch import load_file, save_file

    folder.mkdir(parents=True, exist_ok=True)
    state_file, best_file = folder / "state.pt", folder / "best.safetensors"
    done_file = folder / "done.json"
    if done_file.exists():
        network.load_state_dict(load_file(best_file))
        return dict(json.loads(done_file.read_text()))

    torch.manual_seed(settings.seed)
    accelerator = this_process()
    low = settings.precision == "bf16"
    if low and not computes_bfloat16(accelerator.device):
        say(f'{folder.name}: this CPU only imitates bfloat16; precision = "no" is faster here')
    network.to(accelerator.device).to(memory_format=torch.channels_last)
    objective.to(accelerator.device)
    weights = [p for p in (*network.parameters(), *objective.parameters()) if p.requires_grad]
    optimisers = OPTIMISERS[settings.optimiser](
        network, weights, settings.lr, settings.weight_decay
    )
    average = {name: value.clone() for name, value in network.state_dict().items()}
    first, best = 0, {"criterion": -math.inf}
    if state_file.exists():
        state = torch.load(state_file, map_location="cpu", weights_only=True)
        network.load_state_dict(state["network"])
        objective.load_state_dict(state["objective"])
        for optimiser, kept in zip(optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(kept)
        average = {name: value.to(accelerator.device) for name, value in state["average"].items()}
        first, best = state["step"], state["best"]
        say(f"{folder.name}: going on from step {first}")
    task, *optimisers = accelerator.prepare(Task(network, objective), *optimisers)
    steps = batches(
        steps=settings.steps,
        seed=settings.seed,
        rank=accelerator.process_index,
        world=accelerator.num_processes,
    )
    main = accelerator.is_main_process
    log = Log(folder / "log.jsonl", first, writes=main)

    task.train()
    started, mark = time.monotonic(), first
    ahead = range(first, settings.steps)
    for step, views in zip(ahead, loader(steps, ahead, settings.workers), strict=True):
        for optimiser in optimisers:
            for group in optimiser.param_groups:
                group["lr"] = rate(step, settings)
        torch.manual_seed(settings.seed * 1_000_003 + step)  # dropout, if the network has any
        batch = {name: value.to(accelerator.device) for name, value in views.items()}
        # not accelerate's own, which one process cannot have in two precisions
        with torch.autocast(accelerator.device.type, torch.bfloat16, enabled=low):
            losses = task(batch)
        loss = torch.stack(list(losses.values())).sum()
        if not torch.isfinite(loss):
            raise FacegaugeError(
                f"the loss became {loss.item()} at step {step} of {folder.name}; "
                "lower lr, or set precision to no, and go on with --resume"
            )
        accelerator.backward(loss)
        accelerator.clip_grad_norm_(weights, settings.clip)
        for optimiser in optimisers:
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        update_average(average, network, settings.average, step)

        now, last = step + 1, step + 1 == settings.steps
        if now % settings.log_every == 0 or last:
            speed = (now - mark) / (time.monotonic() - started)
            row = {name: round(value.item(), 5) for name, value in losses.items()}
            log.write({"step": now, "lr": rate(step, settings), **row, "steps_per_s": speed})
            started, mark = time.monotonic(), now
        if now % settings.validate_every == 0 or last:
            figures = with_weights(network, average, validate)
            log.write({"step": now, **figures})
            if main:
                shown = " ".join(f"{k} {v:.4f}" for k, v in figures.items())
                say(f"{folder.name}: step {now}/{settings.steps} {shown}")
            none_kept = "step" not in best or math.isnan(best["criterion"])
            if none_kept or figures["criterion"] > best["criterion"]:
                best = {"step": now, **figures}
                if main:
                    save_file({k: v.contiguous() for k, v in average.items()}, best_file)
            task.train()
            started, mark = time.monotonic(), now
        if main and (now % settings.save_every == 0 or last):
            state = {
                "network": network.state_dict(),
                "objective": objective.state_dict(),
                "optimisers": [optimiser.state_dict() for optimiser in optimisers],
                "average": average,
                "step": now,
                "best": best,
            }
            partial = state_file.with_suffix(".partial")
            torch.save(state, partial)
            partial.replace(state_file)

    accelerator.wait_for_everyone()
    network.load_state_dict(load_file(best_file))
    if main:
        done_file.write_text(json.dumps(best))
        state_file.unlink(missing_ok=True)
    return best


class Task(nn.Module):
    """Network and objective as one module, which is what DDP wraps."""

    def __init__(self, network: nn.Module, objective: nn.Module) -> None:
        super().__init__()
        self.network, self.objective = network, objective

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        losses: dict[str, Tensor] = self.objective(self.network, batch)
        return losses


@torch.no_grad()
def update_average(average: dict[str, Tensor], network: nn.Module, decay: float, step: int) -> None:
    """Move the average towards the network; early steps count for more."""
    decay = min(decay, (1 + step) / (10 + step))
    for name, value in network.state_dict().items():
        if value.is_floating_point():
            average[name].lerp_(value, 1 - decay)
        else:
            average[name].copy_(value)


def with_weights(
    network: nn.Module, weights: dict[str, Tensor], validate: Validate
) -> dict[str, float]:
    """Validate under other weights, then put the network's own back."""
    own = {name: value.clone() for name, value in network.state_dict().items()}
    network.load_state_dict(weights)
    network.eval()
    figures = validate(network)
    network.load_state_dict(own)
    return figures


class Log:
    """Rows of JSON, one a line; rows after the step that is gone on from are dropped."""

    def __init__(self, path: Path, first: int, writes: bool) -> None:
        self.path, self.writes = path, writes
        if not writes:
            return
        kept: list[dict[str, Any]] = []
        if path.exists():
            for line in path.read_text().splitlines():
                try:
                    row = json.loads(line)
                except json.JSONDecodeError:
                    continue  # cut short by a kill
                if row["step"] <= first:
                    kept.append(row)
        path.write_text("".join(json.dumps(row) + "\n" for row in kept))

    def write(self, row: dict[str, Any]) -> None:
        if not self.writes:
            return
        with self.path.open("a") as file:
            file.write(json.dumps(row) + "\n")
