"""The degradation encoder: a picture's degradation, in every cell of a coarse grid.

Source: DSL-FIQA (arXiv 2406.09622) and its public code, which does not have its training; for that
see `dual_set`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from facegauge.errors import UsageError
from facegauge.nn.backbones import ShallowBackbone
from facegauge.nn.heatmap import resize_area
from facegauge.nn.regressor import Regressor

NEGATIVE_SLOPE = 0.1  # of LeakyReLU
LAYERS = 3  # convolution, batch norm, LeakyReLU


class DegradationEncoder(nn.Module):
    """Six 3x3 convolutions, pooling to a grid of cells, and an MLP on every cell.

    The defaults are the paper's: 1,278,784 parameters, 96 cells of 256 channels. Our choices:
    area-weighted pooling, which equals adaptive average pooling where the grid divides the map, as
    at the paper's 384 x 384 pixels, and exports to ONNX at any size; the activation between the two
    layers of the MLP; and a pretrained backbone in place of the convolutions.

    Args:
        channels: two convolutions for each number; the map's size is halved at all but the first.
        grid: (rows, columns) of cells.
        backbone: a key of `backbones.TAPS`, used up to stride 8, with `channels` empty; "" for the
            convolutions.

    Attributes:
        config: what `nn.build.build` makes the same network from.
        grid: (rows, columns) of cells.
        width: channels of a cell.
        checkpointing: whether training computes activations again in the backward pass, one
            convolution at a time, instead of holding all of them; with a backbone it has no effect.

    Raises:
        UsageError: neither channels nor a backbone, or both, or a number below 1.
    """

    def __init__(
        self,
        channels: Sequence[int] = (64, 128, 256),
        grid: Sequence[int] = (8, 12),
        backbone: str = "",
    ) -> None:
        super().__init__()
        if bool(channels) == bool(backbone) or (channels and min(channels) < 1):
            raise UsageError(
                "expected either channels, one or more numbers of 1 or more, or a backbone, "
                f"got {list(channels)} and {backbone!r}"
            )
        if len(grid) != 2 or min(grid) < 1:
            raise UsageError(f"expected grid to be rows and columns of 1 or more, got {list(grid)}")
        self.config = {
            "kind": "degradation_encoder",
            "channels": list(channels),
            "grid": list(grid),
            "backbone": backbone,
        }
        self.grid, self.checkpointing = tuple(grid), False
        self.body: nn.Module
        if backbone:
            self.body = ShallowBackbone(backbone)
            self.width = self.body.channels
        else:
            self.body = nn.Sequential(*_convolutions(channels))
            self.width = channels[-1]
        self.project = nn.Sequential(
            nn.Linear(self.width, self.width),
            nn.LeakyReLU(NEGATIVE_SLOPE),
            nn.Linear(self.width, self.width),
        )

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> DegradationEncoder:
        """From the `config` attribute of such a network, without its kind; random weights."""
        return cls(**config)

    def load_backbone(self, network: Regressor) -> None:
        """Copy the weights of the backbone's first layers from a trained network.

        Args:
            network: with the same backbone.

        Raises:
            UsageError: the backbones differ, or the encoder has none.
        """
        if network.backbone != self.config["backbone"]:
            raise UsageError(
                f"an encoder with the backbone {self.config['backbone']!r} cannot take the weights "
                f"of {network.backbone}"
            )
        before = network.state_dict()
        self.body.load_state_dict({name: before[name] for name in self.body.state_dict()})

    def cells(self, x: Tensor) -> Tensor:
        """The cells, row by row, that the core network takes.

        Args:
            x: (N, 3, H, W), normalised.

        Returns:
            (N, rows * columns, C).
        """
        keeps = not (self.checkpointing and self.training and torch.is_grad_enabled())
        map_ = self.body(x) if keeps else _recomputed(self.body, x)
        pooled: Tensor = resize_area(map_, self.grid)
        return pooled.flatten(2).transpose(1, 2)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The cells, and the embedding for contrastive learning; scoring does not use it.

        Args:
            x: (N, 3, H, W), normalised.

        Returns:
            The cells (N, rows * columns, C) and the embedding (N, rows * columns * C).
        """
        cells = self.cells(x)
        return cells, self.project(cells).flatten(1)


def _recomputed(body: nn.Module, x: Tensor) -> Tensor:
    """The body's map; of the activations in between, only those behind each convolution are held.

    See Chen et al. 2016 (arXiv 1604.06174). Batch norms count every batch once.
    """
    if not isinstance(body, nn.Sequential):
        found: Tensor = body(x)
        return found
    for first in range(0, len(body), LAYERS):
        block = body[first : first + LAYERS]
        again = partial(_without_counting, block)
        x = checkpoint(block, x, use_reentrant=False, preserve_rng_state=False, context_fn=again)
    return x


def _without_counting(
    block: nn.Sequential,
) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
    """What surrounds the first computation of a block, and the second."""
    return nullcontext(), _counting_off(block)


@contextmanager
def _counting_off(block: nn.Sequential) -> Iterator[None]:
    norms = [layer for layer in block if isinstance(layer, _BatchNorm)]
    counts = [(norm, norm.momentum, norm.num_batches_tracked) for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum, count in counts:
            norm.momentum = momentum
            if count is not None:
                count.sub_(1)


def _convolutions(channels: Sequence[int]) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for place, (before, width) in enumerate(zip((3, *channels), channels, strict=False)):
        layers += [*_convolution(before, width, 2 if place else 1), *_convolution(width, width)]
    return layers


def _convolution(before: int, width: int, stride: int = 1) -> list[nn.Module]:
    convolution = nn.Conv2d(before, width, 3, stride, padding=1)
    return [convolution, nn.BatchNorm2d(width), nn.LeakyReLU(NEGATIVE_SLOPE)]
