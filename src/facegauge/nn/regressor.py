"""Any backbone, average-pooled at one or several depths, and a linear head: one score a picture.

Efficient-FIQA's two networks (arXiv 2507.15709) are `swin_b`, its teacher, and `edgenext_xx_small`,
its student, each with `depths="last"` and `head="factorised"`. MSPT's (arXiv 2508.07590) is most
likely `mobilenetv3_small_100` with `depths="last"`: its size and cost are what was published.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from facegauge.errors import UsageError
from facegauge.nn.backbones import CHANNELS_LAST, HIDDEN, TAPS, body
from facegauge.nn.heatmap import remapped
from facegauge.nn.pretrained import backbone_weights

DEPTHS = ("last", "all", "strides")
HEADS = ("linear", "factorised")


class Regressor(nn.Module):
    """A torchvision or timm backbone, pooled features and a linear head; the output is unbounded.

    With `depths="last"` and 3-channel input the parameter counts are those of the usual
    classifier features plus the head: 927,585 for mobilenet_v3_small and 1,254,629 for
    shufflenet_v2_x1_0, both with the linear one; 1,179,641 for edgenext_xx_small and 86,874,553
    for swin_b, both with the factorised one; 1,518,881 for mobilenetv3_small_100, whose last tap
    is the hidden layer that timm puts behind the pooling. `depths="all"` pools every tap, which
    puts early, fine detail within the head's reach at the price of a few hundred weights (our
    choice). `depths="strides"` pools the taps at strides 4, 8, 16 and 32 alone and leaves out what
    some classifiers have behind them, as MobileNetV2 its 1,280 channels.

    Args:
        backbone: a key of `backbones.TAPS`.
        depths: "last", "all" or "strides".
        bias: the head's first bias: the mean label, so that training starts from there.
        head: "linear", one layer; or "factorised", Linear(C, 128) and Linear(128, 1) without an
            activation between, as Efficient-FIQA has it.
    """

    def __init__(
        self, backbone: str, depths: str = "last", bias: float = 0.36, head: str = "linear"
    ) -> None:
        super().__init__()
        if backbone not in TAPS:
            raise UsageError(f"unknown backbone {backbone!r}; there are {', '.join(TAPS)}")
        if depths not in DEPTHS:
            raise UsageError(f"depths must be one of {', '.join(DEPTHS)}, got {depths!r}")
        if head not in HEADS:
            raise UsageError(f"head must be {' or '.join(HEADS)}, got {head!r}")
        self.backbone = backbone
        self.config = {
            "kind": "regressor",
            "backbone": backbone,
            "depths": depths,
            "bias": bias,
            "head": head,
        }
        self.taps = TAPS[backbone][:4] if depths == "strides" else TAPS[backbone]
        self.pooled = self.taps[-1:] if depths == "last" else self.taps
        self.body = body(backbone, self.taps)
        self.channels = self._count_channels()
        self.head = _head(head, sum(self.channels[name] for name in self.pooled), bias)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Regressor:
        """From the `config` attribute of such a network, without its kind; random weights."""
        return cls(**config)

    def features(self, x: Tensor) -> dict[str, Tensor]:
        """(N, 3, H, W) to the maps at every tap, each (N, C, h, w)."""
        maps: dict[str, Tensor] = self.body(x)
        if self.backbone in CHANNELS_LAST:
            maps = {name: value.permute(0, 3, 1, 2) for name, value in maps.items()}
        return maps

    def score(self, maps: dict[str, Tensor]) -> Tensor:
        """The maps at the taps to scores (N,)."""
        pooled = [maps[name].mean((2, 3)) for name in self.pooled]
        scores: Tensor = self.head(torch.cat(pooled, 1)).squeeze(1)
        return scores

    def heat_map(self, maps: dict[str, Tensor]) -> Tensor:
        """The maps at the taps to where the scores come from, (N, h, w).

        The grid is that of stride 16. Every pooled map gives what the head makes of it at each of
        its places; the bias is spread evenly. The mean over the places is the score. Of a hidden
        layer behind the pooling every place gets what `_shared_out` gives it.
        """
        weight, bias = _as_one(self.head)
        grid = maps[self.taps[2]].shape[2:]
        parts = torch.split(weight, [self.channels[name] for name in self.pooled], 1)
        heat = bias
        for name, part in zip(self.pooled, parts, strict=True):
            if name == HIDDEN.get(self.backbone):
                here = self._shared_out(part, maps[self.taps[3]])
            else:
                here = F.conv2d(maps[name], part[..., None, None]).squeeze(1)
            heat = heat + remapped(here, grid)
        return heat

    def _shared_out(self, part: Tensor, map_: Tensor) -> Tensor:
        """What a hidden layer behind the pooling adds to the score, shared out over the places.

        Each of its units is taken as linear between no features at all and the pooled ones, with
        the slope of that chord, as DeepLIFT's rescale rule has it: our choice. The mean is exact.

        Args:
            part: what the head makes of the units, (1, units).
            map_: before the pooling, (N, C, h, w).

        Returns:
            (N, h, w).
        """
        layer = self.body.conv_head
        assert isinstance(layer, nn.Conv2d) and layer.bias is not None
        weight, bias = layer.weight.flatten(1), layer.bias
        rise = map_.mean((2, 3)) @ weight.T
        rise = torch.where(rise.abs() < 1e-3, torch.full_like(rise, 1e-3), rise)
        nothing = bias * F.relu6(bias + 3) / 6  # hard-swish; onnxruntime can fold it so
        slope = (F.hardswish(bias + rise) - nothing) / rise
        weights = (part * slope) @ weight
        return torch.einsum("nc,nchw->nhw", weights, map_) + part @ nothing

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, H, W), normalised, to scores (N,)."""
        return self.score(self.features(x))

    def explain(self, x: Tensor) -> Tensor:
        """(N, 3, H, W), normalised, to heat maps (N, h, w); see `heat_map`."""
        return self.heat_map(self.features(x))

    def start_from(self, weights: str | Path) -> None:
        """Load the backbone's weights; see `weights.backbone_weights` for what is taken.

        Raises:
            UsageError: they cannot be had, or are not this backbone's.
        """
        state = backbone_weights(self.backbone, weights)
        own = self.body.state_dict()
        fitting = {k: v for k, v in state.items() if k in own and own[k].shape == v.shape}
        lost = [name for name in own if name not in fitting and "num_batches" not in name]
        if lost:
            raise UsageError(
                f"{weights} lacks {len(lost)} tensors of {self.backbone}, the first is {lost[0]}"
            )
        self.body.load_state_dict(fitting, strict=False)

    @torch.no_grad()
    def _count_channels(self) -> dict[str, int]:
        self.body.eval()
        maps = self.features(torch.zeros(1, 3, 96, 96))
        self.body.train()
        return {name: maps[name].shape[1] for name in self.taps}


def _head(kind: str, channels: int, bias: float) -> nn.Module:
    """Linear layers (N, channels) -> (N, 1) that start close to `bias`."""
    last = nn.Linear(channels if kind == "linear" else 128, 1)
    nn.init.normal_(last.weight, std=0.01)
    nn.init.constant_(last.bias, bias)
    if kind == "linear":
        return last
    first = nn.Linear(channels, 128)
    nn.init.zeros_(first.bias)
    return nn.Sequential(first, last)


def _as_one(head: nn.Module) -> tuple[Tensor, Tensor]:
    """A head as a single linear layer: weight (1, C) and bias (1,)."""
    if isinstance(head, nn.Linear):
        return head.weight, head.bias
    assert isinstance(head, nn.Sequential)
    first, last = head
    assert isinstance(first, nn.Linear) and isinstance(last, nn.Linear)
    return last.weight @ first.weight, F.linear(first.bias, last.weight, last.bias)
