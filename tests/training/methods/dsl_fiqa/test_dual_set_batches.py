"""The sets S and R: their members, and what they are refused for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from dual_sets import PLAN, SPEC, STILL, batches, faces
from facegauge.data.degradations import DEGRADATIONS
from facegauge.errors import UsageError
from facegauge.faces.spec import PreprocessSpec
from facegauge.training.inputs.views import Framed, ViewMaker
from facegauge.training.methods.dsl_fiqa import dual_set_batches
from facegauge.training.methods.dsl_fiqa.config import DualSetPlan
from facegauge.training.methods.dsl_fiqa.dual_set_batches import KINDS, DualSetBatches


def test_the_fifteen_kinds_are_those_that_exist() -> None:
    assert len(KINDS) == 15 and set(KINDS) == set(DEGRADATIONS)
    assert DualSetPlan() == DualSetPlan(degraded=16, real=256, min_label=0.9)
    assert DualSetPlan().degraded == len(KINDS) + 1


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
    made = batches(DualSetPlan(degraded=2, real=2, min_label=0.0), steps=20)
    has = [
        any(either_way(view, made.real.pictures) == [9] for view in made[step]["real"])
        for step in range(20)
    ]
    assert not all(has)


def test_a_share_of_r_is_degraded_too() -> None:
    plain = batches(PLAN)[0]["real"]
    degraded = batches(replace(PLAN, degraded_fraction=0.5))[0]["real"]
    assert [torch.equal(a, b) for a, b in zip(plain, degraded, strict=True)] == [True] * 2 + [
        False
    ] * 2


@pytest.mark.parametrize("kind_only", [False, True])
def test_s_and_r_share_kind_and_severity_or_the_kind_alone(
    kind_only: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[tuple[str, float]] = []

    def noted(view: np.ndarray, kind: str, severity: float, rng: object) -> np.ndarray:
        done.append((kind, float(severity)))
        return view

    monkeypatch.setattr(dual_set_batches, "degrade", noted)
    batches(replace(PLAN, degraded_fraction=1.0, kind_only=kind_only))[0]
    s, r = done[: PLAN.degraded - 1], done[PLAN.degraded - 1 :]
    assert [kind for kind, _ in r] == [kind for kind, _ in s[: len(r)]]
    severities = {severity for _, severity in s}
    assert len(severities) == (1 if kind_only else len(s))
    assert severities.isdisjoint(severity for _, severity in r) == kind_only


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
        ({"window": 0.0}, r"window: expected .*above 0.* got 0\.0"),
        ({"degraded_fraction": 1.5}, r"degraded_fraction: expected .*0.*1.* got 1\.5"),
        ({"degraded": 17}, "degraded: expected .*2.*16.* got 17"),
        ({"real": 1}, "real: expected .*2.* got 1"),
        ({"min_severity": 0.0}, "min_severity: expected .*above 0.*5.* got 0"),
        ({"good": 0.5}, "good.*min_label"),
    ],
)
def test_numbers_out_of_range_are_named(plan: dict[str, float], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        DualSetPlan(**plan)


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        (DualSetPlan(real=11), "needs 11 faces, got 10"),
        (
            DualSetPlan(real=4, min_label=0.95),
            r"label of 0\.95 or more, got none; lower .*min_label",
        ),
    ],
)
def test_what_does_not_suffice_is_named(plan: DualSetPlan, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        batches(plan)


def test_one_spec_for_both_sets() -> None:
    other = ViewMaker(faces(3), PreprocessSpec(width=30, height=32), STILL)
    with pytest.raises(UsageError, match="one input spec"):
        DualSetBatches(other, ViewMaker(faces(10), SPEC, STILL), PLAN, steps=1, seed=0)
