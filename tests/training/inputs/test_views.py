"""Views and batches: a function of the step alone, labels walked through, order kept."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch

from facegauge.faces.spec import PreprocessSpec
from facegauge.results import Box
from facegauge.training.inputs.views import (
    Framed,
    ViewBatches,
    ViewMaker,
    loader,
    mixed,
)
from facegauge.training.view_settings import BatchPlan, ViewsConfig

SPEC = PreprocessSpec(width=24, height=32)
STILL = ViewsConfig(
    shift=0, zoom=0, integer_shift_prob=1, degraded_fraction=0, second_degradation_prob=0
)


def pictures(labelled: int = 7, large: int = 2) -> list[Framed]:
    rng = np.random.default_rng(0)
    small = [
        Framed(rng.integers(0, 256, (32, 24, 3), np.uint8), Box(0, 0, 24, 32), number / 10)
        for number in range(labelled)
    ]
    big = rng.integers(0, 256, (128, 96, 3), np.uint8)
    return small + [Framed(big, Box(0, 0, 96, 128)) for _ in range(large)]


def batches(plan: BatchPlan, settings: ViewsConfig = STILL, **options: int) -> ViewBatches:
    return ViewBatches(
        ViewMaker(pictures(), SPEC, settings), plan, **{"steps": 9, "seed": 3, **options}
    )


def test_a_batch_depends_on_its_step_alone() -> None:
    plan = BatchPlan(labelled=3, distilled=2, groups=2, copies=3)
    one, two = (batches(plan, ViewsConfig()) for _ in range(2))
    two[0], two[7]
    for name, value in one[5].items():
        assert torch.equal(value, two[5][name])
    assert not torch.equal(one[5]["distilled"], one[6]["distilled"])


def test_workers_and_restarts_keep_the_order() -> None:
    made = batches(BatchPlan(labelled=2))
    expected = [made[step]["score"].tolist() for step in range(4, 9)]
    got = [batch["score"].tolist() for batch in loader(made, range(4, 9), workers=2)]
    assert got == expected


def test_every_label_is_seen_once_a_pass_across_ranks() -> None:
    seen: Counter[float] = Counter()
    ranks = [batches(BatchPlan(labelled=1), steps=7, rank=rank, world=2) for rank in range(2)]
    for step in range(7):
        for rank in ranks:
            seen.update(round(score, 3) for score in rank[step]["score"].tolist())
    assert seen == {number / 10: 2 for number in range(7)}


def test_a_still_view_of_the_inputs_size_is_the_picture_or_its_mirror() -> None:
    maker = ViewMaker(pictures(), SPEC, STILL)
    rng = np.random.default_rng(0)
    kinds = set()
    for _ in range(20):
        view = maker.plain(maker.pictures[0], rng)
        same = np.array_equal(view, maker.pictures[0].pixels)
        assert same or np.array_equal(view[:, ::-1], maker.pictures[0].pixels)
        kinds.add(same)
    assert kinds == {True, False}


def test_exact_jitter_moves_by_whole_pixels() -> None:
    settings = ViewsConfig(shift=0.2, integer_shift_prob=1, degraded_fraction=0)
    maker = ViewMaker(pictures(), SPEC, settings)
    view = maker.plain(maker.pictures[0], np.random.default_rng(5))
    values = {tuple(pixel) for pixel in maker.pictures[0].pixels.reshape(-1, 3).tolist()}
    assert {tuple(pixel) for pixel in view.reshape(-1, 3).tolist()} <= values


def test_ordered_groups_start_clean_and_get_worse() -> None:
    maker = ViewMaker(pictures(), SPEC, STILL)
    views, severities, _ = maker.ordered(maker.pictures[0], 4, np.random.default_rng(1))
    assert severities[0] == 0 and severities == sorted(severities)
    clean = views[0] if np.array_equal(views[0], maker.pictures[0].pixels) else views[0][:, ::-1]
    assert np.array_equal(clean, maker.pictures[0].pixels)
    distances = [np.abs(view.astype(float) - views[0]).mean() for view in views]
    assert distances[0] == 0 and all(distance > 0 for distance in distances[1:])


def test_severities_of_a_group_rise_within_their_range() -> None:
    maker = ViewMaker(pictures(), SPEC, replace(STILL, severity_range=(0.2, 0.4)))
    for seed in range(5):
        _, severities, _ = maker.ordered(maker.pictures[0], 3, np.random.default_rng(seed))
        assert severities[0] == 0 and 0.2 <= severities[1] < severities[2] <= 0.4


def test_a_mixed_view_is_a_blend_or_holds_a_rectangle_of_the_other() -> None:
    rng = np.random.default_rng(0)
    one, other = np.full((32, 24, 3), 200, np.uint8), np.full((32, 24, 3), 100, np.uint8)
    blends = rectangles = 0
    for _ in range(40):
        view = mixed(one, other, rng)
        if len(np.unique(view)) == 1:
            assert 100 + 20 <= view[0, 0, 0] <= 100 + 80
            blends += 1
        else:
            place = np.argwhere(view[..., 0] == 100)
            tall, wide = np.ptp(place, axis=0) + 1
            assert len(place) == tall * wide
            assert (view == 100).sum() + (view == 200).sum() == view.size
            rectangles += 1
    assert (one == 200).all()
    assert min(blends, rectangles) > 10


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_distilled_views_are_mixed_as_often_as_asked(share: float) -> None:
    flat = [Framed(np.full((32, 24, 3), 8 * n, np.uint8), Box(0, 0, 24, 32)) for n in range(30)]
    maker = ViewMaker(flat, SPEC, replace(STILL, mix_prob=share))
    free = ViewBatches(maker, BatchPlan(distilled=64), steps=1, seed=1)[0]["distilled"]
    plain = [len(np.unique(view)) == 1 and int(view[0, 0, 0]) % 8 == 0 for view in free]
    assert all(plain) if not share else sum(plain) < 16


def test_large_pictures_get_their_share() -> None:
    made = batches(BatchPlan(distilled=1, portrait_share=1.0))
    assert made.large == [7, 8]
    rng = np.random.default_rng(0)
    assert all(made._any(rng).pixels.shape[0] == 128 for _ in range(20))


def test_the_best_quarter_gets_its_share_of_what_large_pictures_leave() -> None:
    made = batches(BatchPlan(distilled=1, portrait_share=0.5, top_quartile_share=1.0))
    assert [made.maker.pictures[place].score for place in made.top_quartile] == [0.6, 0.5]
    rng = np.random.default_rng(0)
    drawn = Counter(made._any(rng).score for _ in range(200))
    assert set(drawn) == {None, 0.6, 0.5}
    assert 70 < drawn[None] < 130


@pytest.mark.parametrize("name", ["labelled", "distilled", "ordered"])
def test_what_the_plan_leaves_out_is_absent(name: str) -> None:
    others = {"labelled": 1, "distilled": 1, "groups": 1}
    others["groups" if name == "ordered" else name] = 0
    batch = batches(BatchPlan(**others))[0]
    assert name not in batch
    assert len({"labelled", "distilled", "ordered"} & set(batch)) == 2
