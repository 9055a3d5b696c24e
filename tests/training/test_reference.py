"""Published weights under the names of the papers' code, from random ones of the right shapes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

pytest.importorskip("torch")

import torch
from torch import Tensor, nn

from facegauge.cli import app
from facegauge.errors import UsageError
from facegauge.nn.checkpoints import load_run
from facegauge.training.methods.dsl_fiqa import reference as dsl
from facegauge.training.methods.efficient_fiqa import reference as efficient
from facegauge.training.reference import read_weights


def student() -> tuple[dict[str, Tensor], nn.Module]:
    """The student as its authors build it: timm's network without a head, and two layers."""
    import timm

    torch.manual_seed(0)
    model = timm.create_model("edgenext_xx_small", ls_init_value=1.0)
    model.head = nn.Identity()
    quality = nn.Sequential(nn.Linear(168, 128), nn.Linear(128, 1))
    whole = nn.ModuleDict({"feature_extraction": model, "quality": quality})
    return whole.state_dict(), whole


def convert(*words: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["convert", *map(str, words)])
    return result.exit_code, result.output


def test_the_students_weights_give_the_scores_of_its_authors_network(tmp_path: Path) -> None:
    state, theirs = student()
    torch.save({"epoch": 3, "state_dict": {f"module.{k}": v for k, v in state.items()}},
               tmp_path / "student.pt")  # fmt: skip
    code, output = convert(tmp_path / "student.pt", "-o", tmp_path / "run")
    assert code == 0 and "efficient student, published, 352x352" in output
    run = load_run(tmp_path / "run")
    assert (run.spec.width, run.spec.crop_mode, run.spec.antialias) == (352, "crop", True)
    assert sum(weight.numel() for weight in run.network.parameters()) == 1_179_641
    x = torch.rand(2, 3, 96, 96)
    with torch.no_grad():
        maps = theirs["feature_extraction"].eval()(x)
        scores = theirs["quality"](maps.mean((2, 3)))[:, 0]
        assert torch.allclose(run.network(x), scores, atol=1e-5)


def test_the_teacher_is_told_by_its_names() -> None:
    with torch.device("meta"):
        from torchvision.models import swin_b

        body = swin_b().state_dict()
    state = {efficient.TEACHER + k: v for k, v in body.items() if not k.startswith("head.")}
    state |= {f"quality.{k}": torch.zeros(1) for k in ("0.weight", "0.bias", "1.weight", "1.bias")}
    assert efficient.part_of_weights(state) == "teacher"
    assert efficient.part_of_weights(student()[0]) == "student"
    assert efficient.part_of_weights({"fc.weight": torch.zeros(1)}) is None
    with pytest.raises(UsageError, match=r"not those of Efficient-FIQA's teacher: 'head.0.weight'"):
        efficient.network_of(state, "teacher")


def core_shapes() -> dict[str, tuple[int, ...]]:
    """The tensors of DSL-FIQA's core, as its public code names them."""
    import timm

    with torch.device("meta"):
        vit = timm.create_model("vit_base_patch16_384").state_dict()
    shapes = {f"vit.{name}": tuple(value.shape) for name, value in vit.items()}

    def layer(name: str, *weight: int, bias: bool = True) -> None:
        shapes[f"{name}.weight"] = weight
        if bias:
            shapes[f"{name}.bias"] = weight[:1]

    for stage, width in ((1, 768), (2, 384)):
        for block in range(2):
            for kind in ("c_q", "c_k", "c_v"):
                layer(f"tablock{stage}.{block}.{kind}", 576, 576)
        layer(f"conv{stage}", width, {768: 3072, 384: 768}[width], 1, 1)
        swin = f"swintransformer{stage}"
        layer(f"{swin}.downsample", width, width, 3, 3)
        for one in range(2):
            layer(f"{swin}.layers.{one}.conv", width, width, 3, 3)
            for block in range(2):
                at = f"{swin}.layers.{one}.blocks.{block}"
                layer(f"{at}.norm1", width)
                layer(f"{at}.norm2", width)
                layer(f"{at}.attn.qkv", 3 * width, width)
                layer(f"{at}.attn.proj", width, width)
                layer(f"{at}.mlp.fc1", 768, width)
                layer(f"{at}.mlp.fc2", width, 768)
                shapes[f"{at}.attn.relative_position_bias_table"] = (49, 4)
                shapes[f"{at}.attn.relative_position_index"] = (16, 16)
                if block:
                    shapes[f"{at}.attn_mask"] = (36, 16, 16)
    layer("conv_decoder", 256, 384, 1, 1)
    for block in range(3):
        at = f"decoder.{block}"
        layer(f"{at}.norm1", 256)
        layer(f"{at}.norm2", 256)
        shapes[f"{at}.attn.task_query"] = (1, 1, 256)
        layer(f"{at}.attn.q", 256, 256)
        layer(f"{at}.attn.kv", 512, 256)
        layer(f"{at}.attn.proj", 256, 256)
        layer(f"{at}.mlp.fc1", 1024, 256)
        layer(f"{at}.mlp.dwconv.dwconv", 1024, 1, 3, 3)
        layer(f"{at}.mlp.fc2", 256, 1024)
    layer("testmlp.0", 256, 256)
    layer("testmlp.3", 256, 256)
    layer("embed_mlp.0", 10500, 10500)
    layer("embed_mlp.3", 576, 10500)
    for head in ("fc_score", "fc_weight"):
        layer(f"{head}.0", 257, 257)
        layer(f"{head}.3", 1, 257)
    return shapes


