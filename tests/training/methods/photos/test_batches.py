"""Batches of photos, crops and the pool: what they hold, and what a view is told."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from facegauge.faces.spec import PreprocessSpec
from facegauge.results import Box
from facegauge.training.config import apply_overrides, load_preset
from facegauge.training.inputs.views import Batch, Framed
from facegauge.training.methods.photos.batches import PhotoBatches
from facegauge.training.methods.photos.config import PhotosConfig
from facegauge.training.methods.photos.pool import Pool

SPEC = PreprocessSpec(width=16, height=20, interpolation="bilinear")
UNCHANGED = dict.fromkeys(("tint", "enlarge", "claim", "untold", "photo_jpeg", "crop_jpeg"), 0.0)


def config(**changes: float) -> PhotosConfig:
    counts = {"photos": 4, "unlabelled_photos": 2, "crops": 3, "unlabelled": 2, "pool": 3}
    pairs = [f"batch.{name}={count}" for name, count in counts.items()]
    pairs += [f"changes.{name}={value}" for name, value in {**UNCHANGED, **changes}.items()]
    pairs += ["views.shift=0", "views.zoom=0", "views.integer_shift_prob=1.0"]
    found: PhotosConfig = apply_overrides(load_preset("photos", "cpu"), pairs)
    return found


def pictures(count: int, width: int, first: float) -> list[Framed]:
    """Ramps of colour; every picture has its own score."""
    ramp = np.linspace(0, 255, width).astype(np.uint8)
    out = []
    for number in range(count):
        pixels = np.broadcast_to(ramp[None, :, None], (width * 5 // 4, width, 3)).copy()
        pixels[..., 1] = 200 - number
        out.append(Framed(pixels, Box(0, 0, width, width * 5 // 4), first + number / 1000))
    return out


SOURCES = {
    "photos": pictures(12, 64, 0.1),
    "unlabelled_photos": pictures(6, 32, 0.3),
    "crops": pictures(9, 16, 0.5),
    "unlabelled": pictures(6, 16, 0.7),
}
POOL = Pool(
    np.full((6, 20, 16, 3), 90, np.uint8),
    0.9 + np.arange(6) / 1000,
    np.array([100.0, np.nan] * 3),
    np.array([1.5] * 6),
)
KINDS = (("photos", 4), ("unlabelled_photos", 2), ("crops", 3), ("unlabelled", 2), ("pool", 3))
STARTS = np.cumsum([0, *(count for _, count in KINDS)])
ROWS = {name: slice(STARTS[k], STARTS[k + 1]) for k, (name, _) in enumerate(KINDS)}


def batch(step: int = 3, settings: PhotosConfig | None = None, **options: Any) -> Batch:
    arguments = {"steps": 50, "seed": 7, **options}
    return PhotoBatches(SOURCES, POOL, SPEC, settings or config(), **arguments)[step]


def test_a_batch_holds_every_source_with_what_is_known_of_it() -> None:
    found = batch()
    assert {name: value.shape[1:] for name, value in found.items()} == {
        "views": (20, 16, 3), "score": (), "regime": (), "is_label": (), "width": (), "size": (1,)
    }  # fmt: skip
    assert found["views"].dtype == torch.uint8 and len(found["score"]) == 14
    size, width, score = found["size"][:, 0], found["width"], found["score"]
    assert found["regime"].tolist() == [0] * 6 + [1] * 5 + [0] * 3
    assert found["is_label"].tolist() == [True] * 4 + [False] * 2 + [True] * 3 + [False] * 5
    for name, octaves, pixels in (
        ("photos", 2, 64), ("unlabelled_photos", 1, 32), ("crops", 0, None), ("unlabelled", 0, None)
    ):  # fmt: skip
        rows = ROWS[name]
        assert size[rows].tolist() == [octaves] * (rows.stop - rows.start)
        assert width[rows].isnan().all() if pixels is None else (width[rows] == pixels).all()
        labels = [one.score for one in SOURCES[name]]
        assert all(min(abs(one - label) for label in labels) < 1e-6 for one in score[rows].tolist())
    assert size[ROWS["pool"]].tolist() == [1.5] * 3
    for one, known in zip(score[ROWS["pool"]].tolist(), width[ROWS["pool"]].tolist(), strict=True):
        row = round((one - 0.9) * 1000)
        assert np.array_equal(known, POOL.widths[row], equal_nan=True)
    assert (found["views"][ROWS["pool"]] == 90).all()


def test_crops_are_the_pictures_some_of_them_mirrored() -> None:
    mirrored = 0
    for step in range(6):
        found = batch(step)
        rows = ROWS["crops"]
        for view, score in zip(found["views"][rows], found["score"][rows], strict=True):
            own = SOURCES["crops"][round((score.item() - 0.5) * 1000)].pixels
            flipped = not np.array_equal(view.numpy(), own)
            assert np.array_equal(view.numpy(), own[:, ::-1] if flipped else own)
            mirrored += flipped
    assert 3 < mirrored < 15


def same(one: Batch, other: Batch) -> bool:
    return all(torch.equal(one[name].nan_to_num(9), other[name].nan_to_num(9)) for name in one)


def test_a_batch_is_a_function_of_seed_step_and_rank() -> None:
    changed = config(**dict.fromkeys(UNCHANGED, 0.5))
    assert same(batch(3, changed), batch(3, changed))
    others = [batch(4, changed), batch(3, changed, seed=8), batch(3, changed, rank=1, world=2)]
    assert not any(same(batch(3, changed), other) for other in others)


def test_every_picture_comes_once_in_a_pass_over_all_processes() -> None:
    for name in ("photos", "crops"):
        rows = ROWS[name]
        turns = len(SOURCES[name]) // (rows.stop - rows.start)
        scores = []
        for turn in range(turns):
            step, rank = divmod(turn, 2)
            scores += batch(step, rank=rank, world=2)["score"][rows].tolist()
        assert sorted(scores) == pytest.approx([one.score for one in SOURCES[name]])


def test_sources_and_a_pool_that_are_not_there_are_left_out() -> None:
    none = Pool(POOL.views[:0], POOL.scores[:0], POOL.widths[:0], POOL.sizes[:0])
    some = {**SOURCES, "unlabelled": [], "unlabelled_photos": []}
    found = PhotoBatches(some, none, SPEC, config(), steps=1, seed=0)[0]
    assert found["is_label"].all() and len(found["score"]) == 7


def test_an_untold_size_is_nan_in_its_share() -> None:
    assert batch(0, config(untold=1.0))["size"].isnan().all()
    assert not batch(0)["size"].isnan().any()
    told = torch.cat([batch(step, config(untold=0.3))["size"] for step in range(40)])
    assert 0.2 < told.isnan().float().mean() < 0.4


def test_a_claim_changes_what_is_told_and_nothing_else() -> None:
    plain, claimed = batch(0), batch(0, config(claim=1.0))
    rows = slice(0, 6)  # photos, labelled or not
    more = (claimed["size"] - plain["size"])[:, 0]
    assert (more[rows] > 0).all() and (more[rows] <= 2).all() and (more[6:] == 0).all()
    assert more[rows].std() > 0.1
    assert torch.equal(claimed["width"][rows], plain["width"][rows])
    assert torch.equal(claimed["score"], plain["score"])
    for view, own in zip(claimed["views"][rows], plain["views"][rows], strict=True):
        assert torch.equal(view, own) or torch.equal(view.flip(1), own)


def test_an_enlargement_is_told_and_its_original_width_is_kept() -> None:
    larger = config(enlarge=1.0)
    found = [batch(step, larger) for step in range(8)]
    sizes = torch.cat([one["size"][ROWS["photos"], 0] for one in found])
    assert (sizes > 2 + np.log2(1.3)).all() and (sizes < 4.05).all() and sizes.max() > 3
    assert all((one["width"][ROWS["photos"]] == 64).all() for one in found)
    assert all((one["size"][6:] == batch(0)["size"][6:]).all() for one in found)


def test_enlargements_stop_at_a_width() -> None:
    wide = [Framed(np.zeros((50, 1500, 3), np.uint8), Box(0, 0, 1500, 1875), 0.5)]
    sources = {**SOURCES, "photos": wide}
    found = PhotoBatches(sources, POOL, SPEC, config(enlarge=1.0), steps=1, seed=0)[0]
    assert found["size"][:4, 0].tolist() == pytest.approx([np.log2(1600 / 16)] * 4, abs=1e-3)


def test_tints_and_compression_change_pixels_and_nothing_else() -> None:
    plain = batch(0)
    for name in ("tint", "photo_jpeg", "crop_jpeg"):
        changed = batch(0, config(**{name: 1.0}))
        assert all(torch.equal(plain[k].nan_to_num(9), changed[k].nan_to_num(9)) for k in
                   ("score", "regime", "is_label", "width", "size")), name  # fmt: skip
        unlike = [
            not torch.equal(a, b) and not torch.equal(a.flip(1), b)
            for a, b in zip(plain["views"], changed["views"], strict=True)
        ]
        photos, crops = all(unlike[:6]), all(unlike[6:11])
        assert (photos, crops) == (name != "crop_jpeg", name != "photo_jpeg")
