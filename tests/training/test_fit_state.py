"""What a fit keeps: averaged weights, the best figures, the log."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
from torch import nn

from facegauge.errors import UsageError
from facegauge.training.fit_state import FitState, Log, finished, load_best, update_ema

IDLE = torch.amp.GradScaler("cpu", enabled=False)


def test_average_is_the_hand_worked_value() -> None:
    network = nn.Linear(1, 1, bias=False)
    ema = {"weight": torch.zeros(1, 1)}
    network.weight.data.fill_(1.0)
    update_ema(ema, network, 0.9, step=1000)
    update_ema(ema, network, 0.9, step=1000)
    assert ema["weight"].item() == pytest.approx(1 - 0.9**2)


def test_log_drops_what_comes_after_the_resume_and_cut_lines(tmp_path: Path) -> None:
    file = tmp_path / "log.jsonl"
    file.write_text('{"step": 10}\n{"step": 20}\n{"step": 30}\n{"st')
    Log(file, step=20, writes=True).write({"step": 25})
    assert [json.loads(line)["step"] for line in file.read_text().splitlines()] == [10, 20, 25]


def test_a_state_that_was_saved_is_resumed(tmp_path: Path) -> None:
    torch.manual_seed(0)

    def state() -> FitState:
        network, objective = nn.Linear(2, 1), nn.Linear(1, 1)
        weights = [*network.parameters(), *objective.parameters()]
        return FitState(tmp_path, network, objective, [torch.optim.AdamW(weights)], IDLE)

    one, other = state(), state()
    assert not one.resume()
    one.network(torch.ones(1, 2)).sum().backward()
    one.optimisers[0].step()
    update_ema(one.ema, one.network, 0.5, step=100)
    one.step = 7
    assert one.is_best({"val_score": 0.5})
    one.save()
    assert other.resume()
    assert (other.step, other.best) == (7, {"step": 7, "val_score": 0.5})
    assert torch.equal(other.network.weight, one.network.weight)
    assert torch.equal(other.objective.weight, one.objective.weight)
    assert torch.equal(other.ema["weight"], one.ema["weight"])
    assert len(other.optimisers[0].state) == len(one.optimisers[0].state) > 0


def test_the_best_figures_and_weights_are_kept(tmp_path: Path) -> None:
    network = nn.Linear(1, 1)
    state = FitState(tmp_path, network, nn.Identity(), [], IDLE)
    kept = [state.is_best({"val_score": score}) for score in (math.nan, 0.2, 0.2, 0.1, 0.3)]
    assert kept == [True, True, False, False, True]
    state.ema = {name: torch.full_like(value, 3.0) for name, value in state.ema.items()}
    state.save_best()
    assert finished(tmp_path) is None
    state.save()
    state.finish()
    assert finished(tmp_path) == {"step": 0, "val_score": 0.3}
    load_best(tmp_path, network)
    assert network.weight.item() == 3.0
    assert not (tmp_path / "state.pt").exists()


def test_a_state_of_version_0_1_is_refused_by_name(tmp_path: Path) -> None:
    network = nn.Linear(1, 1)
    torch.save({"network": network.state_dict(), "average": {}, "step": 3}, tmp_path / "state.pt")
    with pytest.raises(UsageError, match=r"state\.pt was written by version 0\.1"):
        FitState(tmp_path, network, nn.Identity(), [], IDLE).resume()
