"""Optimisers: AdamW, Adam; or Muon for the matrices of linear layers, AdamW for the rest."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from torch.optim import Adam, AdamW, Optimizer

from facegauge.errors import UsageError


def adamw(
    network: nn.Module, weights: list[nn.Parameter], lr: float, weight_decay: float
) -> list[Optimizer]:
    """AdamW for all weights; scalars and vectors have no weight decay.

    Args:
        network: not read; `muon` needs it.
        weights: of the network and of the objective.
        lr: peak learning rate.
        weight_decay: of weights with two or more dimensions.
    """
    groups = [
        {"params": [p for p in weights if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in weights if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return [AdamW(groups, lr)]


def muon(
    network: nn.Module, weights: list[nn.Parameter], lr: float, weight_decay: float
) -> list[Optimizer]:
    """Muon for the matrices of the network's linear layers, AdamW for all other `weights`.

    Muon (K. Jordan, 2024) makes every update of a matrix nearly orthogonal, here with the size of
    AdamW's update, so that both share a learning rate. A last layer with a single row and
    convolutions are left to AdamW.

    Args:
        network: whose matrices Muon takes.
        weights: of the network and of the objective.
        lr: peak learning rate.
        weight_decay: of weights with two or more dimensions.

    Raises:
        UsageError: torch is older than 2.9, or the network has no such matrix.
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


def adam(
    network: nn.Module, weights: list[nn.Parameter], lr: float, weight_decay: float
) -> list[Optimizer]:
    """Adam for all weights, with the weight decay as a part of every gradient, as torch has it.

    Args:
        network: not read; `muon` needs it.
        weights: of the network and of the objective.
        lr: peak learning rate.
        weight_decay: of all weights.
    """
    return [Adam(weights, lr, weight_decay=weight_decay)]


Maker = Callable[[nn.Module, list[nn.Parameter], float, float], list[Optimizer]]

OPTIMISERS: dict[str, Maker] = {"adamw": adamw, "adam": adam, "muon": muon}
