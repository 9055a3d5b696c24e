"""The loop: schedule, precision, resuming, and errors that say what to do."""

from __future__ import annotations

import math
from functools import partial, partialmethod
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from facegauge.errors import FacegaugeError
from facegauge.faces.spec import PreprocessSpec
from facegauge.results import Box
from facegauge.training.fit import fit, rate
from facegauge.training.inputs.views import Framed, ViewBatches, ViewMaker
from facegauge.training.settings import FitConfig
from facegauge.training.view_settings import BatchPlan, ViewsConfig
from toys import killed_at

SPEC = PreprocessSpec(width=4, height=5)


class Brightness(nn.Module):
    """One weight: the score is the mean pixel times it."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return pixels.float().mean((1, 2, 3)) / 255 * self.weight


class Squared(nn.Module):
    def forward(self, network: nn.Module, batch: dict[str, torch.Tensor]) -> dict:
        return {"mse": (network(batch["labelled"]) - batch["score"]).square().mean()}


def maker() -> ViewMaker:
    frames = [
        Framed(np.full((5, 4, 3), level, np.uint8), Box(0, 0, 4, 5), level / 255)
        for level in range(0, 250, 25)
    ]
    return ViewMaker(frames, SPEC, ViewsConfig(degraded_fraction=0))


def judge(network: nn.Module) -> dict[str, float]:
    return {"val_score": -abs(network.weight.item() - 1)}


def run(folder: Path, objective: nn.Module, network: nn.Module, **numbers: Any) -> dict:
    config = FitConfig(
        **{"steps": 60, "lr": 0.05, "warmup": 5, "ema_decay": 0.5,
           "validate_every": 20, "weight_decay": 0.0, "log_every": 20, **numbers}
    )  # fmt: skip
    batches = partial(ViewBatches, maker(), BatchPlan(labelled=4))
    return fit(
        network, objective, batches, validate=judge, folder=folder, config=config, workers=0
    )  # fmt: skip


def test_it_learns_and_leaves_a_finished_folder(tmp_path: Path) -> None:
    network = Brightness()
    best = run(tmp_path, Squared(), network)
    assert network.weight.item() == pytest.approx(1, abs=0.05)
    assert {file.name for file in tmp_path.iterdir()} == {
        "best.safetensors", "done.json", "log.jsonl"
    }  # fmt: skip
    again = Brightness()
    assert run(tmp_path, Squared(), again) == best
    assert torch.equal(again.weight, network.weight)


def test_a_loss_that_is_no_number_stops_with_advice(tmp_path: Path) -> None:
    class Broken(nn.Module):
        def forward(self, network: nn.Module, batch: dict[str, torch.Tensor]) -> dict:
            return {"mse": network.weight.sum() * math.nan}

    with pytest.raises(FacegaugeError, match=r"step 0 .* lower lr"):
        run(tmp_path, Broken(), Brightness())


def test_rate_warms_up_and_falls() -> None:
    config = FitConfig(steps=100, lr=1.0, warmup=10)
    assert [rate(step, config) for step in (0, 9, 10)] == pytest.approx([0.1, 1.0, 1.0])
    assert rate(55, config) == pytest.approx(0.01 + 0.99 / 2)
    assert rate(100, config) == pytest.approx(0.01)


class Layer(Brightness):
    """Brightness by way of a linear layer, which autocast runs in bfloat16."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[torch.dtype] = set()

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        means = pixels.float().mean((1, 2, 3))[:, None] / 255
        scores = nn.functional.linear(means, self.weight[:, None])
        if self.training:
            self.seen.add(scores.dtype)
        return scores.float().squeeze(1)


KINDS = (("fp32", torch.float32), ("bf16", torch.bfloat16), ("fp16", torch.float16))


