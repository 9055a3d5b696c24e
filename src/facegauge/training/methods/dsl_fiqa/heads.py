"""The two heads of DSL-FIQA and what they give: quality and confidence in every cell of a grid.

Source: arXiv 2406.09622. The score is the mean of the quality, weighted by the confidence.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

EPSILON = 1e-6  # smallest mean confidence that is divided by


class Assessment(NamedTuple):
    """The network's outputs for N pictures.

    Attributes:
        score: (N,), the mean of `quality`, weighted by `confidence`.
        quality: (N, h, w), 0 or more.
        confidence: (N, h, w), 0..1.
    """

    score: Tensor
    quality: Tensor
    confidence: Tensor

    @property
    def heat_map(self) -> Tensor:
        """(N, h, w), whose means are the scores.

        A cell's value is its quality times its share of the confidence, times the number of cells.
        """
        mean = self.confidence.mean((1, 2), keepdim=True).clamp(min=EPSILON)
        return self.quality * (self.confidence / mean)


def weighted_mean(quality: Tensor, confidence: Tensor) -> Tensor:
    """Mean of the quality (N, h, w), weighted by the confidence (N, h, w): (N,)."""
    total = (quality * confidence).mean((1, 2))
    return total / confidence.mean((1, 2)).clamp(min=EPSILON)


def create_head(channels: int, activation: nn.Module, bias: float, dropout: float) -> nn.Sequential:
    """Two linear layers on every token, (..., channels) -> (..., 1), initialised close to `bias`.

    Args:
        channels: of a token; also the hidden width.
        activation: of the output.
        bias: of the output, before its activation.
        dropout: probability, behind the hidden layer.
    """
    out = nn.Linear(channels, 1)
    nn.init.normal_(out.weight, std=0.01)
    nn.init.constant_(out.bias, bias)
    first = nn.Linear(channels, channels)
    return nn.Sequential(first, nn.ReLU(), nn.Dropout(dropout), out, activation)


def apply_head(head: nn.Module, maps: Tensor) -> Tensor:
    """A head's values (N, h, w) at the tokens (N, C, h, w)."""
    values: Tensor = head(maps.permute(0, 2, 3, 1))
    return values.squeeze(3)


class SteepSigmoid(nn.Module):
    """The sigmoid of `gain` times the value: any shape to 0..1."""

    def __init__(self, gain: float) -> None:
        super().__init__()
        self.gain = gain

    def forward(self, x: Tensor) -> Tensor:
        return torch.sigmoid(self.gain * x)
