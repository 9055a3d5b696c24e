"""The regressor: published parameter counts and costs, feature maps, and networks of the papers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from facegauge.faces.spec import PreprocessSpec
from facegauge.nn import backbones
from facegauge.nn.backbones import TAPS
from facegauge.nn.profile import profile_network
from facegauge.nn.regressor import Regressor


@pytest.mark.parametrize(
    ("backbone", "head", "parameters"),
    [
        ("mobilenet_v3_small", "linear", 927_585),
        ("shufflenet_v2_x0_5", "linear", 342_817),
        ("shufflenet_v2_x1_0", "linear", 1_254_629),
        ("mobilenet_v2", "linear", 2_225_153),
        ("edgenext_xx_small", "factorised", 1_179_641),
        ("swin_b", "factorised", 86_874_553),
        ("mobilenetv3_small_100", "linear", 1_518_881),
        ("inception_v3", "linear", 21_787_617),
    ],
)
def test_published_parameter_counts(backbone: str, head: str, parameters: int) -> None:
    with torch.device("meta"):
        network = Regressor(backbone, head=head)
    assert sum(p.numel() for p in network.parameters()) == parameters


@pytest.mark.parametrize(
    ("backbone", "tensors"),
    [
        ("mobilenet_v3_small", 242),
        ("shufflenet_v2_x0_5", 338),
        ("shufflenet_v2_x1_0", 338),
        ("mobilenet_v2", 314),
        ("efficientnet_lite0", 247),
        ("efficientnet_lite2", 322),
        ("mobilenetv3_small_100", 210),
    ],
)
def test_weights_on_disk_keep_their_names(backbone: str, tensors: int) -> None:
    """What a tracer takes as one piece decides which tensors a network has."""
    with torch.device("meta"):
        names = list(Regressor(backbone).state_dict())
    assert len(names) == tensors and names[-2:] == ["head.weight", "head.bias"]


def test_the_student_of_efficient_fiqa_costs_what_was_published() -> None:
    pytest.importorskip("fvcore")
    network = Regressor("edgenext_xx_small", head="factorised")
    cost = profile_network(network, PreprocessSpec(width=288, height=288), runs=0)
    assert cost.gflops == pytest.approx(0.3313, abs=5e-5)


def test_mspts_network_is_timms_and_costs_what_was_published() -> None:
    pytest.importorskip("fvcore")
    timm = pytest.importorskip("timm")
    theirs = timm.create_model("mobilenetv3_small_100", num_classes=1).eval()
    network = Regressor("mobilenetv3_small_100").eval()
    state = theirs.state_dict()
    network.body.load_state_dict({name: state[name] for name in network.body.state_dict()})
    network.head.load_state_dict(theirs.classifier.state_dict())
    x = torch.randn(2, 3, 70, 90)
    with torch.no_grad():
        assert torch.allclose(network(x), theirs(x)[:, 0], atol=1e-5)
    cost = profile_network(network, PreprocessSpec(width=640, height=640), runs=0)
    assert cost.gflops == pytest.approx(0.4687, abs=5e-5)


@pytest.mark.parametrize("backbone", TAPS)
def test_taps_halve_and_the_head_sees_all(backbone: str) -> None:
    with torch.device("meta"):
        network = Regressor(backbone, depths="all").eval()
        maps = network.features(torch.zeros(1, 3, 320, 480))
        for axis, side in ((2, 320), (3, 480)):  # Inception-v3 pads little: no more than nearly
            strides = [side / maps[name].shape[axis] for name in network.taps[:4]]
            assert np.round(np.log2(strides)).tolist() == [2, 3, 4, 5]
        assert network.head.in_features == sum(m.shape[1] for m in maps.values())
        assert network(torch.zeros(2, 3, 320, 480)).shape == (2,)


def test_starts_at_the_mean_label() -> None:
    network = Regressor("mobilenet_v3_small", bias=0.36).eval()
    torch.nn.init.zeros_(network.head.weight)
    assert network(torch.randn(1, 3, 64, 64)).item() == pytest.approx(0.36)


def test_the_student_is_timms_backbone_pooled_and_two_linear_layers(tmp_path: Path) -> None:
    timm = pytest.importorskip("timm")
    theirs = timm.create_model("edgenext_xx_small").eval()
    torch.save(theirs.state_dict(), tmp_path / "weights.pth")
    network = Regressor("edgenext_xx_small", head="factorised").eval()
    network.load_pretrained(tmp_path / "weights.pth")
    first, last = network.head
    x = torch.randn(2, 3, 70, 90)
    with torch.no_grad():
        pooled = theirs.forward_features(x).mean((2, 3))
        hidden = pooled @ first.weight.T + first.bias
        assert hidden.shape == (2, 128)
        assert torch.allclose(network(x), (hidden @ last.weight.T + last.bias)[:, 0], atol=1e-5)


def test_swin_is_torchvisions_with_another_head(monkeypatch: pytest.MonkeyPatch) -> None:
    from torchvision.models.swin_transformer import SwinTransformer

    small = SwinTransformer([4, 4], 16, [1, 1, 1, 1], [1, 1, 1, 1], [7, 7], num_classes=1).eval()
    monkeypatch.setattr(backbones, "classifier", lambda backbone: small)
    network = Regressor("swin_b").eval()
    network.head.load_state_dict(small.head.state_dict())
    x = torch.randn(2, 3, 70, 90)
    with torch.no_grad():
        assert torch.allclose(network(x), small(x)[:, 0], atol=1e-5)
        assert [m.shape[1] for m in network.features(x).values()] == [16, 32, 64, 128]
