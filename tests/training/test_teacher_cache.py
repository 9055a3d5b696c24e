"""The teacher cache: scores and maps, kept; drawn evenly, mirrored as one, resumable."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Barrier, local
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from facegauge.errors import UsageError
from facegauge.faces.sampling import sample
from facegauge.faces.spec import PreprocessSpec
from facegauge.nn.regressor import Regressor
from facegauge.results import Box
from facegauge.training import teacher_cache as caches
from facegauge.training.cache_files import TeacherCache
from facegauge.training.inputs.views import Framed, ViewBatches, ViewMaker
from facegauge.training.objectives import all_views
from facegauge.training.settings import TeacherCacheConfig
from facegauge.training.teacher_cache import CacheBatches, Committee, make_teacher_cache
from facegauge.training.view_settings import BatchPlan, ViewsConfig

SPEC = PreprocessSpec(width=32, height=48)
PLAN = BatchPlan(labelled=3, distilled=2, groups=2, copies=3, portrait_share=0)
CONFIG = TeacherCacheConfig(batches=4, seed=5, plan=PLAN)
TAPS = ["features.6", "features.17"]


@pytest.fixture(scope="module")
def teachers() -> list[Regressor]:
    torch.manual_seed(0)
    made = [Regressor("mobilenet_v2", "all", 0.4), Regressor("mobilenet_v2", "all", 0.5)]
    return [teacher.eval() for teacher in made]


@pytest.fixture(scope="module")
def maker() -> ViewMaker:
    rng = np.random.default_rng(0)
    pictures = [
        Framed(rng.integers(0, 256, (48, 32, 3), np.uint8), Box(0, 0, 32, 48), number / 10)
        for number in range(10)
    ]
    return ViewMaker(pictures, SPEC, ViewsConfig())


@pytest.fixture(scope="module")
def make(maker: ViewMaker, teachers: list[Regressor]) -> partial[TeacherCache]:
    return partial(
        make_teacher_cache, maker=maker, config=CONFIG, teachers=teachers, taps=TAPS, workers=0
    )  # fmt: skip


@pytest.fixture(scope="module")
def cache(make: partial[TeacherCache], tmp_path_factory: pytest.TempPathFactory) -> TeacherCache:
    return make(tmp_path_factory.mktemp("cache"))


def test_every_row_is_a_view_and_what_the_committee_said(
    cache: TeacherCache, maker: ViewMaker, teachers: list[Regressor]
) -> None:
    fresh = ViewBatches(maker, PLAN, steps=4, seed=5)[2]
    rows = slice(2 * PLAN.views, 3 * PLAN.views)
    assert np.array_equal(cache.arrays["views"][rows], all_views(fresh).numpy())
    said = Committee(SPEC, teachers, TAPS)(fresh)
    apart = [Committee(SPEC, [teacher], TAPS)(fresh)["teacher_score"] for teacher in teachers]
    assert torch.allclose(said["teacher_score"], (apart[0] + apart[1]) / 2, atol=1e-5)
    assert np.allclose(cache.arrays["teacher_score"][rows], said["teacher_score"], atol=1e-5)
    assert np.array_equal(cache.arrays["maps.features.17"][rows], said["maps.features.17"])
    score, severity = cache.arrays["score"][rows], cache.arrays["severity"][rows]
    assert np.allclose(score[:3], fresh["score"]) and np.isnan(score[3:]).all()
    assert np.allclose(severity[5:], fresh["severity"].ravel()) and np.isnan(severity[:5]).all()
    assert cache.channels == {"features.6": 32, "features.17": 320}


def test_teachers_look_at_the_views_at_their_own_size(
    make: partial[TeacherCache], cache: TeacherCache, teachers: list[Regressor], tmp_path: Path
) -> None:
    larger = PreprocessSpec(width=48, height=72)
    seen = make(tmp_path, teacher_spec=larger)
    views = seen.arrays["views"]
    assert np.array_equal(views, cache.arrays["views"])
    enlarged = [sample(view, Box(0, 0, 32, 48), larger) for view in views[:3]]
    said = Committee(larger, teachers, TAPS)({"labelled": torch.from_numpy(np.stack(enlarged))})
    ours = torch.from_numpy(seen.arrays["maps.features.6"][:3])
    assert ours.shape == (3, 32, 9, 6)
    assert torch.corrcoef(torch.stack([ours.ravel(), said["maps.features.6"].ravel()]))[0, 1] > 0.99


@pytest.mark.parametrize(("cpu", "kind"), [("AVX2", torch.float32), ("AVX512", torch.bfloat16)])
def test_the_committee_looks_in_bfloat16_where_the_cpu_computes_in_it(
    cpu: str, kind: torch.dtype, teachers: list[Regressor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.backends.cpu.get_cpu_capability", lambda: cpu)
    seen, features = [], Regressor.features

    def watched(self: Regressor, views: torch.Tensor) -> dict[str, torch.Tensor]:
        maps = features(self, views)
        seen.append(maps["features.6"].dtype)
        return maps

    monkeypatch.setattr(Regressor, "features", watched)
    Committee(SPEC, teachers, TAPS)({"labelled": torch.zeros(1, 48, 32, 3, dtype=torch.uint8)})
    assert seen == [kind, kind]


def test_a_pass_draws_every_row_once(cache: TeacherCache) -> None:
    batches = CacheBatches(cache, steps=8, seed=1)
    drawn = [batches[step]["teacher_score"] for step in range(4)]
    assert np.allclose(np.sort(np.concatenate(drawn)), np.sort(cache.arrays["teacher_score"]))
    assert not np.array_equal(
        torch.cat(drawn), torch.cat([batches[s]["teacher_score"] for s in range(4, 8)])
    )


def test_labels_copies_and_mirrored_maps_stay_with_their_views(cache: TeacherCache) -> None:
    arrays = cache.arrays
    for step in range(4):
        batch = CacheBatches(cache, steps=4, seed=3)[step]
        views = all_views(batch).numpy()
        scores, severities = [], []
        mirrored = []
        for view, goal, maps in zip(
            views, batch["teacher_score"], batch["maps.features.6"], strict=True
        ):
            row = int(np.flatnonzero(arrays["teacher_score"] == goal.item())[0])
            plain, own = arrays["views"][row], arrays["maps.features.6"][row]
            flip = not np.array_equal(view, plain)
            assert np.array_equal(view, plain[:, ::-1] if flip else plain)
            assert np.array_equal(maps, own[:, :, ::-1] if flip else own)
            scores.append(arrays["score"][row])
            severities.append(arrays["severity"][row])
            mirrored.append(flip)
        assert np.allclose(batch["score"], scores[:3])
        assert np.allclose(batch["severity"].ravel(), severities[5:])
        assert len(set(mirrored[5:8])) == len(set(mirrored[8:11])) == 1


def test_a_worker_that_is_spawned_maps_the_files_itself(cache: TeacherCache) -> None:
    sent = pickle.dumps(cache)
    assert len(sent) < 5_000 < cache.arrays["views"].nbytes
    ours, theirs = (CacheBatches(each, steps=1, seed=0)[0] for each in (cache, pickle.loads(sent)))
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_a_plan_without_groups_needs_no_copies(make: partial[TeacherCache], tmp_path: Path) -> None:
    alone = make(
        tmp_path,
        config=TeacherCacheConfig(batches=1, plan=BatchPlan(labelled=2, groups=0, copies=0)),
    )
    assert set(CacheBatches(alone, steps=1, seed=0)[0]) == {
        "labelled", "score", "teacher_score", *(f"maps.{tap}" for tap in TAPS)
    }  # fmt: skip


def test_a_map_that_the_teacher_does_not_have_is_named(
    make: partial[TeacherCache], tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=r"mobilenet_v2 has no map 'stages\.9': it has features"):
        make(tmp_path, taps=["stages.9"])


def test_a_disk_without_room_is_seen_before_it_is_full(
    make: partial[TeacherCache], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=1_000_000))
    with pytest.raises(UsageError, match=r"cache needs 0\.\d GB on disk, and 0\.0 GB are free"):
        make(tmp_path / "cache", config=replace(CONFIG, batches=4_000))


def test_ranks_share_the_cache_out(cache: TeacherCache) -> None:
    ranks = [CacheBatches(cache, steps=2, seed=1, rank=rank, world=2) for rank in (0, 1)]
    drawn = [ranks[rank][step]["teacher_score"] for step in (0, 1) for rank in (0, 1)]
    assert np.allclose(np.sort(np.concatenate(drawn)), np.sort(cache.arrays["teacher_score"]))


def test_killed_and_gone_on_with_is_the_same(
    make: partial[TeacherCache],
    cache: TeacherCache,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(caches, "SAVE_EVERY", 1)
    write = caches._write

    def dying(target: TeacherCache, index: int, *rest: object) -> None:
        if index == 2:
            raise KeyboardInterrupt
        write(target, index, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(caches, "_write", dying)
    with pytest.raises(KeyboardInterrupt):
        make(tmp_path)
    monkeypatch.setattr(caches, "_write", write)
    resumed = make(tmp_path)
    for name, array in cache.arrays.items():
        assert np.allclose(resumed.arrays[name], array, atol=1e-5, equal_nan=True), name


@pytest.mark.parametrize("processes", [2, 3])
def test_several_processes_make_the_same_cache(
    processes: int,
    make: partial[TeacherCache],
    cache: TeacherCache,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines: list[str] = []
    monkeypatch.setattr(caches.logger, "info", lambda line, *rest: lines.append(line % rest))
    together, this = Barrier(processes), local()
    monkeypatch.setattr(caches, "SAVE_EVERY", 1)
    monkeypatch.setattr(caches, "this_process", lambda: this.process)
    written, write = [], caches._write

    def watched(target: TeacherCache, index: int, *rest: object) -> None:
        written.append((this.process.process_index, index))
        write(target, index, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(caches, "_write", watched)

    def process(rank: int) -> None:
        this.process = SimpleNamespace(
            process_index=rank,
            num_processes=processes,
            is_main_process=rank == 0,
            device=torch.device("cpu"),
            wait_for_everyone=partial(together.wait, timeout=60),
        )
        make(tmp_path)

    with ThreadPoolExecutor(processes) as threads:
        list(threads.map(process, range(processes)))
    assert sorted(written) == sorted((index % processes, index) for index in range(4))
    assert lines[-1] == "teacher cache: 4/4 batches" and len(lines) == 2
    monkeypatch.undo()
    finished = make(tmp_path)
    for name, array in cache.arrays.items():
        assert np.allclose(finished.arrays[name], array, atol=1e-5, equal_nan=True), name


def test_a_cache_of_other_settings_is_refused(
    make: partial[TeacherCache], maker: ViewMaker, tmp_path: Path
) -> None:
    make(tmp_path)
    larger = ViewMaker(maker.pictures, PreprocessSpec(width=48, height=64), maker.config)
    mixed = ViewMaker(maker.pictures, SPEC, ViewsConfig(mix_prob=0.5))
    seed = replace(CONFIG, seed=6)
    for other in ({"config": seed}, {"maker": larger, "teacher_spec": SPEC}, {"maker": mixed}):
        with pytest.raises(UsageError, match="of other settings"):
            make(tmp_path, **other)
