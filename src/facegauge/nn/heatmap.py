"""Heat maps: where in the frame a score comes from. The plain mean over the places is the score.

A linear head on average-pooled maps gives the mean of what it would give at every place alone. So
these maps are exact and cost next to nothing; they are ours, no paper asks for them. A place sees
its surroundings too, so a map says which features raise or lower the score, not which pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor


@runtime_checkable
class Explains(Protocol):
    """A network that has heat maps."""

    def explain(self, x: Tensor) -> Tensor:
        """(N, 3, H, W), normalised, to heat maps (N, h, w); their means are the scores."""
        ...


def overlaps(cells: int, grid: int) -> Tensor:
    """How the cells of one even division of a length share in the cells of another.

    Returns:
        (grid, cells) float64: entry [i, j] is the share of cell i of the grid that cell j covers.
        Rows sum to 1 and columns to grid / cells, so that a mean over the cells is kept.
    """
    first = torch.arange(grid).unsqueeze(1) * cells  # the length is grid * cells
    begin = torch.arange(cells) * grid
    shared = torch.minimum(first + cells, begin + grid) - torch.maximum(first, begin)
    return shared.clamp(min=0).double() / cells


def remapped(maps: Tensor, grid: Sequence[int]) -> Tensor:
    """(..., h, w) on another grid, (..., *grid), by shared areas: every map keeps its mean.

    Both grids are taken to cover the same frame evenly. The sizes become constants when traced.
    """
    have, want = [int(size) for size in maps.shape[-2:]], [int(size) for size in grid]
    if have == want:
        return maps
    rows, columns = (
        overlaps(cells, count).to(maps.dtype).to(maps.device)
        for cells, count in zip(have, want, strict=True)
    )
    return rows @ maps @ columns.T
