"""Batches of photos, crops and the pool: what they hold."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from facegauge.faces.spec import PreprocessSpec
from facegauge.results import Box
from facegauge.training.config import apply_overrides, load_preset
from facegauge.training.inputs.views import Batch, Framed
from facegauge.training.methods.photos import batches
from facegauge.training.methods.photos.batches import PhotoBatches
from facegauge.training.methods.photos.config import PhotosConfig
from facegauge.training.methods.photos.pool import Pool

SPEC = PreprocessSpec(width=16, height=20, interpolation="bilinear")
UNCHANGED = dict.fromkeys(("tint", "enlarge", "photo_jpeg", "crop_jpeg"), 0.0)


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
        "views": (20, 16, 3), "score": (), "regime": (), "is_label": (), "width": ()
    }  # fmt: skip
    assert found["views"].dtype == torch.uint8 and len(found["score"]) == 14
    width, score = found["width"], found["score"]
    assert found["regime"].tolist() == [0] * 6 + [1] * 5 + [0] * 3
    assert found["is_label"].tolist() == [True] * 4 + [False] * 2 + [True] * 3 + [False] * 5
    for name, pixels in (
        ("photos", 64), ("unlabelled_photos", 32), ("crops", None), ("unlabelled", None)
    ):  # fmt: skip
        rows = ROWS[name]
        assert width[rows].isnan().all() if pixels is None else (width[rows] == pixels).all()
        labels = [one.score for one in SOURCES[name]]
        assert all(min(abs(one - label) for label in labels) < 1e-6 for one in score[rows].tolist())
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
    none = Pool(POOL.views[:0], POOL.scores[:0], POOL.widths[:0])
    some = {**SOURCES, "unlabelled": [], "unlabelled_photos": []}
    found = PhotoBatches(some, none, SPEC, config(), steps=1, seed=0)[0]
    assert found["is_label"].all() and len(found["score"]) == 7


def test_an_enlargement_keeps_the_label_and_the_original_width() -> None:
    plain, larger = batch(0), batch(0, config(enlarge=1.0))
    for name in ("score", "width", "regime", "is_label"):
        assert torch.equal(plain[name].nan_to_num(9), larger[name].nan_to_num(9))
    assert torch.equal(plain["views"][ROWS["pool"]], larger["views"][ROWS["pool"]])
    apart = (plain["views"].float() - larger["views"].float()).abs()
    flipped = (plain["views"].flip(2).float() - larger["views"].float()).abs()
    least = torch.minimum(apart.mean((1, 2, 3)), flipped.mean((1, 2, 3)))
    assert (least < 12).all()  # a smooth ramp looks the same when it is enlarged


def test_enlargements_stop_at_a_width(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def resized(pixels: np.ndarray, frame: Box, factor: float, how: object) -> tuple:
        seen.append(factor * frame.width)
        return pixels, frame

    monkeypatch.setattr(batches, "resized", resized)
    wide = [Framed(np.zeros((50, 1500, 3), np.uint8), Box(0, 0, 1500, 1875), 0.5)]
    sources = {**SOURCES, "photos": wide}
    PhotoBatches(sources, POOL, SPEC, config(enlarge=1.0), steps=1, seed=0)[0]
    assert max(seen) == pytest.approx(1600)


def test_tints_and_compression_change_pixels_and_nothing_else() -> None:
    plain = batch(0)
    for name in ("tint", "photo_jpeg", "crop_jpeg"):
        changed = batch(0, config(**{name: 1.0}))
        assert all(torch.equal(plain[k].nan_to_num(9), changed[k].nan_to_num(9)) for k in
                   ("score", "regime", "is_label", "width")), name  # fmt: skip
        unlike = [
            not torch.equal(a, b) and not torch.equal(a.flip(1), b)
            for a, b in zip(plain["views"], changed["views"], strict=True)
        ]
        photos, crops = all(unlike[:6]), all(unlike[6:11])
        assert (photos, crops) == (name != "crop_jpeg", name != "photo_jpeg")
