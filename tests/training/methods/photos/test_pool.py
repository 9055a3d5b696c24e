"""The pool: views of large faces at known widths, degraded views, and the file that keeps them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facegauge.errors import UsageError
from facegauge.faces.spec import PreprocessSpec
from facegauge.results import Box
from facegauge.training.inputs.views import Framed
from facegauge.training.methods.photos.config import PoolConfig
from facegauge.training.methods.photos.pool import Pool, PoolMaker
from facegauge.training.methods.photos.teacher import Face
from facegauge.training.view_settings import ViewsConfig

SPEC = PreprocessSpec(width=32, height=40)
STILL = ViewsConfig(shift=0, zoom=0, integer_shift_prob=1)
CONFIG = PoolConfig(shrunken=12, degraded=6, min_frame=300, max_frame=900, seed=5)


class Teacher:
    """Scores 0.01 for every 10 pixels of width; the start says 0.8, 0.6, 0.7 of three copies."""

    def __init__(self) -> None:
        self.seen: list[Face] = []
        self.clean: list[Face] = []

    def __call__(self, faces: Sequence[Face]) -> np.ndarray:
        self.seen += faces
        return np.array([frame.width / 1000 for _, frame in faces])

    def start(self, faces: Sequence[Face], spec: PreprocessSpec) -> np.ndarray:
        assert len(faces) == 3 and spec == SPEC
        self.clean.append(faces[0])
        return np.array([0.8, 0.6, 0.7])


def photo(width: int, score: float, seed: int = 0) -> Framed:
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (width * 5 // 4, width, 3), np.uint8)
    return Framed(pixels, Box(0, 0, width, width * 5 // 4), score)


PICTURES = [photo(400, 0.3), photo(800, 0.9, 1), photo(100, 0.5, 2)]


def make(file: Path, **changes: object) -> tuple[Pool, Teacher]:
    teacher = Teacher()
    config = replace(CONFIG, **changes)  # type: ignore[arg-type]
    maker = PoolMaker(teacher, SPEC, config, STILL)  # type: ignore[arg-type]
    return maker.make(file, PICTURES), teacher


def test_large_faces_are_shrunken_to_known_widths(tmp_path: Path) -> None:
    pool, teacher = make(tmp_path / "pool.npz", degraded=0, shrunken=40)
    assert len(pool) == 40 and pool.views.shape == (40, 40, 32, 3)
    widths = pool.widths
    assert widths.tolist() == [frame.width for _, frame in teacher.seen]
    # 206 to nine tenths of 400 or 800, none of the small face
    assert 205 < widths.min() < 260 and 500 < widths.max() < 721
    assert [pixels.shape[1] for pixels, _ in teacher.seen] == widths.round().tolist()
    # never above the label of the large one: 0.3 or 0.9
    assert set(np.round(pool.scores, 6)) <= {0.3, *np.round(widths / 1000, 6)}
    assert (pool.scores <= widths / 1000 + 1e-9).all() and (pool.scores == 0.3).any()
    assert (pool.scores > 0.4).any()


def test_degraded_copies_lose_the_share_that_the_start_gives(tmp_path: Path) -> None:
    pool, teacher = make(tmp_path / "pool.npz", shrunken=0, degraded=30, max_frame=500)
    assert len(pool) == 60 and np.isnan(pool.widths).all()
    assert max(frame.width for _, frame in teacher.clean) == 500  # 800 is made smaller first
    labels = {400.0: 0.3, 500.0: 0.9, 100.0: 0.5}
    first, second = pool.scores[::2], pool.scores[1::2]
    clean = np.array([labels[frame.width] for _, frame in teacher.clean])
    # 0.6 of 0.8 is 0.75; the second copy is no better than the first, though the start says so
    for copy in (first, second):
        lost = 0.75 * clean - copy
        assert (lost >= 0.004 * 0.2 - 1e-9).all() and (lost <= 0.004 * 5 + 1e-9).all()
    assert (second < first).all()
    assert (pool.views[::2] != pool.views[1::2]).any((1, 2, 3)).all()


def test_a_pool_is_a_function_of_its_seed_and_is_made_once(tmp_path: Path) -> None:
    first, _ = make(tmp_path / "a.npz")
    again, _ = make(tmp_path / "b.npz")
    other, _ = make(tmp_path / "c.npz", seed=6)
    for name in ("views", "scores", "widths"):
        assert np.array_equal(getattr(first, name), getattr(again, name), equal_nan=name != "views")
    assert (first.scores != other.scores).any()
    kept, teacher = make(tmp_path / "a.npz", seed=6)
    assert not teacher.seen and np.array_equal(kept.views, first.views)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.npz", "b.npz", "c.npz"]


def test_a_pool_for_other_settings_is_refused_in_one_line(tmp_path: Path) -> None:
    make(tmp_path / "pool.npz")
    expected = r"pool.npz holds 24 views of 32 x 40, the settings ask for 25 views of 32 x 40; del"
    with pytest.raises(UsageError, match=expected) as caught:
        make(tmp_path / "pool.npz", shrunken=13)
    assert "\n" not in str(caught.value)


def test_an_empty_pool_and_one_without_large_faces(tmp_path: Path) -> None:
    empty, _ = make(tmp_path / "empty.npz", shrunken=0, degraded=0)
    assert len(empty) == 0 and empty.views.shape == (0, 40, 32, 3)
    pool, _ = make(tmp_path / "small.npz", min_frame=2000)  # then all are taken
    assert len(pool) == 24
