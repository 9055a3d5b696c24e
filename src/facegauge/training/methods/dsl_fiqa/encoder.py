"""DSL-FIQA's degradation encoder: what is wrong with a picture, in every cell of a coarse grid.

Source: arXiv 2406.09622 and its public code. How it is trained was not released; see `dual_set`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from facegauge.errors import UsageError
from facegauge.nn.backbones import ShallowBackbone
from facegauge.nn.heatmap import resize_area
from facegauge.nn.regressor import Regressor

SLOPE = 0.1  # of LeakyReLU below 0


class DegradationEncoder(nn.Module):
    """Six 3x3 convolutions, pooling to a grid, and a small network on every cell.

    The defaults are the paper's: 1,278,784 parameters, 96 cells of 256 channels. Pooling shares
    areas exactly: where the grid divides the map, as with the paper's 384 x 384 pixels, that is
    adaptive average pooling; elsewhere (178 x 218, say) it is ours, and exports to ONNX at any
    size. The activation between the two layers on the cells is our choice too, and so is a backbone
    in the place of the convolutions, which need not begin from nothing.

    Args:
        channels: two convolutions for each; the map is halved at every number but the first.
        grid: rows and columns of cells.
        backbone: a key of `backbones.TAPS`, up to stride 8, with `channels` empty; "" for none.

    Attributes:
        width: channels of a cell.

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
                "an encoder has channels, one or more numbers above 0, or a backbone, "
                f"got {list(channels)} and {backbone!r}"
            )
        if len(grid) != 2 or min(grid) < 1:
            raise UsageError(f"grid must be rows and columns above 0, got {grid}")
        self.config = {
            "kind": "degradation_encoder",
            "channels": list(channels),
            "grid": list(grid),
            "backbone": backbone,
        }
        self.grid = tuple(grid)
        self.body: nn.Module
        if backbone:
            self.body = ShallowBackbone(backbone)
            self.width = self.body.channels
        else:
            self.body = nn.Sequential(*_convolutions(channels))
            self.width = channels[-1]
        self.project = nn.Sequential(
            nn.Linear(self.width, self.width),
            nn.LeakyReLU(SLOPE),
            nn.Linear(self.width, self.width),
        )

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> DegradationEncoder:
        """From the `config` attribute of such a network, without its kind; random weights."""
        return cls(**config)

    def start_from(self, network: Regressor) -> None:
        """The backbone's weights from a network with the same one.

        Raises:
            UsageError: there is no backbone, or another.
        """
        if network.backbone != self.config["backbone"]:
            raise UsageError(
                f"an encoder with the backbone {self.config['backbone']!r} cannot start from "
                f"{network.backbone}"
            )
        before = network.state_dict()
        self.body.load_state_dict({name: before[name] for name in self.body.state_dict()})

    def cells(self, x: Tensor) -> Tensor:
        """(N, 3, H, W), normalised, to cells (N, rows * columns, C), row by row: for scoring."""
        pooled: Tensor = resize_area(self.body(x), self.grid)
        return pooled.flatten(2).transpose(1, 2)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(N, 3, H, W), normalised, to the cells and the embedding (N, D), D = rows * columns * C.

        The embedding is for contrastive learning only; after it the layers behind it may go.
        """
        cells = self.cells(x)
        return cells, self.project(cells).flatten(1)


def _convolutions(channels: Sequence[int]) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for place, (before, width) in enumerate(zip((3, *channels), channels, strict=False)):
        layers += [*_convolution(before, width, 2 if place else 1), *_convolution(width, width)]
    return layers


def _convolution(before: int, width: int, stride: int = 1) -> list[nn.Module]:
    convolution = nn.Conv2d(before, width, 3, stride, padding=1)
    return [convolution, nn.BatchNorm2d(width), nn.LeakyReLU(SLOPE)]
