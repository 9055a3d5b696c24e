"""Networks: the published counts, the taps, the ensemble's average."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from facegauge.errors import UsageError
from facegauge.faces.spec import PreprocessSpec
from facegauge.nn import backbones, heatmap
from facegauge.nn import build as networks
from facegauge.nn.backbones import TAPS
from facegauge.nn.ensemble import Ensemble
from facegauge.nn.pretrained import IMAGENET_MEAN, IMAGENET_STD
from facegauge.nn.profile import profile_network
from facegauge.nn.regressor import Regressor
from facegauge.training import onnx_export


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


def refined(values: np.ndarray, grid: tuple[int, int]) -> np.ndarray:
    """(h, w) on another grid: every cell cut into pieces that fit both, then averaged."""
    for axis, (have, want) in enumerate(zip(values.shape, grid, strict=True)):
        pieces = np.repeat(values, want, axis)
        shape = [*pieces.shape[:axis], want, have, *pieces.shape[axis + 1 :]]
        values = pieces.reshape(shape).mean(axis + 1)
    return values


@pytest.mark.parametrize(("have", "want"), [((3, 5), (7, 4)), ((6, 4), (3, 8)), ((1, 1), (2, 3))])
def test_a_map_on_another_grid_keeps_its_mean(have: tuple[int, int], want: tuple[int, int]) -> None:
    maps = torch.randn(2, *have, dtype=torch.float64)
    got = heatmap.resize_area(maps, want).numpy()
    for one, other in zip(maps.numpy(), got, strict=True):
        assert other == pytest.approx(refined(one, want))
        assert other.mean() == pytest.approx(one.mean())


@pytest.mark.parametrize("head", ["linear", "factorised"])
@pytest.mark.parametrize("depths", ["last", "all"])
def test_heat_map_is_the_head_at_every_place(depths: str, head: str) -> None:
    torch.manual_seed(0)
    network = Regressor("mobilenet_v2", depths, head=head)
    for weight in network.head.parameters():
        torch.nn.init.normal_(weight, std=0.05)
    sizes = [(27, 23), (14, 12), (7, 6), (4, 3), (4, 3)]
    maps = {
        name: torch.randn(2, network.channels[name], *size)
        for name, size in zip(network.taps, sizes, strict=True)
    }
    inputs = sum(network.channels[name] for name in network.pooled)
    with torch.no_grad():
        scores, heat = network.score(maps), network.heat_map(maps)
        bias = network.head(torch.zeros(inputs))
        expected, before = np.full((2, 7, 6), bias.item()), 0
        for name in network.pooled:
            after = before + network.channels[name]
            alone = torch.zeros(2, *maps[name].shape[2:], inputs)
            alone[..., before:after] = maps[name].permute(0, 2, 3, 1)
            here = (network.head(alone) - bias)[..., 0].double().numpy()
            expected += [refined(one, (7, 6)) for one in here]
            before = after
    assert heat.numpy() == pytest.approx(expected, abs=1e-5)
    assert heat.mean((1, 2)).numpy() == pytest.approx(scores.numpy(), abs=1e-5)
    assert heat[0].std() > 0.1


def test_a_hidden_layer_behind_the_pooling_is_shared_out_over_the_places() -> None:
    """Exact in the mean; and what the layer makes of every place where it is linear."""
    torch.manual_seed(0)
    network = Regressor("mobilenetv3_small_100").eval()
    torch.nn.init.normal_(network.head.weight, std=0.2)
    conv, x = network.body.conv_head, torch.randn(2, 3, 96, 64)
    torch.nn.init.normal_(conv.weight, std=0.3)
    torch.nn.init.normal_(conv.bias)
    with torch.no_grad():
        heat, scores = network.explain(x), network(x)
        assert heat.shape == (2, 6, 4) and heat[0].std() > 0.01
        assert heat.mean((1, 2)).numpy() == pytest.approx(scores.numpy(), abs=1e-5)
        conv.bias.fill_(100.0)  # hard-swish changes nothing there
        places = network.features(x)["blocks.5"].permute(0, 2, 3, 1).double()
        hidden = places @ conv.weight.double().flatten(1).T + 100
        alone = hidden @ network.head.weight.double()[0] + network.head.bias.double()
        expected = [refined(one, (6, 4)) for one in alone.numpy()]
        assert network.explain(x).numpy() == pytest.approx(np.stack(expected), abs=2e-3)


def test_a_hidden_layer_is_exported_with_its_heat_map(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    network = Regressor("mobilenetv3_small_100").eval()
    spec, file = PreprocessSpec(width=64, height=96), tmp_path / "model.onnx"
    shipped = onnx_export.Shipped(network, flip=False).eval()
    onnx_export.write_onnx(shipped, spec, file)
    onnx_export.check_onnx(shipped, spec, file)
    x = torch.randn(3, 3, 96, 64)
    capfd.readouterr()
    score, heat = onnxruntime.InferenceSession(str(file)).run(None, {"image": x.numpy()})
    assert capfd.readouterr().err == ""  # no warning for those who score
    with torch.no_grad():
        assert heat == pytest.approx(network.explain(x).numpy(), abs=1e-5)
    assert score == pytest.approx(heat.mean((1, 2)), abs=1e-5)


def test_ensembles_average_maps_on_the_first_grid() -> None:
    torch.manual_seed(0)
    names = ("edgenext_xx_small", "shufflenet_v2_x0_5")
    parts = {name: Regressor(name, "all").eval() for name in names}
    for part in parts.values():
        torch.nn.init.normal_(part.head.weight, std=0.3)
    x = torch.randn(2, 3, 106, 90)
    with torch.no_grad():
        first, second = (part.explain(x).numpy() for part in parts.values())
        assert (first.shape, second.shape) == ((2, 6, 5), (2, 7, 6))
        one, both = Ensemble(parts), Ensemble(parts, flip=True)
        for network in (one, both):
            means = network.explain(x).mean((1, 2))
            assert means.numpy() == pytest.approx(network(x).numpy(), abs=1e-5)
        remapped = np.stack([refined(each, (6, 5)) for each in second])
        assert one.explain(x).numpy() == pytest.approx((first + remapped) / 2, abs=1e-5)
        turned = both.explain(x.flip(3)).flip(2)
        assert torch.allclose(both.explain(x), turned, atol=1e-5)
        assert not torch.allclose(both.explain(x), one.explain(x), atol=1e-3)


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
    with pytest.raises(UsageError, match="one of last, all, strides, got"):
        Regressor("mobilenet_v2", depths="some")
    with pytest.raises(UsageError, match="linear or factorised"):
        Regressor("mobilenet_v2", head="deep")
    with torch.device("meta"):
        twin = networks.build(Regressor("mobilenet_v2", head="factorised").config)
    assert len(twin.head) == 2
