"""What moves the weights: AdamW, or Muon for the matrices and AdamW for the rest."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from torch.optim import AdamW, Optimizer

from facegauge.errors import UsageError


def adamw(
    network: nn.Module, weights: list[nn.Parameter], lr: float, weight_decay: float
) -> list[Optimizer]:
    """AdamW for all `weights`, of the network or not; single values and vectors do not decay."""
    groups = [
        {"params": [p for p in weights if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in weights if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return [AdamW(groups, lr)]


def muon(
    network: nn.Module, weights: list[nn.Parameter], lr: float, weight_decay: float
) -> list[Optimizer]:
    """Muon for the matrices of the network's linear layers, AdamW for all other `weights`.

    Muon (K. Jordan, 2024) makes every update of a matrix near orthogonal, here at the size that
    AdamW's would have, so that one rate serves both. A last layer of a single row and convolutions
    are left to AdamW.

    Raises:
        UsageError: torch is older than 2.9 and has no Muon, or the network has no such matrix.
    """
    if not hasattr(torch.optim, "Muon"):
        raise UsageError(f"muon needs torch 2.9 or later, this is {torch.__version__}")
    own = {id(weight) for weight in network.parameters()}
    matrices = [p for p in weights if id(p) in own and p.ndim == 2 and min(p.shape) > 1]
    if not matrices:
        raise UsageError("muon needs linear layers, and this network has none; use adamw")
    taken = {id(matrix) for matrix in matrices}
    rest = [weight for weight in weights if id(weight) not in taken]
    first = torch.optim.Muon(
        matrices, lr, weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw"
    )
    return [first, *adamw(network, rest, lr, weight_decay)]


Maker = Callable[[nn.Module, list[nn.Parameter], float, float], list[Optimizer]]

OPTIMISERS: dict[str, Maker] = {"adamw": adamw, "muon": muon}