def encoder_state() -> dict[str, Tensor]:
    """The degradation encoder's tensors, as its public code names them."""
    layers: list[nn.Module] = []
    for before, width, stride in (
        *((3, 64, 1), (64, 64, 1), (64, 128, 2)),
        *((128, 128, 1), (128, 256, 2), (256, 256, 1)),
    ):
        layers += [nn.Conv2d(before, width, 3, stride, 1), nn.BatchNorm2d(width), nn.LeakyReLU(0.1)]
    mlp = nn.Sequential(nn.Linear(256, 256), nn.LeakyReLU(0.1), nn.Linear(256, 256))
    return nn.ModuleDict({"E": nn.Sequential(*layers), "mlp": mlp}).state_dict()


def test_all_of_dsls_tensors_find_their_place() -> None:
    """On the meta device where values do not matter: the landmark branch alone has 440 MB."""
    shapes = core_shapes()
    counted = (name for name in shapes if not name.endswith(("position_index", "attn_mask")))
    assert sum(int(torch.Size(shapes[name]).numel()) for name in counted) == 251_409_764
    kept = {name: shape for name, shape in shapes.items() if not name.startswith(dsl.VIT_UNUSED)}
    with torch.device("meta"):
        state = {name: torch.empty(shape) for name, shape in kept.items()}
        core = dsl.Core(dsl.SETTINGS)
        ours = dsl.renamed(state, list(dsl._core_names()), dsl.UNUSED)
        own = core.state_dict()
    assert ours.keys() == own.keys()
    assert {name: value.shape for name, value in ours.items()} == {
        name: value.shape for name, value in own.items()
    }
    assert (
        sum(value.numel() for value in encoder_state().values() if value.ndim)
        == 1_278_784 + 2 * 896
    )
    for theirs, place in (
        ("tablock2.1.c_k.bias", "stages.5.key.bias"),
        ("swintransformer2.layers.1.blocks.0.attn.qkv.bias", "stages.7.layers.1.0.attn.qkv.bias"),
        ("swintransformer1.layers.0.conv.weight", "stages.3.convolutions.0.weight"),
        ("decoder.2.mlp.fc2.weight", "decoder.2.shrink.weight"),
        ("fc_weight.3.weight", "confidence.3.weight"),
    ):
        assert ours[place] is state[theirs], place


def test_dsls_encoder_has_the_values_of_its_file() -> None:
    state = encoder_state()
    assert dsl.is_encoder(state) and not dsl.is_core(state)
    encoder = dsl.DegradationEncoder()
    dsl.fill(encoder, dsl.renamed(state, dsl.ENCODER_NAMES), "the encoder")
    assert torch.equal(encoder.body[12].weight, state["E.12.weight"])
    assert torch.equal(encoder.project[2].bias, state["mlp.2.bias"])


def test_other_files_are_refused_in_one_line(tmp_path: Path) -> None:
    state, _ = student()
    state.pop("quality.0.bias")
    torch.save(state, tmp_path / "less.pt")
    code, output = convert(tmp_path / "less.pt", "-o", tmp_path / "run")
    assert code == 2 and "they lack 'head.0.bias'" in output and not (tmp_path / "run").exists()
    torch.save({"fc.weight": torch.zeros(2)}, tmp_path / "other.pt")
    code, output = convert(tmp_path / "other.pt", "-o", tmp_path / "run")
    assert code == 2 and "cannot tell whose weights these are; expected one file of" in output
    torch.save([1, 2], tmp_path / "list.pt")
    with pytest.raises(UsageError, match=r"list\.pt holds no weights; expected tensors by name"):
        read_weights(tmp_path / "list.pt")
    (tmp_path / "text.pt").write_text("no weights")
    with pytest.raises(UsageError, match="cannot read weights from"):
        read_weights(tmp_path / "text.pt")


@pytest.mark.slow
def test_dsls_weights_become_a_network_that_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a landmark branch of hidden width 64, which saves 440 MB."""
    monkeypatch.setattr(dsl, "SETTINGS", replace(dsl.SETTINGS, landmark_width=64))
    shapes = core_shapes()
    shapes |= {"embed_mlp.0.weight": (64, 10500), "embed_mlp.0.bias": (64,)}
    shapes["embed_mlp.3.weight"] = (576, 64)
    state = {name: 0.02 * torch.randn(shape) for name, shape in shapes.items()}
    network = dsl.network_of(encoder_state(), state)
    assert network.uses_landmarks and network.landmark_size == 500
    for ours, theirs in (
        (network.core.confidence[3].weight, "fc_weight.3.weight"),
        (network.core.tokens.vit.blocks[9].mlp.fc2.weight, "vit.blocks.9.mlp.fc2.weight"),
    ):
        assert torch.equal(ours, state[theirs])
    with torch.no_grad():
        scores = network(torch.rand(2, 3, 384, 384), torch.rand(2, 500))
    assert scores.shape == (2,) and torch.isfinite(scores).all()
