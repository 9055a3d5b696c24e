"""Dual-set learning: the loss against a slow loop, and a step of training."""

from __future__ import annotations

import json
import math
from functools import partial
from pathlib import Path

import pytest
import torch

from dual_sets import PLAN, SPEC, batches
from facegauge.errors import UsageError
from facegauge.training.fit import fit
from facegauge.training.methods.dsl_fiqa.dual_set import (
    EPSILON,
    DualSet,
    dual_set_loss,
    soft_proximity,
)
from facegauge.training.methods.dsl_fiqa.dual_set_batches import DualSetBatches
from facegauge.training.methods.dsl_fiqa.encoder import DegradationEncoder
from facegauge.training.methods.dsl_fiqa.patch_contrast import PatchContrast
from facegauge.training.settings import FitConfig


def slow(s: list[list[float]], r: list[list[float]], temperature: float, mean: bool):
    """S->R->S with plain loops: the loss and the entropy of the shares of R."""

    def closeness(a: list[float], b: list[float]) -> float:
        squared = sum((x - y) ** 2 for x, y in zip(a, b, strict=True))
        return -squared / (len(a) if mean else 1) / temperature

    def softmax(values: list[float]) -> list[float]:
        powers = [math.exp(value - max(values)) for value in values]
        return [power / sum(powers) for power in powers]

    loss = entropy = 0.0
    for i, own in enumerate(s):
        shares = softmax([closeness(own, other) for other in r])
        mix = [sum(a * other[d] for a, other in zip(shares, r, strict=True))
               for d in range(len(own))]  # fmt: skip
        back = softmax([closeness(mix, again) for again in s])
        loss -= math.log(back[i]) / len(s)
        entropy -= sum(a * math.log(a) for a in shares) / len(s)
    return loss, entropy


@pytest.mark.parametrize("distance", ["sum", "mean"])
@pytest.mark.parametrize("temperature", [1.0, 0.3])
def test_the_loss_is_that_of_a_slow_loop(distance: str, temperature: float) -> None:
    generator = torch.Generator().manual_seed(0)
    s = torch.randn(4, 6, dtype=torch.float64, generator=generator)
    r = torch.randn(7, 6, dtype=torch.float64, generator=generator) + 0.5
    losses = dual_set_loss(s, r, temperature, distance)
    there = slow(s.tolist(), r.tolist(), temperature, distance == "mean")
    back = slow(r.tolist(), s.tolist(), temperature, distance == "mean")
    assert losses["s_r_s"].item() == pytest.approx(there[0], rel=1e-9)
    assert losses["entropy_r"].item() == pytest.approx(there[1], rel=1e-9)
    assert losses["r_s_r"].item() == pytest.approx(back[0], rel=1e-9)
    assert losses["entropy_s"].item() == pytest.approx(back[1], rel=1e-9)


def test_entropies_change_no_gradient() -> None:
    s = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    losses = dual_set_loss(s, torch.randn(5, 4, dtype=torch.float64))
    (alone,) = torch.autograd.grad(losses["s_r_s"] + losses["r_s_r"], s, retain_graph=True)
    (logged,) = torch.autograd.grad(torch.stack(list(losses.values())).sum(), s)
    assert torch.equal(alone, logged) and alone.abs().sum() > 0


def test_sums_over_many_dimensions_saturate_and_means_do_not() -> None:
    generator = torch.Generator().manual_seed(0)
    s, r = (torch.randn(n, 24_576, generator=generator) for n in (4, 8))
    assert dual_set_loss(s, r, distance="sum")["entropy_r"] < 1e-3
    assert dual_set_loss(s, r, distance="mean")["entropy_r"] > 0.95 * math.log(8)


def test_distances_stay_exact_far_from_the_origin() -> None:
    generator = torch.Generator().manual_seed(0)
    s, r = (torch.randn(n, 8, generator=generator) for n in (3, 4))
    near, shares = soft_proximity(s, r)
    far, same = soft_proximity(s + 1000, r + 1000)
    assert torch.allclose(shares, same, atol=2e-3) and torch.allclose(near, far - 1000, atol=5e-3)


def encoder() -> DegradationEncoder:
    torch.manual_seed(0)
    return DegradationEncoder(channels=(4, 6, 8), grid=(4, 3))


def test_the_objective_is_the_loss_of_the_embeddings() -> None:
    network, batch = encoder().eval(), batches(PLAN)[0]
    objective = DualSet(SPEC, temperature=2.0, distance="mean")
    s, r = (network(objective.normalise(batch[name]))[1] for name in ("degraded", "real"))
    expected = dual_set_loss(s, r, 2.0, "mean")
    got = objective(network, batch)
    assert list(got) == ["s_r_s", "r_s_r", "entropy_r", "entropy_s"]
    for name, value in expected.items():
        assert got[name].item() == pytest.approx(value.item(), rel=1e-4)
    assert [value.requires_grad for value in got.values()] == [True, True, False, False]


@pytest.mark.parametrize("standardised", [False, True])
def test_mean_cells_are_compared(standardised: bool) -> None:
    network, batch = encoder().eval(), batches(PLAN)[0]
    objective = DualSet(
        SPEC, temperature=0.1, distance="mean", pooled=True, standardised=standardised
    )
    s, r = (
        network.project(network.cells(objective.normalise(batch[name]))).mean(1)
        for name in ("degraded", "real")
    )
    if standardised:
        both = torch.cat([s, r])
        s, r = ((part - both.mean(0)) / (both.std(0) + EPSILON) for part in (s, r))
    expected, got = dual_set_loss(s, r, 0.1, "mean"), objective(network, batch)
    for name, value in expected.items():
        assert got[name].item() == pytest.approx(value.item(), rel=1e-3)


@pytest.mark.parametrize(
    ("options", "words"),
    [({"distance": "l1"}, "sum or mean, got 'l1'"), ({"temperature": 0}, "above 0, got 0")],
)
def test_wrong_settings_are_named(options: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        DualSet(SPEC, **options)
    if "temperature" in options:
        with pytest.raises(UsageError, match=words):
            PatchContrast(SPEC, **options)


@pytest.mark.parametrize(
    ("objective", "first"),
    [
        (DualSet(SPEC, temperature=0.01, distance="mean"), {"s_r_s": 1.7926, "r_s_r": 1.3970}),
        (PatchContrast(SPEC), {"patches": 2.0533}),
    ],
)
def test_the_loop_trains_it(
    objective: torch.nn.Module, first: dict[str, float], tmp_path: Path
) -> None:
    network = encoder()
    before = {name: value.clone() for name, value in network.named_parameters()}
    made = batches(PLAN)
    config = FitConfig(steps=2, lr=1e-3, warmup=1, validate_every=2, log_every=1)
    fit(
        network,
        objective,
        partial(DualSetBatches, made.clean, made.real, PLAN),
        validate=lambda network: {"val_score": 0.0},
        folder=tmp_path,
        config=config,
        workers=0,
    )
    row = json.loads((tmp_path / "log.jsonl").read_text().splitlines()[0])
    assert {name: row[name] for name in first} == pytest.approx(first, rel=0.01)
    assert any(name.startswith("entropy") for name in row)
    assert all(not torch.equal(before[name], value) for name, value in network.named_parameters()
               if "project" in name)  # fmt: skip
