"""Any backbone, average-pooled at one or several depths, and a linear head: one score a picture.

Efficient-FIQA's two networks (arXiv 2507.15709) are `swin_b`, its teacher, and `edgenext_xx_small`,
its student, each with `depths="last"` and `head="factorised"`. MSPT's (arXiv 2508.07590) is most
likely `mobilenetv3_small_100` with `depths="last"`: its size and cost are what was published.
"""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from facegauge.errors import UsageError
from facegauge.training.networks.heatmap import remapped

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

TAPS: dict[str, tuple[str, ...]] = {
    # torchvision node names, by depth: strides 4, 8, 16 and 32; the last is the pooled one
    "mobilenet_v3_small": ("features.1", "features.3", "features.8", "features.12"),
    "shufflenet_v2_x0_5": ("maxpool", "stage2", "stage3", "conv5"),
    "shufflenet_v2_x1_0": ("maxpool", "stage2", "stage3", "conv5"),
    "mobilenet_v2": ("features.3", "features.6", "features.13", "features.17", "features.18"),
    "swin_b": ("features.1", "features.3", "features.5", "norm"),
    # timm's
    "efficientnet_lite0": ("blocks.1", "blocks.2", "blocks.4", "blocks.6", "bn2"),
    "edgenext_xx_small": ("stages.0", "stages.1", "stages.2", "stages.3"),
    "inception_v3": ("Conv2d_4a_3x3", "Mixed_5d", "Mixed_6e", "Mixed_7c"),
    "mobilenetv3_small_100": ("blocks.0", "blocks.1", "blocks.3", "blocks.5", "act2"),
}
TIMM = frozenset(
    {"efficientnet_lite0", "edgenext_xx_small", "inception_v3", "mobilenetv3_small_100"}
)
HIDDEN = {"mobilenetv3_small_100": "act2"}  # taps behind a hidden layer that follows the pooling
CHANNELS_LAST = frozenset({"swin_b"})  # whose maps are (N, h, w, C)
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
        backbone: a key of `TAPS`.
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
        self.body = _body(backbone, self.taps)
        self.channels = self._count_channels()
        self.head = _head(head, sum(self.channels[name] for name in self.pooled), bias)

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
        """Load backbone weights: "imagenet" through torchvision or timm, or a file.

        The file holds the backbone under its own names; or, as the ports of EfficientNet-Lite and
        the TorchScript files of Inception-v3 for the FID do, the same tensors in the same order
        under others, trained on (x - 127) / 128 and (x - 128) / 128.

        Raises:
            UsageError: the file cannot be read or does not hold this backbone's weights.
        """
        try:
            if weights == "imagenet":
                state = _classifier(self.backbone, trained=True).state_dict()
            else:
                state = _read(weights)
                if self.backbone == "efficientnet_lite0" and "_conv_stem.weight" in state:
                    state = _from_lite(state)
                if self.backbone == "inception_v3" and "net.layers.conv.weight" in state:
                    state = _from_slim(state)
        except Exception as error:
            raise UsageError(f"cannot get backbone weights from {weights}: {error}") from error
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


