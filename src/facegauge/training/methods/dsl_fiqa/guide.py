"""Landmarks as a map over the tokens, for DSL-FIQA's confidence head (arXiv 2406.09622)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class LandmarkGuide(nn.Module):
    """Landmark numbers to one channel over the tokens, 0..1, by a small network.

    Args:
        grid: (h, w) of the tokens.
        count: landmark numbers.
        frequencies: of their positional encoding.
        width: hidden.
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
        channel: Tensor = self.mlp(encoded(landmarks, self.frequencies))
        return channel.view(-1, 1, *self.grid)


def encoded(values: Tensor, frequencies: int) -> Tensor:
    """Positional encoding: each number, and its sine and cosine at 1, 2, 4, ... radians a unit.

    Args:
        values: (N, L).

    Returns:
        (N, L * (1 + 2 * frequencies)): all numbers, all sines at 1, all cosines at 1, and so on.
    """
    parts = [values]
    for power in range(frequencies):
        parts += [torch.sin(values * 2.0**power), torch.cos(values * 2.0**power)]
    return torch.cat(parts, 1)
