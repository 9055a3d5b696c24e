"""Pretrained weights: files of torchvision and timm, and ports."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
import torch

from facegauge.errors import UsageError
from facegauge.nn.pretrained import IMAGENET_MEAN, IMAGENET_STD
from facegauge.nn.regressor import Regressor


def test_weights_are_loaded_from_a_file_in_torchvisions_layout(tmp_path: Path) -> None:
    from torchvision.models import mobilenet_v2

    torch.save(mobilenet_v2().state_dict(), tmp_path / "weights.pth")
    network = Regressor("mobilenet_v2")
    before = network.body.state_dict()["features.0.0.weight"].clone()
    network.load_pretrained(tmp_path / "weights.pth")
    assert not torch.equal(before, network.body.state_dict()["features.0.0.weight"])
    with pytest.raises(UsageError, match="lacks"):
        Regressor("mobilenet_v3_small").load_pretrained(tmp_path / "weights.pth")
    with pytest.raises(UsageError, match="cannot load backbone weights"):
        network.load_pretrained(tmp_path / "missing.pth")


class Ported(torch.nn.Module):
    """One convolution of the Inception-v3 files for the FID: weight, beta, mean, var."""

    def __init__(self, weight: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("weight", weight)
        for name in ("beta", "mean"):
            self.register_buffer(name, 0.1 * torch.randn(len(weight)))
        self.register_buffer("var", torch.rand(len(weight)) + 0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


def test_inception_starts_from_a_torchscript_file_for_the_fid(tmp_path: Path) -> None:
    network = Regressor("inception_v3").eval()
    stems = [value for name, value in network.body.state_dict().items() if ".conv." in name]
    ported = torch.nn.Module()
    ported.net = torch.nn.Module()
    names = ("conv", *(f"conv_{i}" for i in range(1, len(stems))))
    ported.net.layers = torch.nn.ModuleDict(
        {name: Ported(torch.randn_like(weight)) for name, weight in zip(names, stems, strict=True)}
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script(ported).save(str(tmp_path / "weights.pt"))
    network.load_pretrained(tmp_path / "weights.pt")
    x, first = torch.rand(1, 3, 40, 40), ported.net.layers["conv"]
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (IMAGENET_MEAN, IMAGENET_STD))
    theirs = torch.nn.functional.conv2d((x * 255 - 128) / 128, first.weight, stride=2)
    theirs = torch.nn.functional.batch_norm(
        theirs, first.mean, first.var, bias=first.beta, eps=1e-3
    )
    with torch.no_grad():
        conv, bn = network.body.Conv2d_1a_3x3.conv, network.body.Conv2d_1a_3x3.bn
        ours = conv((x - mean) / std)
        ours = torch.nn.functional.batch_norm(
            ours, bn.running_mean, bn.running_var, bn.weight, bn.bias, eps=1e-3
        )
        assert torch.allclose(ours.relu(), theirs.relu(), atol=1e-4)
    last = network.body.get_submodule("Mixed_7c.branch_pool")
    assert torch.equal(last.conv.weight, ported.net.layers[names[-1]].weight)
    assert torch.equal(last.bn.running_mean, ported.net.layers[names[-1]].mean)
