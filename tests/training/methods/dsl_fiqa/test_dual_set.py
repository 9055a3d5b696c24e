"""Dual sets: the loss against a slow loop, the sets' members, and a step of learning."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from facegauge.data.degradations import DEGRADATIONS
from facegauge.errors import UsageError
from facegauge.faces.spec import PreprocessSpec
from facegauge.results import Box
from facegauge.training.fit import fit
from facegauge.training.inputs.views import Framed, ViewMaker
from facegauge.training.methods.dsl_fiqa import dual_set
from facegauge.training.methods.dsl_fiqa.dual_set import (
    KINDS,
    LEAST_DEVIATION,
    DualSet,
    DualSetBatches,
    DualSetPlan,
    dual_set_loss,
    soft_proximity,
)
from facegauge.training.methods.dsl_fiqa.encoder import DegradationEncoder
from facegauge.training.methods.dsl_fiqa.patch_contrast import PatchContrast, patch_loss
from facegauge.training.settings import FitConfig, ViewsConfig

SPEC = PreprocessSpec(width=24, height=32)
STILL = ViewsConfig(
    shift=0, zoom=0, integer_shift_prob=1, degraded_fraction=0, second_degradation_prob=0
)


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


def faces(count: int, labels: bool = True, seed: int = 0) -> list[Framed]:
    rng = np.random.default_rng(seed)
    return [
        Framed(
            rng.integers(60, 196, (32, 24, 3), np.uint8),
            Box(0, 0, 24, 32),
            number / count if labels else None,
        )
        for number in range(count)
    ]


def batches(plan: DualSetPlan, **options: int) -> DualSetBatches:
    clean = ViewMaker(faces(3, labels=False, seed=1), SPEC, STILL)
    real = ViewMaker(faces(10), SPEC, STILL)
    return DualSetBatches(clean, real, plan, **{"steps": 5, "seed": 2, **options})


PLAN = DualSetPlan(degraded=6, real=4, good=0.85)


def test_the_fifteen_kinds_are_those_that_exist() -> None:
    assert len(KINDS) == 15 and set(KINDS) == set(DEGRADATIONS)
    assert DualSetPlan() == DualSetPlan(degraded=16, real=256, good=0.9)


def test_a_batch_depends_on_its_step_and_rank_alone() -> None:
    one, two, other = batches(PLAN), batches(PLAN), batches(PLAN, rank=1)
    two[0], two[4]
    for name, value in one[3].items():
        assert value.dtype == torch.uint8
        assert torch.equal(value, two[3][name]) and not torch.equal(value, one[2][name])
        assert not torch.equal(value, other[3][name])
    assert one[3]["degraded"].shape == (6, 32, 24, 3) and one[3]["real"].shape == (4, 32, 24, 3)


def either_way(view: torch.Tensor, pictures: list[Framed]) -> list[int]:
    """Which pictures a view is, as it is or mirrored."""
    return [
        place
        for place, picture in enumerate(pictures)
        if any(np.array_equal(way, picture.pixels) for way in (view.numpy(), view.flip(1).numpy()))
    ]


def test_s_is_one_face_clean_and_degraded() -> None:
    made = batches(PLAN)
    seen = set()
    for step in range(5):
        s = made[step]["degraded"]
        (face,) = either_way(s[0], made.clean.pictures)
        seen.add(face)
        assert all(not either_way(copy, made.clean.pictures) for copy in s[1:])
        assert len({copy.numpy().tobytes() for copy in s}) == 6
    assert len(seen) > 1


def test_r_is_different_real_faces_with_a_good_one() -> None:
    made, good = batches(PLAN, steps=40), set()
    for step in range(40):
        found = [either_way(view, made.real.pictures) for view in made[step]["real"]]
        assert all(len(places) == 1 for places in found)
        members = {places[0] for places in found}
        assert len(members) == 4 and 9 in members
        good |= members
    assert good == set(range(10))


def test_without_the_rule_r_may_lack_good_ones() -> None:
    made = batches(DualSetPlan(degraded=2, real=2, good=0), steps=20)
    has = [
        any(either_way(view, made.real.pictures) == [9] for view in made[step]["real"])
        for step in range(20)
    ]
    assert not all(has)


def test_a_share_of_r_is_degraded_too() -> None:
    plain = batches(PLAN)[0]["real"]
    spoilt = batches(replace(PLAN, spoilt=0.5))[0]["real"]
    assert [torch.equal(a, b) for a, b in zip(plain, spoilt, strict=True)] == [True] * 2 + [
        False
    ] * 2


@pytest.mark.parametrize("kinds_alone", [False, True])
def test_s_and_r_share_kind_and_severity_or_the_kind_alone(
    kinds_alone: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[tuple[str, float]] = []

    def noted(view: np.ndarray, kind: str, severity: float, rng: object) -> np.ndarray:
        done.append((kind, float(severity)))
        return view

    monkeypatch.setattr(dual_set, "degrade", noted)
    batches(replace(PLAN, spoilt=1, kinds_alone=kinds_alone))[0]
    s, r = done[: PLAN.degraded - 1], done[PLAN.degraded - 1 :]
    assert [kind for kind, _ in r] == [kind for kind, _ in s[: len(r)]]
    severities = {severity for _, severity in s}
    assert len(severities) == (1 if kinds_alone else len(s))
    assert severities.isdisjoint(severity for _, severity in r) == kinds_alone


def test_a_window_of_s_is_one_place_of_one_face() -> None:
    made = batches(replace(PLAN, window=0.5))
    batch = made[0]
    assert batch["degraded"].shape == (6, 16, 12, 3) and batch["real"].shape == (4, 16, 12, 3)
    places = [
        picture.pixels[top : top + 16, left : left + 12]
        for picture in made.clean.pictures
        for top in range(17)
        for left in range(13)
    ]
    assert any(
        np.array_equal(way, place)
        for way in (batch["degraded"][0].numpy(), batch["degraded"][0].flip(1).numpy())
        for place in places
    )


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        (DualSetPlan(real=4, good=0, window=0.0), r"above 0, up to 1, got 0\.0"),
        (DualSetPlan(real=4, good=0, spoilt=1.5), r"0\.\.1, got 1\.5"),
        (DualSetPlan(degraded=17, real=4), "2 to 16 members, got 17"),
        (DualSetPlan(real=11), "11 were asked for, there are 10"),
        (DualSetPlan(real=4, good=0.95), r"label of 0\.95 or more; lower `good`"),
        (DualSetPlan(real=4, good=0, least=0), "lowest severity"),
    ],
)
def test_what_does_not_suffice_is_named(plan: DualSetPlan, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        batches(plan)


def test_one_spec_for_both_sets() -> None:
    other = ViewMaker(faces(3), PreprocessSpec(width=30, height=32), STILL)
    with pytest.raises(UsageError, match="one input spec"):
        DualSetBatches(other, ViewMaker(faces(10), SPEC, STILL), PLAN, steps=1, seed=0)


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
        s, r = ((part - both.mean(0)) / (both.std(0) + LEAST_DEVIATION) for part in (s, r))
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


def test_patches_are_compared_as_a_slow_loop_does() -> None:
    generator = torch.Generator().manual_seed(0)
    one, other = (torch.randn(4, 5, dtype=torch.float64, generator=generator) for _ in range(2))
    total = 0.0
    for a, b in ((one, other), (other, one)):
        for i in range(4):
            cosines = [(a[i] @ b[j] / a[i].norm() / b[j].norm()).item() / 0.2 for j in range(4)]
            total -= cosines[i] - math.log(sum(math.exp(c) for c in cosines))
    assert patch_loss(one, other, 0.2)["patches"].item() == pytest.approx(total / 8, rel=1e-9)


def test_patches_of_one_picture_find_each_other_when_it_alone_has_their_colour() -> None:
    class Colour(torch.nn.Module):
        """Two cells that say the mean colour."""

        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            cells = x.mean((2, 3)).unsqueeze(1).repeat(1, 2, 1)
            return cells, cells.flatten(1)

    colours = torch.tensor([[255, 0, 0], [0, 255, 0], [0, 0, 255]], dtype=torch.uint8)
    views = colours[:, None, None].repeat(1, 32, 24, 1)
    losses = PatchContrast(SPEC, temperature=0.01)(
        Colour(), {"degraded": views[:1], "real": views[1:]}
    )
    assert losses["patches"].item() == pytest.approx(0, abs=1e-4)
    assert losses["entropy"].item() == pytest.approx(0, abs=1e-3)


def test_patches_have_their_share_and_move() -> None:
    objective, seen = PatchContrast(SPEC, share=0.5), set()
    places = torch.arange(32 * 24).view(1, 1, 32, 24)
    torch.manual_seed(0)
    for _ in range(30):
        patch = objective._cut(places)
        assert patch.shape == (1, 1, 16, 12)
        assert torch.equal(patch, places[..., :16, :12] + patch[0, 0, 0, 0])
        seen.add(patch[0, 0, 0, 0].item())
    assert len(seen) > 20
    with pytest.raises(UsageError, match="share"):
        PatchContrast(SPEC, share=1.5)


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
