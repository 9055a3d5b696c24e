"""Where a backbone's weights come from: its library, a file of its own, or a port's."""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from facegauge.errors import UsageError
from facegauge.nn.backbones import classifier

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def backbone_weights(backbone: str, weights: str | Path) -> dict[str, Tensor]:
    """Tensors by the backbone's own names: "imagenet" through torchvision or timm, or a file.

    The file holds the backbone under its own names; or, as the ports of EfficientNet-Lite and the
    TorchScript files of Inception-v3 for the FID do, the same tensors in the same order under
    others, trained on (x - 127) / 128 and (x - 128) / 128.

    Raises:
        UsageError: they cannot be had, or the file cannot be read.
    """
    try:
        if weights == "imagenet":
            trained: dict[str, Tensor] = classifier(backbone, trained=True).state_dict()
            return trained
        state = _read(weights)
        if backbone == "efficientnet_lite0" and "_conv_stem.weight" in state:
            return _from_lite(state)
        if backbone == "inception_v3" and "net.layers.conv.weight" in state:
            return _from_slim(state)
        return state
    except Exception as error:
        raise UsageError(f"cannot get backbone weights from {weights}: {error}") from error


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
    names = classifier("efficientnet_lite0").state_dict()
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
    names = classifier("inception_v3").state_dict()
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
