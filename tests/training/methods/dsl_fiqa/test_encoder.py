"""The degradation encoder: the paper's size, its cells, and its way to ONNX."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from facegauge.errors import UsageError
from facegauge.nn.regressor import Regressor
from facegauge.training.methods.dsl_fiqa.encoder import DegradationEncoder


def count(network: torch.nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def small(**options: object) -> DegradationEncoder:
    torch.manual_seed(0)
    return DegradationEncoder(**{"channels": (4, 6, 8), "grid": (3, 2), **options}).eval()


def test_the_papers_encoder_has_its_parameters() -> None:
    encoder = DegradationEncoder()
    cells, embedding = encoder(torch.zeros(2, 3, 32, 48))
    assert count(encoder) == 1_278_784
    assert cells.shape == (2, 96, 256) and embedding.shape == (2, 24_576)


def test_the_compact_one_has_the_stated_parameters() -> None:
    encoder = DegradationEncoder(channels=(16, 32, 64), grid=(6, 5))
    assert count(encoder) == 80_848
    assert encoder(torch.zeros(1, 3, 80, 64))[1].shape == (1, 6 * 5 * 64)


def learned(checkpointing: bool) -> tuple[dict[str, torch.Tensor], list[torch.Tensor], int]:
    """The state and the gradients of an encoder after a step, and the values that were held."""
    encoder = small().train()
    encoder.checkpointing = checkpointing
    held = 0

    def hold(tensor: torch.Tensor) -> torch.Tensor:
        nonlocal held
        held += tensor.numel()
        return tensor

    views = torch.randn(2, 3, 48, 32, generator=torch.Generator().manual_seed(1))
    with torch.autograd.graph.saved_tensors_hooks(hold, lambda tensor: tensor):
        loss = encoder(views)[1].square().mean()
    loss.backward()
    gradients = [weight.grad for weight in encoder.parameters() if weight.grad is not None]
    return encoder.state_dict(), gradients, held


def test_checkpointing_holds_less_and_changes_nothing() -> None:
    (state, gradients, held), (same, others, less) = learned(False), learned(True)
    assert less < held / 2
    for name, value in state.items():
        assert torch.equal(value, same[name]), name
    for one, other in zip(gradients, others, strict=True):
        assert torch.allclose(one, other, atol=1e-7)


def test_a_backbone_up_to_stride_8_begins_with_a_networks_weights() -> None:
    encoder = DegradationEncoder((), (6, 5), "mobilenet_v2")
    assert encoder.width == 32 and count(encoder) == 57_600
    assert encoder(torch.zeros(1, 3, 80, 64))[1].shape == (1, 6 * 5 * 32)
    network = Regressor("mobilenet_v2", "all").eval()
    encoder.eval().load_backbone(network)
    x = torch.rand(2, 3, 48, 40)
    assert torch.equal(encoder.body(x), network.features(x)["features.6"])
    with pytest.raises(UsageError, match="'mobilenet_v2' cannot take the weights of shufflenet_v2"):
        encoder.load_backbone(Regressor("shufflenet_v2_x0_5"))
    with pytest.raises(UsageError, match="unknown backbone 'resnet'"):
        DegradationEncoder((), (6, 5), "resnet")


def test_pooling_is_adaptive_where_the_grid_divides() -> None:
    encoder, x = small(), torch.rand(2, 3, 24, 16)
    maps = encoder.body(x)
    assert maps.shape == (2, 8, 6, 4)
    expected = F.adaptive_avg_pool2d(maps, (3, 2))
    cells = encoder.cells(x)
    for row in range(3):
        for column in range(2):
            assert torch.allclose(cells[:, row * 2 + column], expected[:, :, row, column])


def test_cells_keep_the_mean_elsewhere() -> None:
    encoder, x = small(grid=(4, 5)), torch.rand(1, 3, 30, 26)
    assert torch.allclose(encoder.cells(x).mean(1), encoder.body(x).mean((2, 3)), atol=1e-6)


def test_the_embedding_is_the_cells_seen_one_by_one() -> None:
    encoder, x = small(), torch.rand(2, 3, 24, 16)
    cells, embedding = encoder(x)
    assert torch.equal(cells, encoder.cells(x))
    for place in range(6):
        alone = encoder.project(cells[:, place])
        assert torch.allclose(embedding[:, place * 8 : place * 8 + 8], alone, atol=1e-6)


def test_it_is_rebuilt_from_its_config() -> None:
    encoder = small()
    assert encoder.config == {
        "kind": "degradation_encoder", "channels": [4, 6, 8], "grid": [3, 2], "backbone": "",
    }  # fmt: skip
    again = DegradationEncoder(encoder.config["channels"], encoder.config["grid"]).eval()
    again.load_state_dict(encoder.state_dict())
    x = torch.rand(1, 3, 24, 16)
    assert torch.equal(again.cells(x), encoder.cells(x))


def test_it_exports_at_a_size_that_the_grid_does_not_divide(tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    encoder, x = small(grid=(4, 5)), torch.rand(3, 3, 30, 26)
    file = str(tmp_path / "encoder.onnx")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            encoder,
            (x[:1],),
            file,
            input_names=["image"],
            output_names=["cells", "embedding"],
            dynamic_axes={name: {0: "faces"} for name in ("image", "cells", "embedding")},
            opset_version=17,
            dynamo=False,
        )
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    got = session.run(["cells"], {"image": x.numpy()})[0]
    assert np.allclose(got, encoder.cells(x).detach().numpy(), atol=1e-5)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"channels": ()}, "channels"),
        ({"backbone": "mobilenet_v2"}, "or a backbone"),
        ({"grid": (3,)}, "rows and columns"),
        ({"grid": (0, 2)}, "0"),
    ],
)
def test_wrong_numbers_are_named(options: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        small(**options)
