"""Heat maps of scores, whose mean over all cells is the score.

A linear head on average-pooled feature maps equals the mean of the head applied to every cell, as
in class activation mapping (Zhou et al., CVPR 2016). So these heat maps are exact and cheap. Each
cell has a large receptive field: a heat map shows which region's features raise or lower the
score, not which pixels do.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn


@runtime_checkable
class Explainable(Protocol):
    """A network with heat maps."""

    def explain(self, x: Tensor) -> Tensor:
        """Map normalised pictures (N, 3, H, W) to heat maps (N, h, w), whose means are scores."""
        ...


@runtime_checkable
class HasMaps(Protocol):
    """A network that gives several maps beside its scores."""

    def outputs(self, x: Tensor, guide: Tensor | None = None) -> dict[str, Tensor]:
        """Scores and maps by name.

        Args:
            x: (N, 3, H, W), normalised.
            guide: (N, 10) landmarks or (N, 1) sizes, for a network that uses them; None: unknown.

        Returns:
            `score` (N,); `heat_map` (N, h, w), whose means are the scores; other maps (N, h, w).
        """
        ...


def network_outputs(network: nn.Module, image: Tensor, *guide: Tensor) -> dict[str, Tensor]:
    """The scores (N,) of a network and whatever maps (N, h, w) it has, by name.

    Args:
        network: (N, 3, H, W) and, if it uses them, (N, 10) landmarks or (N, 1) sizes to (N,).
    """
    if isinstance(network, HasMaps):
        return network.outputs(image, *guide)
    if isinstance(network, Explainable):
        # The score is taken from the map: onnxruntime runs the whole graph even where only the
        # score is asked for, so a map beside the pooled head would cost time at every score.
        heat = network.explain(image)
        return {"score": heat.mean((1, 2)), "heat_map": heat}
    return {"score": network(image, *guide).reshape(-1)}


def overlap_fractions(source: int, target: int) -> Tensor:
    """Overlaps of the cells of two even divisions of one length.

    Args:
        source: number of source cells.
        target: number of target cells.

    Returns:
        (target, source) float64: entry [i, j] is the fraction of target cell i that source cell j
        covers. Rows sum to 1 and columns to target / source, so that the mean is preserved.
    """
    target_start = torch.arange(target).unsqueeze(1) * source  # the length is target * source
    source_start = torch.arange(source) * target
    end = torch.minimum(target_start + source, source_start + target)
    return (end - torch.maximum(target_start, source_start)).clamp(min=0).double() / source


def resize_area(maps: Tensor, size: Sequence[int]) -> Tensor:
    """Resample maps by overlapping areas, which preserves the mean of every map.

    Args:
        maps: (..., h, w).
        size: height and width of the result. Both become constants when the network is traced.

    Returns:
        (..., *size).
    """
    source, target = [int(side) for side in maps.shape[-2:]], [int(side) for side in size]
    if source == target:
        return maps
    rows, columns = (
        overlap_fractions(have, want).to(maps.dtype).to(maps.device)
        for have, want in zip(source, target, strict=True)
    )
    return rows @ maps @ columns.T
