"""Pretrained backbone weights: from torchvision or timm, a file of theirs, or a port."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from facegauge.errors import UsageError
from facegauge.nn.backbones import TAPS, classifier
from facegauge.nn.torchscript import is_torchscript, torchscript_tensors

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def backbone_weights(backbone: str, weights: str | Path) -> dict[str, Tensor]:
    """Load pretrained weights of a backbone.

    Besides state dicts with the backbone's own names, two ports are read that have other names and
    another normalisation of the input: EfficientNet-Lite, trained on (x - 127) / 128, and the
    TorchScript file of Inception-v3 for the FID, trained on (x - 128) / 128.

    Args:
        backbone: a key of `backbones.TAPS`.
        weights: "imagenet" for those of torchvision or timm (which may download them), or the path
            of a file written by `torch.save` or `torch.jit.save`.

    Returns:
        The state dict, for input that is normalised with ImageNet's mean and std.

    Raises:
        UsageError: the weights cannot be downloaded or read.
    """
    try:
        if weights == "imagenet":
            trained: dict[str, Tensor] = classifier(backbone, trained=True).state_dict()
            return trained
        state = _read(weights)
        if backbone.startswith("efficientnet_lite") and "_conv_stem.weight" in state:
            return _from_lite(backbone, state)
        if backbone == "inception_v3" and "net.layers.conv.weight" in state:
            return _from_slim(state)
        return state
    except Exception as error:
        raise UsageError(f"cannot load backbone weights from {weights}: {error}") from error


def fetch_imagenet(backbone: str) -> None:
    """Have torchvision or timm fetch a backbone's ImageNet weights, if they are not there yet.

    Args:
        backbone: a key of `backbones.TAPS`, or another network of timm.

    Raises:
        UsageError: they cannot be fetched.
    """
    try:
        if backbone in TAPS:
            classifier(backbone, trained=True)
        else:
            import timm

            timm.create_model(backbone, pretrained=True)
    except Exception as error:
        raise UsageError(
            f"cannot fetch the ImageNet weights of {backbone}: {error}; connect to the network, or "
            "give a .pth file of them as init_from"
        ) from error


def _read(weights: str | Path) -> dict[str, Tensor]:
    """The tensors of a file that `torch.save` or `torch.jit.save` wrote; runs no code in it."""
    if is_torchscript(weights):
        return torchscript_tensors(weights)
    tensors: dict[str, Tensor] = torch.load(weights, map_location="cpu", weights_only=True)
    return tensors


def _from_lite(backbone: str, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Convert weights of a port of EfficientNet-Lite to timm's network.

    The port's input is (x - 127) / 128. Its batch norms have epsilon 1e-3 and timm's 1e-5; the
    difference is added to the running variance.
    """
    names = classifier(backbone).state_dict()
    values = [value for name, value in state.items() if "num_batches" not in name]
    timm_names = [name for name in names if "num_batches" not in name]
    converted = dict(zip(timm_names, values, strict=True))
    for name in timm_names:
        if name.endswith("running_var"):
            converted[name] = converted[name] + (1e-3 - 1e-5)
    return _renormalise(converted, "conv_stem", "bn1", 127)


def _from_slim(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Convert a port of TensorFlow's Inception-v3 of 2015 to timm's network.

    Its batch norms have no scale, and its input is (x - 128) / 128. It excludes the padding from
    its average pooling and has one maximum pooling in the last block, which timm's network does
    not, so the result is an initialisation and not the same network.
    """
    layers = [name.removesuffix(".weight") for name in state if name.endswith(".weight")]
    names = classifier("inception_v3").state_dict()
    suffix = ".conv.weight"
    timm_layers = [n.removesuffix(suffix) for n in names if n.endswith(suffix) and "Aux" not in n]
    converted = {}
    for old, new in zip(layers, timm_layers, strict=True):
        converted[f"{new}.conv.weight"] = state[f"{old}.weight"]
        converted[f"{new}.bn.weight"] = torch.ones_like(state[f"{old}.beta"])
        converted[f"{new}.bn.bias"] = state[f"{old}.beta"]
        converted[f"{new}.bn.running_mean"] = state[f"{old}.mean"]
        converted[f"{new}.bn.running_var"] = state[f"{old}.var"]
    return _renormalise(converted, "Conv2d_1a_3x3.conv", "Conv2d_1a_3x3.bn", 128)


def _renormalise(
    state: dict[str, Tensor], stem: str, norm: str, center: float
) -> dict[str, Tensor]:
    """Convert weights for the input (x - center) / 128 to input with ImageNet's mean and std.

    The difference is folded into the first convolution and its batch norm. This is exact except
    where the convolution pads its input.
    """
    mean, std = torch.tensor(IMAGENET_MEAN) * 255, torch.tensor(IMAGENET_STD) * 255
    weight, shift = state[f"{stem}.weight"], state[f"{norm}.running_mean"]
    offset = weight.sum((2, 3)) @ ((mean - center) / 128)
    return {
        **state,
        f"{stem}.weight": weight * (std / 128).view(1, 3, 1, 1),
        f"{norm}.running_mean": shift - offset,
    }
