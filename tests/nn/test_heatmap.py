"""Heat maps: the mean is the score, and each cell is what the head gives for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from area import area_means
from facegauge.faces.spec import PreprocessSpec
from facegauge.nn import heatmap
from facegauge.nn.regressor import Regressor
from facegauge.training import onnx_export


@pytest.mark.parametrize(("have", "want"), [((3, 5), (7, 4)), ((6, 4), (3, 8)), ((1, 1), (2, 3))])
def test_a_map_on_another_grid_keeps_its_mean(have: tuple[int, int], want: tuple[int, int]) -> None:
    maps = torch.randn(2, *have, dtype=torch.float64)
    got = heatmap.resize_area(maps, want).numpy()
    for one, other in zip(maps.numpy(), got, strict=True):
        assert other == pytest.approx(area_means(one, want))
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
            expected += [area_means(one, (7, 6)) for one in here]
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
        expected = [area_means(one, (6, 4)) for one in alone.numpy()]
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
