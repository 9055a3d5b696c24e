"""A backbone, average-pooled at one or several depths, and a linear head that gives a score.

Efficient-FIQA's networks (arXiv 2507.15709) are `swin_b`, the teacher, and `edgenext_xx_small`, the
student, both with `depths="last"` and `head="factorised"`. MSPT's (arXiv 2508.07590) is probably
`mobilenetv3_small_100` with `depths="last"`: it has the published size and cost.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from facegauge.errors import UsageError
from facegauge.nn.backbones import CHANNELS_LAST, HIDDEN, TAPS, feature_extractor
from facegauge.nn.heatmap import resize_area
from facegauge.nn.pretrained import backbone_weights

DEPTHS = ("last", "all", "strides")
HEADS = ("linear", "factorised")


class Regressor(nn.Module):
    """A torchvision or timm backbone, pooled features and a linear head; scores are unbounded.

    With `depths="last"`, the number of parameters is that of the classifier's features plus the
    head: 927,585 for mobilenet_v3_small and 1,254,629 for shufflenet_v2_x1_0 with the linear head;
    1,179,641 for edgenext_xx_small and 86,874,553 for swin_b with the factorised head; 1,518,881
    for mobilenetv3_small_100, whose last tap is the hidden layer that timm has after the pooling.

    Args:
        backbone: a key of `backbones.TAPS`.
        depths: which taps are pooled. "last": the last one. "all": every tap, so that the head gets
            early, fine features too, for a few hundred more weights (our choice). "strides": those
            at strides 4, 8, 16 and 32, without later layers such as MobileNetV2's 1,280 channels.
        bias: initial bias of the head; the mean label is a good choice.
        head: "linear", one layer; or "factorised", Linear(C, 128) and Linear(128, 1) without an
            activation between them, as in Efficient-FIQA.

    Attributes:
        config: the arguments as plain data, which `nn.build.build` takes.
        taps: names of the feature maps that `features` returns.
        pooled: names of the feature maps that the head gets.
        channels: number of channels of each feature map, by name.
        embedding_size: number of values that the head gets.

    Raises:
        UsageError: the backbone, `depths` or `head` is unknown.
    """

    def __init__(
        self, backbone: str, depths: str = "last", bias: float = 0.36, head: str = "linear"
    ) -> None:
        super().__init__()
        if backbone not in TAPS:
            raise UsageError(f"unknown backbone {backbone!r}; expected one of {', '.join(TAPS)}")
        if depths not in DEPTHS:
            raise UsageError(f"expected depths to be one of {', '.join(DEPTHS)}, got {depths!r}")
        if head not in HEADS:
            raise UsageError(f"expected head to be {' or '.join(HEADS)}, got {head!r}")
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
        self.body = feature_extractor(backbone, self.taps)
        self.channels = self._count_channels()
        self.embedding_size = sum(self.channels[name] for name in self.pooled)
        self.head = _create_head(head, self.embedding_size, bias)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Regressor:
        """From the `config` attribute of such a network, without its kind; random weights."""
        return cls(**config)

    def features(self, x: Tensor) -> dict[str, Tensor]:
        """Map normalised pictures (N, 3, H, W) to feature maps by tap, each (N, C, h, w)."""
        maps: dict[str, Tensor] = self.body(x)
        if self.backbone in CHANNELS_LAST:
            maps = {name: value.permute(0, 3, 1, 2) for name, value in maps.items()}
        return maps

    def score(self, maps: dict[str, Tensor]) -> Tensor:
        """Map the feature maps of `features` to scores (N,)."""
        return self.score_embedding(self._pool(maps))

    def embed(self, x: Tensor) -> Tensor:
        """Map normalised pictures (N, 3, H, W) to what the head gets, (N, embedding_size)."""
        return self._pool(self.features(x))

    def score_embedding(self, embedding: Tensor) -> Tensor:
        """Map what `embed` gives to scores (N,)."""
        scores: Tensor = self.head(embedding).squeeze(1)
        return scores

    @torch.no_grad()
    def shift_head(self, weight: Tensor, bias: float) -> None:
        """Add `weight @ embedding + bias` to every score; see `heads.LinearHead`."""
        layers = [layer for layer in self.head.modules() if isinstance(layer, nn.Linear)]
        first, last = layers[0], layers[-1]
        if last is first:
            first.weight.add_(weight)
        else:  # along the one direction of the hidden units that the last layer sees
            direction = last.weight[0] / last.weight.square().sum()
            first.weight.add_(torch.outer(direction, weight))
        last.bias.add_(bias)

    def _pool(self, maps: dict[str, Tensor]) -> Tensor:
        return torch.cat([maps[name].mean((2, 3)) for name in self.pooled], 1)

    def heat_map(self, maps: dict[str, Tensor]) -> Tensor:
        """Map the feature maps of `features` to heat maps (N, h, w), whose means are the scores.

        The grid is that of stride 16. The head's weights are applied to every cell of each pooled
        map, and the bias is added to every cell. See `_distribute_hidden` for a hidden layer.
        """
        weight, bias = _as_linear(self.head)
        size = maps[self.taps[2]].shape[2:]
        weights = torch.split(weight, [self.channels[name] for name in self.pooled], 1)
        heat = bias
        for name, part in zip(self.pooled, weights, strict=True):
            if name == HIDDEN.get(self.backbone):
                cells = self._distribute_hidden(part, maps[self.taps[3]])
            else:
                cells = F.conv2d(maps[name], part[..., None, None]).squeeze(1)
            heat = heat + resize_area(cells, size)
        return heat

    def _distribute_hidden(self, head: Tensor, features: Tensor) -> Tensor:
        """Distribute the contribution of a hidden layer after the pooling over the cells.

        Each unit is replaced by a linear function through its values at zero features and at the
        pooled features, as in DeepLIFT's rescale rule (Shrikumar et al., ICML 2017). So the mean
        over the cells is exact.

        Args:
            head: the head's weights of the units, (1, units).
            features: the feature map before the pooling, (N, C, h, w).

        Returns:
            (N, h, w).
        """
        layer = self.body.conv_head
        assert isinstance(layer, nn.Conv2d) and layer.bias is not None
        weight, bias = layer.weight.flatten(1), layer.bias
        change = features.mean((2, 3)) @ weight.T
        change = torch.where(change.abs() < 1e-3, torch.full_like(change, 1e-3), change)
        at_zero = bias * F.relu6(bias + 3) / 6  # hard-swish in a form that onnxruntime can fold
        slope = (F.hardswish(bias + change) - at_zero) / change
        weights = (head * slope) @ weight
        return torch.einsum("nc,nchw->nhw", weights, features) + head @ at_zero

    def forward(self, x: Tensor) -> Tensor:
        """Map normalised pictures (N, 3, H, W) to scores (N,)."""
        return self.score(self.features(x))

    def explain(self, x: Tensor) -> Tensor:
        """Map normalised pictures (N, 3, H, W) to heat maps (N, h, w); see `heat_map`."""
        return self.heat_map(self.features(x))

    def load_pretrained(self, weights: str | Path) -> None:
        """Load pretrained weights of the backbone; the head is not changed.

        Args:
            weights: "imagenet" or a file, see `pretrained.backbone_weights`.

        Raises:
            UsageError: the weights cannot be loaded, or are of another backbone.
        """
        state = backbone_weights(self.backbone, weights)
        own = self.body.state_dict()
        matching = {k: v for k, v in state.items() if k in own and own[k].shape == v.shape}
        missing = [name for name in own if name not in matching and "num_batches" not in name]
        if missing:
            raise UsageError(
                f"{weights} lacks {len(missing)} tensors of {self.backbone}, such as {missing[0]}"
            )
        self.body.load_state_dict(matching, strict=False)

    @torch.no_grad()
    def _count_channels(self) -> dict[str, int]:
        self.body.eval()
        maps = self.features(torch.zeros(1, 3, 96, 96))
        self.body.train()
        return {name: maps[name].shape[1] for name in self.taps}


def _create_head(kind: str, channels: int, bias: float) -> nn.Module:
    """Linear layers (N, channels) to (N, 1) whose initial output is close to `bias`."""
    last = nn.Linear(channels if kind == "linear" else 128, 1)
    nn.init.normal_(last.weight, std=0.01)
    nn.init.constant_(last.bias, bias)
    if kind == "linear":
        return last
    first = nn.Linear(channels, 128)
    nn.init.zeros_(first.bias)
    return nn.Sequential(first, last)


def _as_linear(head: nn.Module) -> tuple[Tensor, Tensor]:
    """The head as one linear layer: weight (1, C) and bias (1,)."""
    if isinstance(head, nn.Linear):
        return head.weight, head.bias
    assert isinstance(head, nn.Sequential)
    first, last = head
    assert isinstance(first, nn.Linear) and isinstance(last, nn.Linear)
    return last.weight @ first.weight, F.linear(first.bias, last.weight, last.bias)
