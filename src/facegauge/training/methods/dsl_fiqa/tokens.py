"""From a picture to tokens: a backbone's features on one grid, (N, C, h, w).

DSL-FIQA (arXiv 2406.09622) takes them from ViT-B/16; light backbones are our choice.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from facegauge.errors import UsageError
from facegauge.nn.backbones import TAPS
from facegauge.nn.heatmap import resize_area
from facegauge.nn.regressor import Regressor

PATCH = 16
VIT = "vit_base_patch16_384"
VIT_TAPS = (6, 7, 8, 9)  # blocks, counted from 0


def create_tokens(backbone: str, size: Sequence[int], tap_width: int, whole: bool) -> Tokens:
    """The tokens of a backbone: timm's ViT-B/16, or one that `Regressor` takes.

    Args:
        backbone: `VIT` or a key of `backbones.TAPS`.
        size: (height, width) of the input, in pixels.
        tap_width: channels of each tap of a convolutional backbone, after its projection.
        whole: keep the layers behind the ViT's last tap.

    Raises:
        UsageError: the backbone is unknown, or does not take pictures of this size.
    """
    if backbone == VIT:
        return VitTokens(size, whole)
    if backbone not in TAPS:
        raise UsageError(f"unknown backbone {backbone!r}; expected {' or '.join([VIT, *TAPS])}")
    return CnnTokens(backbone, size, tap_width)


class VitTokens(nn.Module):
    """The outputs of four blocks of ViT-B/16, concatenated, as in the paper.

    Args:
        size: (height, width) of the input, in pixels; multiples of 16.
        whole: keep the blocks, the norm and the head behind the last tap, as the reference does; no
            score depends on them.

    Attributes:
        grid: (h, w) of the tokens.
        channels: 3072, four times 768.
    """

    def __init__(self, size: Sequence[int], whole: bool = False) -> None:
        super().__init__()
        import timm

        if any(side % PATCH for side in size):
            raise UsageError(
                f"{VIT} needs an input height and width that {PATCH} divides, got {tuple(size)}"
            )
        self.vit = timm.create_model(VIT, img_size=tuple(size))
        if not whole:
            self.vit.prune_intermediate_layers(list(VIT_TAPS), prune_norm=True, prune_head=True)
        self.grid = (size[0] // PATCH, size[1] // PATCH)
        self.channels = len(VIT_TAPS) * int(self.vit.embed_dim)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) to (N, 3072, H / 16, W / 16)."""
        maps = self.vit.forward_intermediates(
            x, indices=list(VIT_TAPS), norm=False, output_fmt="NCHW", intermediates_only=True
        )
        return torch.cat(maps, 1)

    def load_pretrained(self, weights: str | Path) -> None:
        """Load ImageNet weights: "imagenet" through timm, or a .pth file in timm's layout.

        Raises:
            UsageError: the file cannot be read or lacks tensors of the network.
        """
        try:
            if weights == "imagenet":
                import timm

                size = self.vit.patch_embed.img_size
                state = timm.create_model(VIT, img_size=size, pretrained=True).state_dict()
            else:
                state = torch.load(weights, map_location="cpu", weights_only=True)
        except Exception as error:
            raise UsageError(f"cannot get backbone weights from {weights}: {error}") from error
        own = self.vit.state_dict()
        fitting = {k: v for k, v in state.items() if k in own and own[k].shape == v.shape}
        lost = [name for name in own if name not in fitting]
        if lost:
            raise UsageError(f"{weights} lacks {len(lost)} tensors of {VIT}, the first: {lost[0]}")
        self.vit.load_state_dict(fitting)


class CnnTokens(nn.Module):
    """A convolutional backbone's maps at four strides, on the grid of stride 16, concatenated.

    Our choice, for small networks. A 1x1 convolution gives every tap the same number of channels,
    so that all have the same weight, as the four blocks of the ViT have.

    Args:
        backbone: a key of `backbones.TAPS`.
        size: (height, width) of the input, in pixels.
        tap_width: channels of each tap.

    Attributes:
        grid: (h, w) of the tokens.
        channels: taps times `tap_width`.
    """

    def __init__(self, backbone: str, size: Sequence[int], tap_width: int) -> None:
        super().__init__()
        self.backbone = Regressor(backbone, depths="strides")
        self.backbone.head = nn.Identity()
        self.project = nn.ModuleList(
            nn.Sequential(nn.Conv2d(width, tap_width, 1, bias=False), nn.BatchNorm2d(tap_width))
            for width in self.backbone.channels.values()
        )
        self.channels = tap_width * len(self.project)
        self.grid = self._measure_grid(size)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) to (N, channels, h, w)."""
        maps = self.backbone.features(x)
        projected = [
            resize_area(project(maps[name]), self.grid)
            for name, project in zip(self.backbone.taps, self.project, strict=True)
        ]
        return torch.cat(projected, 1)

    def load_pretrained(self, weights: str | Path) -> None:
        """Load ImageNet weights; see `Regressor.load_pretrained`."""
        self.backbone.load_pretrained(weights)

    @torch.no_grad()
    def _measure_grid(self, size: Sequence[int]) -> tuple[int, int]:
        self.backbone.eval()
        maps = self.backbone.features(torch.zeros(1, 3, *size))
        self.backbone.train()
        height, width = maps[self.backbone.taps[2]].shape[2:]
        return int(height), int(width)


Tokens = VitTokens | CnnTokens