class Shallow(nn.Module):
    """A backbone up to its tap at stride 8, under the weight names that `Regressor` has for it.

    Attributes:
        channels: of its map.

    Raises:
        UsageError: the backbone is unknown.
    """

    def __init__(self, backbone: str) -> None:
        super().__init__()
        if backbone not in TAPS or backbone in CHANNELS_LAST:
            there = ", ".join(name for name in TAPS if name not in CHANNELS_LAST)
            raise UsageError(f"unknown backbone {backbone!r}; there are {there}")
        self.tap = TAPS[backbone][1]
        self.body = _body(backbone, (self.tap,))
        with torch.no_grad():
            self.channels = int(self.eval()(torch.zeros(1, 3, 96, 96)).shape[1])
        self.train()

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, H, W), normalised, to (N, C, h, w)."""
        map_: Tensor = self.body(x)[self.tap]
        return map_


def _classifier(backbone: str, trained: bool = False) -> nn.Module:
    """The backbone as its library builds it, with random or ImageNet weights."""
    built: nn.Module
    if backbone in TIMM:
        import timm

        # layer scales of 1e-6, timm's own, let a network without weights learn too slowly
        scales = {"ls_init_value": 1.0} if backbone == "edgenext_xx_small" else {}
        built = timm.create_model(backbone, pretrained=trained, **scales)
        return built
    from torchvision.models import get_model

    built = get_model(backbone, weights="IMAGENET1K_V1" if trained else None)
    return built


def _body(backbone: str, taps: tuple[str, ...]) -> nn.Module:
    """The backbone up to its last tap, giving the maps at its taps, under its own weight names."""
    from torchvision.models.feature_extraction import create_feature_extractor

    leaves = []
    if backbone == "edgenext_xx_small":  # tracing into this one would freeze the device
        from timm.models.edgenext import PositionalEncodingFourier

        leaves = [PositionalEncodingFourier]
    body: nn.Module = create_feature_extractor(
        _classifier(backbone),
        {name: name for name in taps},
        tracer_kwargs={"leaf_modules": leaves},
    )
    return body


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


def _read(weights: str | Path) -> dict[str, Tensor]:
    """The tensors of a file that torch.save or torch.jit.save wrote."""
    if not _is_script(weights):
        tensors: dict[str, Tensor] = torch.load(weights, map_location="cpu", weights_only=True)
        return tensors
    load: Callable[..., nn.Module] = torch.jit.load
    with warnings.catch_warnings():  # there is no other way to read such a file
        warnings.simplefilter("ignore", FutureWarning)
        return load(str(weights), map_location="cpu").state_dict()


def _is_script(weights: str | Path) -> bool:
    if not zipfile.is_zipfile(weights):
        return False
    with zipfile.ZipFile(weights) as archive:
        return any("/code/" in name for name in archive.namelist())


def _from_lite(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights of a port of EfficientNet-Lite0 as timm's network wants them.

    The port's input is (x - 127) / 128 and its batch norms add 1e-3 to the variance, ours 1e-5,
    which is folded into their statistics.
    """
    names = _classifier("efficientnet_lite0").state_dict()
    theirs = [value for name, value in state.items() if "num_batches" not in name]
    ours = [name for name in names if "num_batches" not in name]
    renamed = dict(zip(ours, theirs, strict=True))
    for name in ours:
        if name.endswith("running_var"):
            renamed[name] = renamed[name] + (1e-3 - 1e-5)
    return _standardised(renamed, "conv_stem", "bn1", 127)


def _from_slim(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights of TensorFlow's Inception-v3 of 2015, ported, as timm's network wants them.

    Its batch norms have no scale, and its input is (x - 128) / 128. It leaves the border out of
    its average pooling and ends in one maximum pooling, where timm's network does neither, so it
    is a place to start from and not the same network.
    """
    theirs = [name.removesuffix(".weight") for name in state if name.endswith(".weight")]
    names = _classifier("inception_v3").state_dict()
    ending = ".conv.weight"
    ours = [n.removesuffix(ending) for n in names if n.endswith(ending) and "Aux" not in n]
    renamed = {}
    for old, new in zip(theirs, ours, strict=True):
        renamed[f"{new}.conv.weight"] = state[f"{old}.weight"]
        renamed[f"{new}.bn.weight"] = torch.ones_like(state[f"{old}.beta"])
        renamed[f"{new}.bn.bias"] = state[f"{old}.beta"]
        renamed[f"{new}.bn.running_mean"] = state[f"{old}.mean"]
        renamed[f"{new}.bn.running_var"] = state[f"{old}.var"]
    return _standardised(renamed, "Conv2d_1a_3x3.conv", "Conv2d_1a_3x3.bn", 128)


def _standardised(
    state: dict[str, Tensor], stem: str, norm: str, centre: float
) -> dict[str, Tensor]:
    """Weights for (x - centre) / 128 as weights for ImageNet's mean and deviation.

    The difference is folded into the first convolution and the batch norm behind it; exact but
    where the convolution pads its input.
    """
    mean, std = torch.tensor(IMAGENET_MEAN) * 255, torch.tensor(IMAGENET_STD) * 255
    weight, shift = state[f"{stem}.weight"], state[f"{norm}.running_mean"]
    offset = weight.sum((2, 3)) @ ((mean - centre) / 128)
    return {
        **state,
        f"{stem}.weight": weight * (std / 128).view(1, 3, 1, 1),
        f"{norm}.running_mean": shift - offset,
    }
