"""The loop: schedule, weight average, log, and errors that say what to do."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from facegauge.errors import FacegaugeError, UsageError
from facegauge.faces.spec import PreprocessSpec
from facegauge.results import Box
from facegauge.training.fit import FitSettings, Log, fit, rate, update_average
from facegauge.training.inputs.views import BatchPlan, Framed, ViewBatches, ViewMaker, ViewSettings

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
    return ViewMaker(frames, SPEC, ViewSettings(degraded=0))


def judge(network: nn.Module) -> dict[str, float]:
    return {"criterion": -abs(network.weight.item() - 1)}


def quiet(line: str) -> None:
    pass


def run(
    folder: Path, objective: nn.Module, network: nn.Module, say: Callable = quiet, **numbers: Any
) -> dict:
    settings = FitSettings(
        **{"steps": 60, "lr": 0.05, "warmup": 5, "average": 0.5, "workers": 0,
           "validate_every": 20, "weight_decay": 0.0, "log_every": 20, **numbers}
    )  # fmt: skip
    batches = partial(ViewBatches, maker(), BatchPlan(labelled=4))
    return fit(
        network, objective, batches, validate=judge, folder=folder, settings=settings,
        say=say,
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
    settings = FitSettings(steps=100, lr=1.0, warmup=10)
    assert [rate(step, settings) for step in (0, 9, 10)] == pytest.approx([0.1, 1.0, 1.0])
    assert rate(55, settings) == pytest.approx(0.01 + 0.99 / 2)
    assert rate(100, settings) == pytest.approx(0.01)


def test_average_is_the_hand_worked_value() -> None:
    network = Brightness()
    average = {"weight": torch.zeros(1)}
    network.weight.data.fill_(1.0)
    update_average(average, network, 0.9, step=1000)
    update_average(average, network, 0.9, step=1000)
    assert average["weight"].item() == pytest.approx(1 - 0.9**2)


def test_log_drops_what_comes_after_the_resume_and_cut_lines(tmp_path: Path) -> None:
    file = tmp_path / "log.jsonl"
    file.write_text('{"step": 10}\n{"step": 20}\n{"step": 30}\n{"st')
    Log(file, first=20, writes=True).write({"step": 25})
    assert [json.loads(line)["step"] for line in file.read_text().splitlines()] == [10, 20, 25]


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


def test_fits_of_one_process_may_differ_in_precision(tmp_path: Path) -> None:
    for precision, kind in (("no", torch.float32), ("bf16", torch.bfloat16)) * 2:
        network = Layer()
        run(tmp_path / f"{precision}{len(list(tmp_path.iterdir()))}", Squared(), network,
            precision=precision)  # fmt: skip
        assert network.seen == {kind}
        assert network.weight.item() == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize(("cpu", "warned"), [("AVX2", True), ("AVX512", False)])
def test_a_cpu_that_only_imitates_bfloat16_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cpu: str, warned: bool
) -> None:
    monkeypatch.setattr("torch.backends.cpu.get_cpu_capability", lambda: cpu)
    said: list[str] = []
    run(tmp_path / "fit", Squared(), Layer(), precision="bf16", say=said.append)
    assert any("only imitates bfloat16" in line for line in said) is warned


@pytest.mark.parametrize("name", ["validate_every", "save_every", "log_every"])
def test_an_interval_of_no_steps_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=f"{name} to be 1 or more, got 0"):
        FitSettings(steps=1, lr=0.1, **{name: 0})


def test_a_first_figure_that_is_no_number_is_replaced(tmp_path: Path) -> None:
    figures = iter([math.nan, 0.2, 0.1])
    kept = fit(
        Brightness(), Squared(), partial(ViewBatches, maker(), BatchPlan(labelled=4)),
        validate=lambda network: {"criterion": next(figures)}, folder=tmp_path, say=quiet,
        settings=FitSettings(steps=3, lr=0.05, workers=0, validate_every=1),
    )  # fmt: skip
    assert kept == {"step": 2, "criterion": 0.2}


def test_an_unknown_precision_is_refused() -> None:
    with pytest.raises(UsageError, match="precision to be no or bf16, got 'fp16'"):
        FitSettings(steps=1, lr=0.1, precision="fp16")


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
    assert best["criterion"] == pytest.approx(0, abs=0.05)


@pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="this torch has no Muon")
def test_muon_goes_on_where_it_was_killed(tmp_path: Path) -> None:
    def killed(line: str) -> None:
        if "step 40/60" in line:
            raise KeyboardInterrupt

    numbers = {"optimiser": "muon", "save_every": 15}
    whole, cut = Plane(), Plane()
    best = run(tmp_path / "whole", Squared(), whole, **numbers)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut", Squared(), cut, killed, **numbers)
    again = Plane()
    assert run(tmp_path / "cut", Squared(), again, **numbers) == best
    assert torch.equal(again.hidden.weight, whole.hidden.weight)


def test_an_unknown_optimiser_is_refused() -> None:
    with pytest.raises(UsageError, match="optimiser to be adamw or muon, got 'sgd'"):
        FitSettings(steps=1, lr=0.1, optimiser="sgd")
