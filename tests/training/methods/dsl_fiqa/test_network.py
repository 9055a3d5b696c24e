"""DSL-FIQA's core network: published counts, the weighted score, the landmark branch, export."""

from __future__ import annotations

import json
import math
from copy import deepcopy
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from facegauge.arrays import Pixels
from facegauge.data.manifests import load_manifest
from facegauge.errors import UsageError
from facegauge.evaluation.predictions import predict_with
from facegauge.faces import extraction
from facegauge.faces.landmarks import mirror_landmarks
from facegauge.faces.spec import PreprocessSpec
from facegauge.labelling.label import label
from facegauge.nn import build as networks
from facegauge.nn.checkpoints import load_run, save_run
from facegauge.nn.predictor import TorchPredictor
from facegauge.predictors import open_predictor
from facegauge.results import Box, Face
from facegauge.scorer import Scorer
from facegauge.training.export import export_run
from facegauge.training.methods.dsl_fiqa import tokens
from facegauge.training.methods.dsl_fiqa.core_settings import CODED, PAPER, CoreSettings
from facegauge.training.methods.dsl_fiqa.encoder import DegradationEncoder
from facegauge.training.methods.dsl_fiqa.heads import weighted_mean
from facegauge.training.methods.dsl_fiqa.landmark_guide import positional_encoding
from facegauge.training.methods.dsl_fiqa.network import Core, DslFiqa
from facegauge.training.methods.dsl_fiqa.tokens import CnnTokens, VitTokens
from facegauge.training.onnx_export import Shipped, check_onnx, write_onnx

SMALL = CoreSettings(
    backbone="shufflenet_v2_x0_5",
    size=(80, 64),
    tap_width=4,
    width=8,
    heads=2,
    window=(2, 2),
    mlp=8,
    decoder_width=8,
    decoder_heads=2,
    cells=(3, 2),
    cell_width=4,
    landmark_width=8,
)


