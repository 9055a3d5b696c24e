"""Views with the scores and feature maps of teachers, on disk: made once, learned from often.

Making a view and scoring it with its teachers costs more than a light student's step on it. A cache
keeps the view, the teachers' mean score and the first one's feature maps, so that several students
and many passes share that cost; only the mirroring is done anew. It takes some 200 kB a view at
178 x 218, as plain `.npy` files, and may be deleted once the students are trained.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import Dataset

from facegauge.errors import UsageError
from facegauge.faces.spec import PreprocessSpec
from facegauge.nn.normalise import Normalise
from facegauge.nn.regressor import Regressor
from facegauge.progress import track
from facegauge.training.cache_files import (
    MAPS,
    Layout,
    Mapped,
    TeacherCache,
    batches_done,
    create_files,
    map_files,
    read_rows,
    save_progress,
)
from facegauge.training.config import to_dict
from facegauge.training.devices import computes_bfloat16, this_process
from facegauge.training.inputs.views import Batch, ViewBatches, ViewMaker, loader, walk
from facegauge.training.objectives import all_views
from facegauge.training.settings import TeacherCacheConfig
from facegauge.training.view_settings import ViewsConfig

CACHING = "filling the teacher cache"
SAVE_EVERY = 25  # batches of every process

logger = logging.getLogger(__name__)


def make_teacher_cache(
    folder: Path,
    maker: ViewMaker,
    config: TeacherCacheConfig,
    *,
    teachers: Sequence[Regressor],
    taps: Sequence[str],
    teacher_spec: PreprocessSpec | None = None,
    workers: int = 1,
) -> TeacherCache:
    """Make a teacher cache in `folder`, resume one that was begun, or open a finished one.

    Every process of the run makes its share; the cache is the same however many there are.

    Args:
        maker: makes the views.
        teachers: their scores are averaged; the maps are the first one's.
        taps: which of the first teacher's feature maps.
        teacher_spec: of the views that the teachers see; the maker's unless given.
        workers: processes that prepare batches.

    Raises:
        UsageError: the folder holds a cache of other settings or views; the first teacher has no
            such taps; or the disk has no room.
    """
    process = this_process()
    teacher_spec = teacher_spec or maker.spec
    described = {
        "plan": to_dict(config.plan),
        "views": _without_default(to_dict(maker.config), ViewsConfig, "mirror_prob"),
        "batches": config.batches,
        "seed": config.seed,
        "taps": list(taps),
        "size": [maker.spec.width, maker.spec.height],
        "teacher_size": [teacher_spec.width, teacher_spec.height],
    }
    if maker.spec.crop_mode != "squash":
        described["crop"] = [maker.spec.crop_mode, maker.spec.crop_pct]
    batches, done = config.batches, batches_done(folder, described)
    layout = _layout(config, maker.spec, teacher_spec, teacher=teachers[0], taps=taps)
    main, world = process.is_main_process, process.num_processes
    if main and not done:
        create_files(folder, layout)
    process.wait_for_everyone()
    cache = TeacherCache(config.plan, batches, map_files(folder, layout))
    if done == batches:
        return cache
    committee = Committee(teacher_spec, teachers, taps).to(process.device)
    views = ViewBatches(maker, config.plan, steps=batches, seed=config.seed)
    made = loader(views, range(done + process.process_index, batches, world), workers)
    shown = track(made, CACHING, total=batches, unit="batches", done=done, each=world)
    with closing(shown) as fresh:
        for start in range(done, batches, SAVE_EVERY * world):
            stop = min(start + SAVE_EVERY * world, batches)
            for index in range(start + process.process_index, stop, world):
                batch = next(fresh)
                _write(cache, index, batch, committee(batch))
            for array in cache.arrays.values():
                array.flush()
            process.wait_for_everyone()
            if main:
                save_progress(folder, described, stop)
                logger.info("teacher cache: %d/%d batches", stop, batches)
    return cache


class Committee(torch.nn.Module):
    """Frozen teachers: a batch to their mean score and the first one's maps, on the CPU.

    Views of another size than `spec`'s are resampled to it first, as pictures are for scoring.
    """

    def __init__(
        self, spec: PreprocessSpec, teachers: Sequence[Regressor], taps: Sequence[str]
    ) -> None:
        super().__init__()
        self.normalise, self.size = Normalise(spec), (spec.height, spec.width)
        self.interpolation, self.antialias = spec.interpolation, spec.antialias
        self.teachers = torch.nn.ModuleList(teachers).eval()
        self.taps = list(taps)

    @torch.no_grad()
    def forward(self, batch: Batch) -> dict[str, Tensor]:
        views = self.normalise(all_views(batch).to(self.normalise.mean.device))
        if views.shape[2:] != self.size:
            views = F.interpolate(
                views, self.size, mode=self.interpolation, antialias=self.antialias
            )
        views = views.contiguous(memory_format=torch.channels_last)
        # where it is computed bfloat16 halves the cost; scores move by less than their errors
        low = torch.autocast(
            views.device.type, torch.bfloat16, enabled=computes_bfloat16(views.device)
        )
        kept, scores = {}, []
        for number, teacher in enumerate(self.teachers):
            assert isinstance(teacher, Regressor)
            with low:
                maps = teacher.features(views)
            scores.append(teacher.score({name: value.float() for name, value in maps.items()}))
            if number == 0:
                kept = {MAPS + tap: maps[tap].half().cpu() for tap in self.taps}
        return {**kept, "teacher_score": torch.stack(scores).mean(0).cpu()}


class CacheBatches(Dataset[Batch]):
    """Maps a step to a batch drawn from a teacher cache, mirrored at random.

    As `views.ViewBatches`, with `teacher_score` (B,) and `maps.<tap>` (B, C, h, w) for all B views
    in the order labelled, distilled, ordered. Every row is drawn once before any is drawn again.

    Args:
        cache: the views, with what was taught.
        mirror_prob: probability that a view is mirrored.
        steps, seed, rank, world: as for `ViewBatches`.
    """

    def __init__(
        self,
        cache: TeacherCache,
        mirror_prob: float = 0.5,
        *,
        steps: int,
        seed: int,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        self.cache, self.mirror_prob, self.steps = cache, mirror_prob, steps
        self.seed, self.rank, self.world = seed, rank, world

    def __len__(self) -> int:
        return self.steps

    @property
    def a_pass(self) -> float:
        """Batches of all processes in which every view of the cache comes once."""
        return self.cache.batches

    def __getitem__(self, step: int) -> Batch:
        plan, arrays = self.cache.plan, self.cache.arrays
        labelled = self._drawn(step, plan.labelled, 1, first=0)
        distilled = self._drawn(step, plan.distilled, 1, first=plan.labelled)
        start = plan.labelled + plan.distilled
        groups = self._drawn(step, plan.groups, plan.copies, first=start)
        copies = (groups[:, None] + np.arange(plan.copies)).ravel()
        rows = np.concatenate([labelled, distilled, copies])

        rng = np.random.default_rng([self.seed, step, self.rank])
        mirror = rng.random(len(rows)) < self.mirror_prob
        mirror[start:] = np.repeat(mirror[start :: max(plan.copies, 1)], plan.copies)
        views = _taken(arrays["views"], rows, mirror, axis=2)
        batch = {
            name: _taken(array, rows, mirror, axis=3)
            for name, array in arrays.items()
            if name.startswith(MAPS)
        }
        batch["teacher_score"] = torch.from_numpy(arrays["teacher_score"][rows])
        if plan.labelled:
            batch["labelled"] = views[: plan.labelled]
            batch["score"] = torch.from_numpy(arrays["score"][labelled])
        if plan.distilled:
            batch["distilled"] = views[plan.labelled : start]
        if plan.groups:
            shape = (plan.groups, plan.copies)
            batch["ordered"] = views[start:].reshape(*shape, *views.shape[1:])
            batch["severity"] = torch.from_numpy(arrays["severity"][copies].reshape(shape))
        return batch

    def _drawn(self, step: int, count: int, size: int, first: int) -> npt.NDArray[np.int64]:
        """First rows of the views or groups, of `size` rows, of one kind in one step."""
        turn = step * self.world + self.rank
        chosen = walk(self.cache.batches * count, count, turn, self.seed)
        batch, place = np.divmod(chosen, max(count, 1))
        rows: npt.NDArray[np.int64] = batch * self.cache.plan.views + first + place * size
        return rows


def _taken(
    array: Mapped, rows: npt.NDArray[np.int64], mirror: npt.NDArray[np.bool_], axis: int
) -> Tensor:
    taken = read_rows(array, rows)
    taken[mirror] = np.flip(taken[mirror], axis)
    return torch.from_numpy(taken)


def _without_default(values: dict[str, Any], cls: type[Any], name: str) -> dict[str, Any]:
    """Without a setting that is at its default: it came later than caches that are there."""
    default = cls.__pydantic_fields__[name].default
    return {key: value for key, value in values.items() if (key, value) != (name, default)}


def _layout(
    config: TeacherCacheConfig,
    spec: PreprocessSpec,
    teacher_spec: PreprocessSpec,
    *,
    teacher: Regressor,
    taps: Sequence[str],
) -> Layout:
    empty = torch.zeros(1, 3, teacher_spec.height, teacher_spec.width)
    with torch.no_grad():
        maps = teacher.eval().features(empty.to(next(teacher.parameters()).device))
    for tap in taps:
        if tap not in maps:
            raise UsageError(f"{teacher.backbone} has no map {tap!r}: it has {', '.join(maps)}")
    count = config.batches * config.plan.views
    return {
        "views": (np.uint8, (count, spec.height, spec.width, 3)),
        **{MAPS + tap: (np.float16, (count, *maps[tap].shape[1:])) for tap in taps},
        **dict.fromkeys(("teacher_score", "score", "severity"), (np.float32, (count,))),
    }


def _write(cache: TeacherCache, index: int, batch: Batch, taught: dict[str, Tensor]) -> None:
    plan, arrays = cache.plan, cache.arrays
    rows = slice(index * plan.views, (index + 1) * plan.views)
    arrays["views"][rows] = all_views(batch).numpy()
    for name, values in taught.items():
        arrays[name][rows] = values.numpy()
    arrays["score"][rows] = arrays["severity"][rows] = np.nan
    if plan.labelled:
        arrays["score"][rows][: plan.labelled] = batch["score"].numpy()
    if plan.groups:
        severity = batch["severity"].numpy().ravel()
        arrays["severity"][rows][plan.labelled + plan.distilled :] = severity