def test_fits_of_one_process_may_differ_in_precision(tmp_path: Path) -> None:
    for precision, kind in KINDS * 2:
        network = Layer()
        run(tmp_path / f"{precision}{len(list(tmp_path.iterdir()))}", Squared(), network,
            precision=precision)  # fmt: skip
        assert network.seen == {kind}
        assert network.weight.item() == pytest.approx(1, abs=0.05)


def test_a_compiled_fit_learns_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # without the C++ compiler, which takes minutes
    eager = partialmethod(nn.Module.compile, backend="eager")
    monkeypatch.setattr("facegauge.training.learner.Task.compile", eager)
    plain, compiled = Plane(), Plane()
    run(tmp_path / "plain", Squared(), plain)
    torch.compiler.reset()
    run(tmp_path / "compiled", Squared(), compiled, compile=True)
    assert torch.allclose(compiled.hidden.weight, plain.hidden.weight, atol=1e-5)
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] > 0


def test_the_scale_of_float16_is_resumed(tmp_path: Path) -> None:
    numbers = {"precision": "fp16", "save_every": 15}
    whole, cut = Layer(), Layer()
    run(tmp_path / "whole", Squared(), whole, **numbers)
    with pytest.raises(KeyboardInterrupt), killed_at("step 40/60"):
        run(tmp_path / "cut", Squared(), cut, **numbers)
    kept = torch.load(tmp_path / "cut" / "state.pt", weights_only=True)
    assert kept["scaler"]["scale"] > 1
    again = Layer()
    run(tmp_path / "cut", Squared(), again, **numbers)
    assert torch.equal(again.weight, whole.weight)


@pytest.mark.parametrize(("cpu", "warned"), [("AVX2", True), ("AVX512", False)])
def test_a_cpu_that_emulates_bfloat16_is_warned_of(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    cpu: str,
    warned: bool,
) -> None:
    monkeypatch.setattr("torch.backends.cpu.get_cpu_capability", lambda: cpu)
    run(tmp_path / "fit", Squared(), Layer(), precision="bf16")
    assert ("fit: this CPU emulates bfloat16" in caplog.text) is warned


def test_a_first_figure_that_is_no_number_is_replaced(tmp_path: Path) -> None:
    figures = iter([math.nan, 0.2, 0.1])
    kept = fit(
        Brightness(), Squared(), partial(ViewBatches, maker(), BatchPlan(labelled=4)),
        validate=lambda network: {"val_score": next(figures)}, folder=tmp_path, workers=0,
        config=FitConfig(steps=3, warmup=0, lr=0.05, validate_every=1),
    )  # fmt: skip
    assert kept == {"step": 2, "val_score": 0.2}


class Plane(nn.Module):
    """A network with a matrix, a last row and a bias."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.hidden, self.last = nn.Linear(3, 4), nn.Linear(4, 1)

    @property
    def weight(self) -> torch.Tensor:
        """What `judge` looks at: twice the score of a middle grey."""
        return self(torch.full((1, 1, 1, 3), 128)) * 2

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        means = pixels.float().mean((1, 2)) / 255
        return self.last(self.hidden(means)).squeeze(1)


@pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="this torch has no Muon")
def test_it_learns_with_muon(tmp_path: Path) -> None:
    best = run(tmp_path, Squared(), Plane(), optimiser="muon")
    assert best["val_score"] == pytest.approx(0, abs=0.05)


@pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="this torch has no Muon")
def test_muon_goes_on_where_it_was_killed(tmp_path: Path) -> None:
    numbers = {"optimiser": "muon", "save_every": 15}
    whole, cut = Plane(), Plane()
    best = run(tmp_path / "whole", Squared(), whole, **numbers)
    with pytest.raises(KeyboardInterrupt), killed_at("step 40/60"):
        run(tmp_path / "cut", Squared(), cut, **numbers)
    again = Plane()
    assert run(tmp_path / "cut", Squared(), again, **numbers) == best
    assert torch.equal(again.hidden.weight, whole.hidden.weight)