def count(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def small(**changes: object) -> Core:
    """A core with heads that say something; always the same weights."""
    return deepcopy(built(replace(SMALL, **changes)))  # type: ignore[arg-type]


@cache
def built(settings: CoreSettings) -> Core:
    torch.manual_seed(1)
    core = Core(settings)
    for head in (core.quality, core.confidence):
        nn.init.normal_(head[3].weight, std=0.5)
    for block in core.decoder:
        nn.init.normal_(block.query.weight)
        nn.init.normal_(block.out.weight)
    return core.eval()


def inputs(n: int = 2) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    torch.manual_seed(1)
    return torch.randn(n, 3, 80, 64), torch.randn(n, 6, 4), torch.rand(n, 10) * 2 - 1


@pytest.fixture(scope="module")
def system() -> DslFiqa:
    torch.manual_seed(0)
    return DslFiqa(DegradationEncoder((4, 4), (3, 2)), small()).eval()


@pytest.mark.parametrize(
    ("settings", "parameters"),
    [
        (CODED, 251_409_764),
        (replace(CODED, landmarks=0), 135_099_658),
        # beside the score: two blocks, norm and head of the ViT; two convolutions, a small network
        # and three queries
        (replace(CODED, whole=False), 251_409_764 - 14_946_280 - 6_636_672 - 131_584 - 768),
        (PAPER, 114_094_373),
    ],
)
def test_parameter_counts(settings: CoreSettings, parameters: int) -> None:
    with torch.device("meta"):
        assert count(Core(settings)) == parameters


def test_our_landmark_branch_is_small_and_so_are_the_defaults() -> None:
    with torch.device("meta"):
        assert count(Core(PAPER).guide or nn.Identity()) == 10_500 * 64 + 64 + 64 * 576 + 576
        core = Core(CoreSettings())
    assert core.grid == (14, 12) and count(core) < 5_000_000


def test_score_is_the_confident_mean_of_quality() -> None:
    x, cells, landmarks = inputs()
    with torch.no_grad():
        score, quality, confidence = small().assess(x, cells, landmarks)
    assert score.shape == (2,) and quality.shape == confidence.shape == (2, 5, 4)
    assert quality.min() >= 0 and quality.std() > 0 and 0 < confidence.min() < confidence.max() < 1
    for got, q, w in zip(score, quality.flatten(1), confidence.flatten(1), strict=True):
        above = sum(a * b for a, b in zip(q.tolist(), w.tolist(), strict=True))
        assert got.item() == pytest.approx(above / sum(w.tolist()), rel=1e-5)


def test_weighted_mean_is_the_hand_worked_value_and_0_without_confidence() -> None:
    quality, confidence = (
        torch.tensor([[[1.0, 0.0], [0.5, 0.2]]]),
        torch.tensor([[[3.0, 1], [0, 2]]]),
    )
    assert weighted_mean(quality, confidence).item() == pytest.approx(3.4 / 6)
    assert weighted_mean(quality, 0 * confidence).item() == 0


def test_training_starts_at_the_mean_label() -> None:
    core = small(bias=0.41)
    for head in (core.quality, core.confidence):
        nn.init.zeros_(head[3].weight)
    with torch.no_grad():
        assert core(*inputs()).tolist() == pytest.approx([0.41] * 2)


def test_a_number_becomes_21() -> None:
    values = torch.tensor([[0.3, -0.7, 0.0]])
    got = positional_encoding(values, 10)[0].tolist()
    assert len(got) == 3 * 21
    for place, value in enumerate(values[0].tolist()):
        mine = got[place::3]
        assert mine[0] == value
        for power in range(10):
            assert mine[1 + 2 * power] == pytest.approx(math.sin(value * 2**power), abs=1e-5)
            assert mine[2 + 2 * power] == pytest.approx(math.cos(value * 2**power), abs=1e-5)


@pytest.mark.parametrize("guides", ["confidence", "both"])
def test_landmarks_guide_the_confidence_and_on_request_both(guides: str) -> None:
    core, (x, cells, landmarks) = small(guides=guides), inputs()
    with torch.no_grad():
        here, there = core.assess(x, cells, landmarks), core.assess(x, cells, -landmarks)
        none, zeros = core.assess(x, cells), core.assess(x, cells, 0 * landmarks)
    assert not torch.equal(here.confidence, there.confidence)
    assert torch.equal(here.quality, there.quality) == (guides == "confidence")
    assert torch.equal(none.score, zeros.score)
    with pytest.raises(UsageError, match="confidence or both"):
        small(guides="none")


def test_gain_makes_the_confidence_steeper_and_nothing_else() -> None:
    x, cells, landmarks = inputs()
    with torch.no_grad():
        plain = small().assess(x, cells, landmarks)
        steep = small(confidence_gain=10.0).assess(x, cells, landmarks)
    assert torch.equal(steep.quality, plain.quality)
    torch.testing.assert_close(steep.confidence.logit(), 10 * plain.confidence.logit())


def test_without_landmarks() -> None:
    core, (x, cells, landmarks) = small(landmarks=0), inputs()
    with torch.no_grad():
        assert torch.equal(core(x, cells), core(x, cells, landmarks))


def test_cells_matter_and_stay_where_they_are() -> None:
    core, (x, cells, _) = small(), inputs(1)
    with torch.no_grad():
        quality = core.assess(x, cells).quality
        others = core.assess(x, -cells), small(stretch="nearest").assess(x, cells)
    assert all((other.quality - quality).abs().max() > 1e-4 for other in others)


def test_every_weight_of_the_core_is_trained_and_none_of_the_encoder() -> None:
    core = small()
    system = DslFiqa(DegradationEncoder((4, 4), (3, 2)), core).train()
    assert core.training and not system.encoder.training
    before = {name: value.clone() for name, value in system.encoder.state_dict().items()}
    x, _, landmarks = inputs(4)
    system.assess(x, landmarks).score.square().sum().backward()
    assert all(
        torch.equal(system.encoder.state_dict()[name], value) for name, value in before.items()
    )
    assert all(p.grad is None and not p.requires_grad for p in system.encoder.parameters())
    assert [name for name, p in core.named_parameters() if p.grad is None] == []


def test_cells_of_another_kind_are_refused() -> None:
    with pytest.raises(UsageError, match=r"\[3, 2, 4\], the encoder has \[2, 3, 4\]"):
        DslFiqa(DegradationEncoder((4, 4), (2, 3)), small())


def test_a_run_folder_can_describe_it(system: DslFiqa) -> None:
    again = networks.build(json.loads(json.dumps(system.config)))
    again.load_state_dict(system.state_dict())
    x = inputs()[0]
    with torch.no_grad():
        assert torch.equal(again.eval()(x), system(x))


def test_the_heat_map_has_the_score_as_its_mean(system: DslFiqa) -> None:
    x = inputs()[0]
    with torch.no_grad():
        heat, score = system.assess(x).heat_map, system(x)
    assert heat.shape == (2, 5, 4)
    assert torch.allclose(heat.mean((1, 2)), score, atol=1e-6)


def test_it_exports(system: DslFiqa, tmp_path: Path) -> None:
    shipped, spec = Shipped(system, flip=False).eval(), PreprocessSpec(width=64, height=80)
    write_onnx(shipped, spec, tmp_path / "model.onnx")
    assert check_onnx(shipped, spec, tmp_path / "model.onnx") < 1e-5


@pytest.mark.slow
def test_landmarks_reach_the_shipped_scorer(
    system: DslFiqa, toy_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Torch and onnxruntime, judging and scoring: the same points, the same score."""
    system = deepcopy(system)
    assert system.core.guide is not None
    for weights in (system.core.guide.mlp[3].weight, system.core.confidence[0].weight):
        nn.init.normal_(weights, std=2)
    nn.init.normal_(system.core.quality[0].weight, std=1)
    for _, norm in system.core.tokens.project:  # random weights see little in a toy picture
        norm.weight.data *= 30
    for head in (system.core.quality, system.core.confidence):  # scores and shares within 0..1
        nn.init.normal_(head[3].weight, std=0.1)
    spec, data = PreprocessSpec(width=64, height=80), load_manifest(toy_data)
    save_run(
        tmp_path / "run",
        system="dsl",
        network=system,
        config=system.config,
        spec=spec,
        settings={},
    )
    monkeypatch.setattr(extraction, "CenterFace", lambda **_: found)
    run = load_run(tmp_path / "run")
    export_run(run, tmp_path / "scorer", name="toy", data=data)
    expected = predict_with(open_predictor(tmp_path / "run"), data).scores[0]
    blind = predict_with(TorchPredictor("blind", Blind(run.network), spec), data).scores[0]
    scorer = Scorer(tmp_path / "scorer", faces="whole", detector=found)
    assert scorer.score(data.paths[0]).score == pytest.approx(expected, abs=1e-5)
    assert Scorer(tmp_path / "scorer", faces="whole", detector=lambda _: []).score(
        data.paths[0]
    ).score == pytest.approx(blind, abs=1e-5)
    assert abs(expected - blind) > 1e-4
    for place in ("run", "scorer"):
        teacher = open_predictor(tmp_path / place)
        (one,) = label(teacher, data.take([0]), faces="whole", views=1, detector=found)
        assert teacher.uses_landmarks and one.raw == pytest.approx(expected, abs=1e-5)
        (one,) = label(teacher, data.take([0]), faces="whole", views=4)
        assert one.status == "ok" and one.spread is not None and one.spread > 0
    shown = scorer.heat_map(data.paths[0])
    assert shown.quality is not None and shown.confidence is not None
    mean = np.average(shown.quality, weights=shown.confidence)
    assert mean == pytest.approx(float(shown.values.mean()), abs=1e-5)


def found(pixels: Pixels) -> list[Face]:
    height, width = pixels.shape[:2]
    places = ((0.4, 0.5), (0.6, 0.5), (0.5, 0.6), (0.4, 0.75), (0.6, 0.75))
    return [Face(Box(1, 1, 9, 9), 0.9, tuple((x * width, y * height) for x, y in places))]


class Blind(nn.Module):
    """A guided network that is never told where the landmarks are."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.network(x)


@pytest.mark.slow
def test_a_guided_network_is_averaged_over_picture_and_landmarks_in_the_mirror(
    system: DslFiqa, tmp_path: Path
) -> None:
    x, _, points = inputs()
    there = torch.from_numpy(np.stack([mirror_landmarks(row) for row in points.numpy()]))
    shipped = Shipped(system, flip=True).eval()
    with torch.no_grad():
        views = system(x, points), system(x.flip(3), there)
        assert torch.allclose(shipped(x, points), (views[0] + views[1]) / 2, atol=1e-6)
        found = shipped.outputs(x, points)
        heat = [system.assess(*of).heat_map for of in ((x, points), (x.flip(3), there))]
    assert torch.allclose(found["heat_map"], (heat[0] + heat[1].flip(2)) / 2, atol=1e-6)
    assert torch.allclose(found["heat_map"].mean((1, 2)), found["score"], atol=1e-6)
    spec = PreprocessSpec(width=64, height=80)
    write_onnx(shipped, spec, tmp_path / "model.onnx")
    assert check_onnx(shipped, spec, tmp_path / "model.onnx") < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("degradation", ["none", "concat"])
def test_other_uses_of_the_cells(degradation: str, tmp_path: Path) -> None:
    core = small(degradation=degradation, landmarks=0)
    x, cells, _ = inputs()
    with torch.no_grad():
        if degradation == "none":
            encoder = None
            assert torch.equal(core(x), core(x, cells))
        else:
            encoder = DegradationEncoder((4, 4), (3, 2))
            assert not torch.allclose(core(x, cells), core(x, cells + 1), atol=1e-4)
    network = DslFiqa(encoder, core).eval()
    again = networks.build(json.loads(json.dumps(network.config)))
    again.load_state_dict(network.state_dict())
    with torch.no_grad():
        assert torch.equal(again.eval()(x), network(x))
    shipped, spec = Shipped(network, flip=True).eval(), PreprocessSpec(width=64, height=80)
    write_onnx(shipped, spec, tmp_path / "model.onnx")
    assert check_onnx(shipped, spec, tmp_path / "model.onnx") < 1e-5
    with pytest.raises(UsageError, match="encoder"):
        DslFiqa(None if encoder else DegradationEncoder((4, 4), (3, 2)), core)


@pytest.fixture
def tiny_vit(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(tokens, "VIT", "vit_tiny_patch16_384")
    return "vit_tiny_patch16_384"


def test_vit_tokens_are_the_blocks_outputs(tiny_vit: str, tmp_path: Path) -> None:
    timm = pytest.importorskip("timm")
    theirs = timm.create_model(tiny_vit, img_size=(32, 48)).eval()
    torch.save(theirs.state_dict(), tmp_path / "vit.pth")
    ours = VitTokens((32, 48)).eval()
    ours.load_pretrained(tmp_path / "vit.pth")
    seen: list[torch.Tensor] = []
    for number in (6, 7, 8, 9):
        theirs.blocks[number].register_forward_hook(lambda *hooked: seen.append(hooked[2]))
    x = torch.randn(2, 3, 32, 48)
    with torch.no_grad():
        theirs(x)
        got = ours(x)
    expected = torch.cat([out[:, 1:] for out in seen], 2).transpose(1, 2).reshape(2, -1, 2, 3)
    assert got.shape[1] == ours.channels and ours.grid == (2, 3)
    assert torch.allclose(got, expected, atol=1e-5)
    assert len(ours.vit.blocks) == 10

    torch.save({}, tmp_path / "empty.pth")
    with pytest.raises(UsageError, match="lacks"):
        ours.load_pretrained(tmp_path / "empty.pth")
    with pytest.raises(UsageError, match="cannot get"):
        ours.load_pretrained(tmp_path / "none.pth")


def test_cnn_tokens_lie_on_the_grid_of_stride_16() -> None:
    torch.manual_seed(0)
    ours = CnnTokens("shufflenet_v2_x0_5", (80, 64), 6).eval()
    x = torch.randn(2, 3, 80, 64)
    with torch.no_grad():
        got, maps = ours(x), ours.backbone.features(x)
        stride16 = ours.project[2](maps["stage3"])
        stride4 = ours.project[0](maps["maxpool"])
    assert got.shape == (2, ours.channels, *ours.grid) == (2, 24, 5, 4)
    assert torch.equal(got[:, 12:18], stride16)
    assert torch.allclose(got[:, :6], nn.functional.avg_pool2d(stride4, 4), atol=1e-6)


def test_wrong_sizes_and_backbones() -> None:
    with pytest.raises(UsageError, match="16 divides"):
        VitTokens((218, 178))
    with pytest.raises(UsageError, match="unknown backbone 'vgg'"):
        Core(replace(SMALL, backbone="vgg"))


def test_starts_from_a_backbones_weights(tmp_path: Path) -> None:
    from torchvision.models import shufflenet_v2_x0_5

    theirs = shufflenet_v2_x0_5()
    torch.save(theirs.state_dict(), tmp_path / "weights.pth")
    core = small()
    core.load_pretrained(tmp_path / "weights.pth")
    first = core.tokens.backbone.body.state_dict()["conv1.0.weight"]
    assert torch.equal(first, theirs.conv1[0].weight)
