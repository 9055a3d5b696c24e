"""Landmark guidance: landmarks as a map over the tokens, for the heads (arXiv 2406.09622)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class LandmarkGuide(nn.Module):
    """A landmark vector to one channel over the tokens, 0..1, by an MLP.

    Args:
        grid: (h, w) of the tokens.
        count: length of the landmark vector.
        frequencies: of its positional encoding.
        width: of the hidden layer.
        dropout: probability, behind the hidden layer.
    """

    def __init__(
        self, grid: Sequence[int], count: int, frequencies: int, width: int, *, dropout: float
    ) -> None:
        super().__init__()
        self.grid, self.count, self.frequencies = tuple(grid), count, frequencies
        self.mlp = nn.Sequential(
            nn.Linear(count * (1 + 2 * frequencies), width),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(width, grid[0] * grid[1]),
            nn.Sigmoid(),
        )

    def forward(self, landmarks: Tensor) -> Tensor:
        """(N, count) to (N, 1, h, w)."""
        channel: Tensor = self.mlp(positional_encoding(landmarks, self.frequencies))
        return channel.view(-1, 1, *self.grid)


def positional_encoding(values: Tensor, frequencies: int) -> Tensor:
    """Each value with its sines and cosines, the value scaled by 1, 2, 4, ... (in radians).

    Args:
        values: (N, L).
        frequencies: number of scales.

    Returns:
        (N, L * (1 + 2 * frequencies)): all values, all sines at scale 1, all cosines at scale 1,
        all sines at scale 2, and so on.
    """
    parts = [values]
    for power in range(frequencies):
        parts += [torch.sin(values * 2.0**power), torch.cos(values * 2.0**power)]
    return torch.cat(parts, 1)
