"""What DSL-FIQA says of a picture, place by place, and the heads that say it (arXiv 2406.09622)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

EPSILON = 1e-6  # least mean confidence that is divided by


class Assessment(NamedTuple):
    """What the network says of N pictures.

    Attributes:
        score: (N,), the mean of `quality`, weighted by `confidence`.
        quality: (N, h, w), at least 0.
        confidence: (N, h, w), 0..1.
    """

    score: Tensor
    quality: Tensor
    confidence: Tensor

    @property
    def heat_map(self) -> Tensor:
        """(N, h, w), whose means are the scores.

        A place has its quality times its share of the confidence, times the number of places.
        """
        mean = self.confidence.mean((1, 2), keepdim=True).clamp(min=EPSILON)
        return self.quality * (self.confidence / mean)


def weighted(quality: Tensor, confidence: Tensor) -> Tensor:
    """Mean of the quality (N, h, w), weighted by the confidence (N, h, w): (N,)."""
    total = (quality * confidence).mean((1, 2))
    return total / confidence.mean((1, 2)).clamp(min=EPSILON)


def head(channels: int, last: nn.Module, bias: float, dropout: float) -> nn.Sequential:
    """Two linear layers on every token, (..., channels) -> (..., 1), that start close to `bias`."""
    out = nn.Linear(channels, 1)
    nn.init.normal_(out.weight, std=0.01)
    nn.init.constant_(out.bias, bias)
    first = nn.Linear(channels, channels)
    return nn.Sequential(first, nn.ReLU(), nn.Dropout(dropout), out, last)


def placed(head: nn.Module, maps: Tensor) -> Tensor:
    """A head's values (N, h, w) at the tokens (N, C, h, w)."""
    values: Tensor = head(maps.permute(0, 2, 3, 1))
    return values.squeeze(3)


class SteepSigmoid(nn.Module):
    """Values of any shape to 0..1: the sigmoid of `gain` times the value."""

    def __init__(self, gain: float) -> None:
        super().__init__()
        self.gain = gain

    def forward(self, x: Tensor) -> Tensor:
        return torch.sigmoid(self.gain * x)
