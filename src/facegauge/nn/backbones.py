"""Backbones of torchvision and timm, and the feature maps that are taken from them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from facegauge.errors import UsageError

TAPS: dict[str, tuple[str, ...]] = {
    # torchvision: node names at strides 4, 8, 16 and 32; the classifier pools the last one
    "mobilenet_v3_small": ("features.1", "features.3", "features.8", "features.12"),
    "shufflenet_v2_x0_5": ("maxpool", "stage2", "stage3", "conv5"),
    "shufflenet_v2_x1_0": ("maxpool", "stage2", "stage3", "conv5"),
    "mobilenet_v2": ("features.3", "features.6", "features.13", "features.17", "features.18"),
    "swin_b": ("features.1", "features.3", "features.5", "norm"),
    # timm
    "efficientnet_lite0": ("blocks.1", "blocks.2", "blocks.4", "blocks.6", "bn2"),
    "efficientnet_lite2": ("blocks.1", "blocks.2", "blocks.4", "blocks.6", "bn2"),
    "edgenext_xx_small": ("stages.0", "stages.1", "stages.2", "stages.3"),
    "inception_v3": ("Conv2d_4a_3x3", "Mixed_5d", "Mixed_6e", "Mixed_7c"),
    "mobilenetv3_small_100": ("blocks.0", "blocks.1", "blocks.3", "blocks.5", "act2"),
}
TIMM = frozenset(
    {
        "efficientnet_lite0",
        "efficientnet_lite2",
        "edgenext_xx_small",
        "inception_v3",
        "mobilenetv3_small_100",
    }
)
HIDDEN = {"mobilenetv3_small_100": "act2"}  # tap after a hidden layer that follows the pooling
CHANNELS_LAST = frozenset({"swin_b"})  # backbones with maps (N, h, w, C)


def classifier(backbone: str, trained: bool = False) -> nn.Module:
    """Create a classifier of torchvision or timm.

    Args:
        backbone: a key of `TAPS`.
        trained: load ImageNet weights through the library, instead of random ones.
    """
    built: nn.Module
    if backbone in TIMM:
        import timm

        # timm's layer scale of 1e-6 is too small to train from random weights
        scales = {"ls_init_value": 1.0} if backbone == "edgenext_xx_small" else {}
        built = timm.create_model(backbone, pretrained=trained, **scales)
        return built
    from torchvision.models import get_model

    built = get_model(backbone, weights="IMAGENET1K_V1" if trained else None)
    return built


def feature_extractor(backbone: str, taps: tuple[str, ...]) -> nn.Module:
    """The backbone up to its last tap, with random weights.

    Args:
        backbone: a key of `TAPS`.
        taps: names of nodes, in order.

    Returns:
        A module that maps (N, 3, H, W) to a dict of the maps at the taps. Its parameters have the
        names of the library's network.
    """
    from torchvision.models.feature_extraction import create_feature_extractor

    leaves = []
    if backbone == "edgenext_xx_small":  # tracing into this module would make the device a constant
        from timm.models.edgenext import PositionalEncodingFourier

        leaves = [PositionalEncodingFourier]
    extractor: nn.Module = create_feature_extractor(
        classifier(backbone),
        {name: name for name in taps},
        tracer_kwargs={"leaf_modules": leaves},
    )
    return extractor


class ShallowBackbone(nn.Module):
    """A backbone up to its tap at stride 8, with the parameter names of `Regressor`.

    Args:
        backbone: a key of `TAPS` whose maps are (N, C, h, w).

    Attributes:
        channels: number of channels of the map.

    Raises:
        UsageError: the backbone is unknown.
    """

    def __init__(self, backbone: str) -> None:
        super().__init__()
        if backbone not in TAPS or backbone in CHANNELS_LAST:
            known = ", ".join(name for name in TAPS if name not in CHANNELS_LAST)
            raise UsageError(f"unknown backbone {backbone!r}; expected one of {known}")
        self.tap = TAPS[backbone][1]
        self.body = feature_extractor(backbone, (self.tap,))
        with torch.no_grad():
            self.channels = int(self.eval()(torch.zeros(1, 3, 96, 96)).shape[1])
        self.train()

    def forward(self, x: Tensor) -> Tensor:
        """Map normalised pictures (N, 3, H, W) to features (N, C, h, w)."""
        map_: Tensor = self.body(x)[self.tap]
        return map_
