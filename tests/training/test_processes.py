"""Several processes and accumulated batches learn what one process with one batch learns."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.utils.data import Dataset  # noqa: E402

from facegauge.errors import UsageError  # noqa: E402
from facegauge.faces.spec import PreprocessSpec  # noqa: E402
from facegauge.training.config import apply_overrides, load_preset  # noqa: E402
from facegauge.training.fit import fit  # noqa: E402
from facegauge.training.learner import synchronise  # noqa: E402
from facegauge.training.objectives import ScoreLoss, Supervised  # noqa: E402
from facegauge.training.run_folder import processes_at_first, take_folder  # noqa: E402
from facegauge.training.settings import FitConfig  # noqa: E402
from ranks import in_processes  # noqa: E402
from toys import killed_at  # noqa: E402

SPEC = PreprocessSpec(width=4, height=5)
STEPS, ROWS, LAST = 60, 16, 7  # the last step is shorter
LOSSES = {
    "mse_corr": ScoreLoss("mse_corr", 1.5),
    "mse_plcc": ScoreLoss("mse_plcc", 1.0),
    "ranked": ScoreLoss("charbonnier", 0.0, 0.5),
}


class Small(nn.Module):
    """A network without batch norms, with dropout if it is asked for."""

    def __init__(self, dropout: float = 0.0) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.hidden, self.last = nn.Linear(60, 8), nn.Linear(8, 1)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.dropout(torch.tanh(self.hidden(x.flatten(1))))).squeeze(1)


class Rows(Dataset[dict[str, torch.Tensor]]):
    """The rows of a step, divided as evenly as may be between the processes."""

    def __init__(self, *, steps: int, seed: int, rank: int = 0, world: int = 1) -> None:
        self.steps, self.rank, self.world = steps, rank, world

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, step: int) -> dict[str, torch.Tensor]:
        generator = torch.Generator().manual_seed(step)
        total = LAST if step + 1 == self.steps else ROWS
        views = torch.randint(0, 256, (total, 5, 4, 3), dtype=torch.uint8, generator=generator)
        batch = {
            "labelled": views,
            "score": views[:, :2].float().mean((1, 2, 3)) / 255,
            "sample_weight": torch.rand(total, generator=generator),
        }
        return {name: rows.tensor_split(self.world)[self.rank] for name, rows in batch.items()}


def improved() -> Callable[[nn.Module], dict[str, float]]:
    """A validation that finds every network better than the last one."""
    figures = count()
    return lambda network: {"val_score": float(next(figures))}


def learned(
    folder: Path, name: str, accumulate: int = 1, processes: int | None = None, **more: Any
) -> dict[str, Any]:
    """The weights of a small network after a fit that began with so many processes."""
    network = Small()
    config = FitConfig(
        steps=STEPS, lr=0.02, warmup=5, ema_decay=0.0, accumulate=accumulate, log_every=STEPS,
        validate_every=20, save_every=15, weight_decay=0.0, **more,
    )  # fmt: skip
    fit(
        network,
        Supervised(SPEC, LOSSES[name], 0.0, 0.0),
        Rows,
        validate=improved(),
        folder=folder / f"{name}{accumulate}",
        config=config,
        workers=0,
        processes=processes,
    )
    return {key: value.detach().numpy().copy() for key, value in network.state_dict().items()}


def all_learned(folder: Path, accumulate: int) -> dict[str, Any]:
    return {name: learned(folder, name, accumulate) for name in LOSSES}


def begun(folder: Path) -> None:
    """A fit of two processes that is killed after its 40th step; the 30th is saved."""
    with pytest.raises(KeyboardInterrupt), killed_at("step 40/60"):
        learned(folder, "mse_corr")


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What one process learns from whole batches."""
    return all_learned(tmp_path_factory.mktemp("alone"), 1)


def apart(found: dict[str, Any], wanted: dict[str, Any]) -> float:
    """The largest difference of two weights, of the fits in `found`."""
    pairs = [(found[name][key], wanted[name][key]) for name in found for key in wanted[name]]
    return max(float(abs(one - other).max()) for one, other in pairs)


def test_accumulated_batches_equal_one(alone: dict[str, Any], tmp_path: Path) -> None:
    assert apart(all_learned(tmp_path, 2), alone) < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize(("processes", "accumulate"), [(2, 1), (3, 1), (2, 2)])
def test_processes_equal_one(
    alone: dict[str, Any], tmp_path: Path, processes: int, accumulate: int
) -> None:
    for found in in_processes(processes, all_learned, tmp_path, accumulate):
        assert apart(found, alone) < 1e-5


@pytest.mark.slow
def test_a_resumed_run_goes_on_with_its_batches_in_fewer_processes(
    alone: dict[str, Any], tmp_path: Path
) -> None:
    in_processes(2, begun, tmp_path)
    assert apart({"mse_corr": learned(tmp_path, "mse_corr", processes=2)}, alone) < 1e-5


def test_more_processes_than_a_step_has_batches_are_refused(tmp_path: Path) -> None:
    words = "began with 1 process and a step has 1 batches, which 2 processes cannot share equally"
    with pytest.MonkeyPatch.context() as patched:
        process = SimpleNamespace(num_processes=2, process_index=0)
        patched.setattr("facegauge.training.inputs.shares.this_process", lambda: process)
        with pytest.raises(UsageError, match=words):
            learned(tmp_path, "mse_corr", processes=1)


def test_a_run_folder_knows_how_many_processes_began_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = load_preset("light_ensemble", "cpu")

    def run_with(processes: int) -> None:
        process = SimpleNamespace(
            num_processes=processes, is_main_process=True, wait_for_everyone=lambda: None
        )
        for module in ("run_folder", "inputs.shares"):
            monkeypatch.setattr(f"facegauge.training.{module}.this_process", lambda: process)

    run_with(4)
    assert processes_at_first(config, tmp_path) == 4
    lock = take_folder(config, tmp_path)
    assert lock is not None
    lock.close()
    run_with(2)
    assert processes_at_first(config, tmp_path) == 4
    run_with(3)
    with pytest.raises(UsageError, match="resume it with a number of processes that divides 4"):
        processes_at_first(config, tmp_path)
    doubled = apply_overrides(config, ["teachers.mobilenet_v2.fit.accumulate=3"])
    with pytest.raises(UsageError, match="divides 4"):
        processes_at_first(doubled, tmp_path)


def test_batch_norms_are_made_to_see_all_processes_on_gpus_only() -> None:
    def network() -> nn.Sequential:
        return nn.Sequential(nn.Conv2d(3, 4, 3), nn.Sequential(nn.BatchNorm2d(4)))

    with pytest.raises(UsageError, match="sync_batch_norm needs GPUs"):
        synchronise(network(), nn.Identity(), torch.device("cpu"))
    with pytest.raises(UsageError, match="no batch norms that torch can replace"):
        synchronise(Small(), nn.Identity(), torch.device("cuda"))
    found = network()
    weights = {name: value.clone() for name, value in found.state_dict().items()}
    adapter = nn.Sequential(nn.BatchNorm1d(4))
    synchronise(found, adapter, torch.device("cuda"))
    kinds = [type(one) for part in (found, adapter) for one in part.modules()]
    assert kinds.count(nn.SyncBatchNorm) == 2
    assert nn.BatchNorm2d not in kinds and nn.BatchNorm1d not in kinds
    assert found.state_dict().keys() == weights.keys()
    assert all(torch.equal(value, weights[name]) for name, value in found.state_dict().items())
