"""What a fit keeps on disk: its state to resume from, the best weights, and the log of its losses.

A fit folder holds `log.jsonl` (losses and validations), `best.safetensors` (the averaged weights
that validated best), until the end `state.pt` (all that a resumed fit needs), and then `done.json`
(the figures of the best validation).
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.amp import GradScaler
from torch.optim import Optimizer

from facegauge.errors import UsageError

Figures = dict[str, float]


class FitState:
    """The state of one fit: network, objective, optimisers, averaged weights and best figures.

    Args:
        folder: the fit folder; it is made.
        network, objective: on the device that they train on.
        optimisers: theirs.
        scaler: of losses in float16.

    Attributes:
        ema: the exponential moving average of the network's weights, by name.
        step: steps done.
        best: `step` and figures of the best validation so far; empty before the first.
    """

    def __init__(
        self,
        folder: Path,
        network: nn.Module,
        objective: nn.Module,
        optimisers: Sequence[Optimizer],
        scaler: GradScaler,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.network, self.objective = folder, network, objective
        self.optimisers, self.scaler = list(optimisers), scaler
        self.ema = {name: value.clone() for name, value in network.state_dict().items()}
        self.step = 0
        self.best: Figures = {}

    def resume(self) -> bool:
        """Load `state.pt`, if there is one; whether there was.

        Raises:
            UsageError: version 0.1 wrote it.
        """
        file = self.folder / "state.pt"
        if not file.exists():
            return False
        state = torch.load(file, map_location="cpu", weights_only=True)
        if "ema" not in state:
            raise UsageError(
                f"{file} was written by version 0.1, whose unfinished parts cannot be resumed; "
                f"delete {self.folder} to train this part anew"
            )
        self.network.load_state_dict(state["network"])
        self.objective.load_state_dict(state["objective"])
        for optimiser, kept in zip(self.optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(kept)
        if scale := state.get("scaler"):  # empty in other precisions
            self.scaler.load_state_dict(scale)
        self.ema = {name: value.to(self.ema[name].device) for name, value in state["ema"].items()}
        self.step, self.best = state["step"], state["best"]
        return True

    def save(self) -> None:
        """Write `state.pt`, whole or not at all."""
        state = {
            "network": self.network.state_dict(),
            "objective": self.objective.state_dict(),
            "optimisers": [optimiser.state_dict() for optimiser in self.optimisers],
            "scaler": self.scaler.state_dict(),
            "ema": self.ema,
            "step": self.step,
            "best": self.best,
        }
        partial, buffer = self.folder / "state.partial", io.BytesIO()
        torch.save(state, buffer)  # which has no clear error for a full disk
        partial.write_bytes(buffer.getbuffer())
        partial.replace(self.folder / "state.pt")

    def is_best(self, figures: Figures) -> bool:
        """Note the figures of a validation if they are the best so far; whether they are."""
        before = self.best.get("val_score", math.nan)
        if not (math.isnan(before) or figures["val_score"] > before):
            return False
        self.best = {"step": self.step, **figures}
        return True

    def save_best(self) -> None:
        """Write the averaged weights as `best.safetensors`."""
        from safetensors.torch import save

        weights = {name: value.contiguous() for name, value in self.ema.items()}
        partial = self.folder / "best.partial"
        partial.write_bytes(save(weights))
        partial.replace(self.folder / "best.safetensors")

    def finish(self) -> None:
        """Write `done.json`; the state to resume from is no longer needed."""
        (self.folder / "done.json").write_text(json.dumps(self.best))
        (self.folder / "state.pt").unlink(missing_ok=True)


def finished(folder: Path) -> Figures | None:
    """The figures of a finished fit; None if the folder holds none."""
    file = folder / "done.json"
    return dict(json.loads(file.read_text())) if file.exists() else None


def load_best(folder: Path, network: nn.Module) -> None:
    """Load the weights that validated best."""
    from safetensors.torch import load_file

    network.load_state_dict(load_file(folder / "best.safetensors"))


@torch.no_grad()
def update_ema(ema: dict[str, Tensor], network: nn.Module, decay: float, step: int) -> None:
    """Move the averaged weights towards the network's.

    Args:
        decay: of the average; in early steps (1 + step) / (10 + step), if that is less.
    """
    decay = min(decay, (1 + step) / (10 + step))
    for name, value in network.state_dict().items():
        if value.is_floating_point():
            ema[name].lerp_(value, 1 - decay)
        else:
            ema[name].copy_(value)


class Log:
    """Rows of JSON, one a line; rows after the step that a fit is resumed from are dropped.

    Args:
        step: steps done when the fit was resumed.
        writes: whether this process writes; only the main one of a run does.
    """

    def __init__(self, file: Path, step: int, writes: bool) -> None:
        self.file, self.writes = file, writes
        if not writes:
            return
        kept: list[dict[str, Any]] = []
        if file.exists():
            for line in file.read_text().splitlines():
                try:
                    row = json.loads(line)
                except json.JSONDecodeError:
                    continue  # cut short by a kill
                if row["step"] <= step:
                    kept.append(row)
        file.write_text("".join(json.dumps(row) + "\n" for row in kept))

    def write(self, row: dict[str, Any]) -> None:
        if self.writes:
            with self.file.open("a") as file:
                file.write(json.dumps(row) + "\n")
