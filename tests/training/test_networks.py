"""Networks: the published counts, the taps, the ensemble's average."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from facegauge.errors import UsageError
from facegauge.training import networks
from facegauge.training.networks.ensemble import Ensemble
from facegauge.training.networks.regressor import TAPS, Regressor


@pytest.mark.parametrize(
    ("backbone", "parameters"),
    [
        ("mobilenet_v3_small", 927_585),
        ("shufflenet_v2_x0_5", 342_817),
        ("shufflenet_v2_x1_0", 1_254_629),
        ("mobilenet_v2", 2_225_153),
    ],
)
def test_published_parameter_counts(backbone: str, parameters: int) -> None:
    network = Regressor(backbone)
    assert sum(p.numel() for p in network.parameters()) == parameters


@pytest.mark.parametrize("backbone", TAPS)
def test_taps_halve_and_the_head_sees_all(backbone: str) -> None:
    network = Regressor(backbone, depths="all").eval()
    maps = network.features(torch.zeros(1, 3, 64, 96))
    strides = [64 // maps[name].shape[2] for name in network.taps]
    assert strides[:4] == [4, 8, 16, 32]
    assert network.head.in_features == sum(m.shape[1] for m in maps.values())
    assert network(torch.zeros(2, 3, 64, 96)).shape == (2,)


def test_starts_at_the_mean_label() -> None:
    network = Regressor("mobilenet_v3_small", bias=0.36).eval()
    torch.nn.init.zeros_(network.head.weight)
    assert network(torch.randn(1, 3, 64, 64)).item() == pytest.approx(0.36)


def test_start_from_a_file_in_torchvisions_layout(tmp_path: Path) -> None:
    from torchvision.models import mobilenet_v2

    torch.save(mobilenet_v2().state_dict(), tmp_path / "weights.pth")
    network = Regressor("mobilenet_v2")
    before = network.body.state_dict()["features.0.0.weight"].clone()
    network.start_from(tmp_path / "weights.pth")
    assert not torch.equal(before, network.body.state_dict()["features.0.0.weight"])
    with pytest.raises(UsageError, match="lacks"):
        Regressor("mobilenet_v3_small").start_from(tmp_path / "weights.pth")
    with pytest.raises(UsageError, match="cannot get"):
        network.start_from(tmp_path / "missing.pth")


def test_ensemble_is_the_plain_average() -> None:
    parts = {name: Regressor(name).eval() for name in ("mobilenet_v3_small", "shufflenet_v2_x0_5")}
    x = torch.randn(3, 3, 64, 64)
    with torch.no_grad():
        mean = (parts["mobilenet_v3_small"](x) + parts["shufflenet_v2_x0_5"](x)) / 2
        assert torch.allclose(Ensemble(parts)(x), mean)
        flipped = Ensemble(parts, flip=True)
        assert torch.allclose(flipped(x), flipped(x.flip(3)), atol=1e-6)


def test_build_round_trip_and_errors() -> None:
    member = {"kind": "regressor", "backbone": "shufflenet_v2_x0_5", "depths": "all", "bias": 0.4}
    network = networks.build({"kind": "ensemble", "members": {"a": member}, "flip": True})
    assert network.flip and list(network.members) == ["a"]
    with pytest.raises(UsageError, match="unknown network kind 'tree'"):
        networks.build({"kind": "tree"})
    with pytest.raises(UsageError, match="unknown backbone 'vgg'"):
        Regressor("vgg")
    with pytest.raises(UsageError, match="last or all"):
        Regressor("mobilenet_v2", depths="some")
