"""Views with what a committee of teachers said of them, on disk: made once, learned from often.

Making a view and showing it to its teachers costs more than a light student's step on it. A pool
keeps the view, the committee's mean score and one teacher's feature maps, so that several students
and many passes share that cost; only the mirroring is done anew. It takes some 200 kB a view at
178 x 218, as plain `.npy` files, and may be deleted once the students are trained.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeAlias

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
from facegauge.training.devices import computes_bfloat16, this_process
from facegauge.training.inputs.views import Batch, BatchPlan, ViewBatches, ViewMaker, loader, walk
from facegauge.training.objectives import all_views

SAVE_EVERY = 25  # batches of every process
MAPS = "maps."  # the prefix of a feature map's array

Mapped: TypeAlias = "np.memmap[Any, Any]"


@dataclass(frozen=True, slots=True)
class Pool:
    """Arrays mapped from disk, a row a view.

    Batch b of `plan` is rows b * plan.views to (b + 1) * plan.views: labelled views, then free
    ones, then the copies of each ordered group.

    Attributes:
        arrays: `views` (N, H, W, 3) uint8; `goal` (N,) float32, the committee's mean score;
            `maps.<tap>` (N, C, h, w) float16, of the first teacher; `score` and `severity` (N,)
            float32, where a view has them, else NaN.
    """

    plan: BatchPlan
    batches: int
    arrays: dict[str, Mapped]

    @property
    def channels(self) -> dict[str, int]:
        """Of every kept feature map, by tap."""
        return {
            name.removeprefix(MAPS): array.shape[1]
            for name, array in self.arrays.items()
            if name.startswith(MAPS)
        }

    def __reduce__(self) -> tuple[Any, ...]:
        """For loader workers that are spawned: the files are mapped again, not sent."""
        files = {name: _file(array) for name, array in self.arrays.items()}
        return _open, (self.plan, self.batches, files)


def make_pool(
    folder: Path,
    maker: ViewMaker,
    plan: BatchPlan,
    *,
    batches: int,
    seed: int,
    teachers: Sequence[Regressor],
    taps: Sequence[str],
    size: PreprocessSpec | None = None,
    workers: int = 1,
    say: Callable[[str], None] = print,
) -> Pool:
    """Make a pool in `folder`, go on with one that was begun, or open a finished one.

    Every process of the run makes its share; the pool is the same however many there are.

    Args:
        teachers: the committee; their scores are averaged, the first one's maps are kept.
        taps: which of the first teacher's feature maps.
        size: of the views that the teachers look at; the maker's unless given.

    Raises:
        UsageError: the folder holds a pool of another plan, size or seed, or of other views; the
            teachers have no such taps; or the disk is too full for it.
    """
    accelerator = this_process()
    progress = folder / "pool.json"
    size = size or maker.spec
    described: dict[str, Any] = {
        "plan": asdict(plan),
        "views": {**asdict(maker.settings), "rising": list(maker.settings.rising)},
        "batches": batches,
        "seed": seed,
        "taps": list(taps),
        "size": [maker.spec.width, maker.spec.height],
        "looked at": [size.width, size.height],
    }
    done = _done(progress, described)
    layout = _layout(plan, batches, maker.spec, looked_at=size, teacher=teachers[0], taps=taps)
    main, world = accelerator.is_main_process, accelerator.num_processes
    if main and not done:
        folder.mkdir(parents=True, exist_ok=True)
        _check_room(folder, layout)
        _create(folder, layout)
    accelerator.wait_for_everyone()
    pool = Pool(plan, batches, _map(folder, layout))
    if done == batches:
        return pool
    committee = Committee(size, teachers, taps).to(accelerator.device)
    mine = range(done + accelerator.process_index, batches, world)
    fresh = iter(loader(ViewBatches(maker, plan, steps=batches, seed=seed), mine, workers))
    for start in range(done, batches, SAVE_EVERY * world):
        stop = min(start + SAVE_EVERY * world, batches)
        for index in range(start + accelerator.process_index, stop, world):
            batch = next(fresh)
            _write(pool, index, batch, committee(batch))
        for array in pool.arrays.values():
            array.flush()
        accelerator.wait_for_everyone()
        if main:
            _save(progress, {**described, "done": stop})
            say(f"pool: {stop}/{batches} batches")
    return pool


class Committee(torch.nn.Module):
    """Frozen teachers: a batch to their mean score and the first one's maps, on the CPU.

    Views of another size than `spec`'s are resampled to it first, as pictures are for scoring.
    """

    def __init__(
        self, spec: PreprocessSpec, teachers: Sequence[Regressor], taps: Sequence[str]
    ) -> None:
        super().__init__()
        self.normalise, self.size = Normalise(spec), (spec.height, spec.width)
        self.antialias = spec.antialias
        self.teachers = torch.nn.ModuleList(teachers).eval()
        self.taps = list(taps)

    @torch.no_grad()
    def forward(self, batch: Batch) -> dict[str, Tensor]:
        views = self.normalise(all_views(batch).to(self.normalise.mean.device))
        if views.shape[2:] != self.size:
            views = F.interpolate(views, self.size, mode="bicubic", antialias=self.antialias)
        views = views.contiguous(memory_format=torch.channels_last)
        # where it is computed bfloat16 halves the cost; scores move by less than their errors
        low = torch.autocast(
            views.device.type, torch.bfloat16, enabled=computes_bfloat16(views.device)
        )
        said, scores = {}, []
        for number, teacher in enumerate(self.teachers):
            assert isinstance(teacher, Regressor)
            with low:
                maps = teacher.features(views)
            scores.append(teacher.score({name: value.float() for name, value in maps.items()}))
            if number == 0:
                said = {MAPS + tap: maps[tap].half().cpu() for tap in self.taps}
        return {**said, "goal": torch.stack(scores).mean(0).cpu()}


class PoolBatches(Dataset[Batch]):
    """Maps a step to a batch drawn from a pool, mirrored at random.

    As `views.ViewBatches`, with `goal` (B,) and `maps.<tap>` (B, C, h, w) for all B views in the
    order labelled, free, ordered. Every row is drawn once before any is drawn again.
    """

    def __init__(self, pool: Pool, *, steps: int, seed: int, rank: int = 0, world: int = 1) -> None:
        self.pool, self.steps, self.seed, self.rank, self.world = pool, steps, seed, rank, world

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, step: int) -> Batch:
        plan, arrays = self.pool.plan, self.pool.arrays
        labelled = self._drawn(step, plan.labelled, 1, first=0)
        free = self._drawn(step, plan.free, 1, first=plan.labelled)
        start = plan.labelled + plan.free
        groups = self._drawn(step, plan.groups, plan.copies, first=start)
        copies = (groups[:, None] + np.arange(plan.copies)).ravel()
        rows = np.concatenate([labelled, free, copies])

        rng = np.random.default_rng([self.seed, step, self.rank])
        mirror = rng.random(len(rows)) < 0.5
        mirror[start:] = np.repeat(mirror[start :: max(plan.copies, 1)], plan.copies)
        views = _taken(arrays["views"], rows, mirror, axis=2)
        batch = {
            name: _taken(array, rows, mirror, axis=3)
            for name, array in arrays.items()
            if name.startswith(MAPS)
        }
        batch["goal"] = torch.from_numpy(arrays["goal"][rows])
        if plan.labelled:
            batch["labelled"] = views[: plan.labelled]
            batch["score"] = torch.from_numpy(arrays["score"][labelled])
        if plan.free:
            batch["free"] = views[plan.labelled : start]
        if plan.groups:
            shape = (plan.groups, plan.copies)
            batch["ordered"] = views[start:].reshape(*shape, *views.shape[1:])
            batch["severity"] = torch.from_numpy(arrays["severity"][copies].reshape(shape))
        return batch

    def _drawn(self, step: int, count: int, size: int, first: int) -> npt.NDArray[np.int64]:
        """First rows of the views or groups, of `size` rows, of one kind in one step."""
        chosen = walk(self.pool.batches * count, count, step * self.world + self.rank, self.seed)
        batch, place = np.divmod(chosen, max(count, 1))
        rows: npt.NDArray[np.int64] = batch * self.pool.plan.views + first + place * size
        return rows


def _taken(
    array: Mapped, rows: npt.NDArray[np.int64], mirror: npt.NDArray[np.bool_], axis: int
) -> Tensor:
    taken = read_rows(array, rows)
    taken[mirror] = np.flip(taken[mirror], axis)
    return torch.from_numpy(taken)


def read_rows(array: Mapped, rows: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
    """`array[rows]` of an array of rows mapped from a file, by plain reads of that file.

    A map reads ahead of what it is asked for, megabytes for a row where a disk is set so: a pool
    larger than memory then waits for the disk.
    """
    taken = np.empty((len(rows), *array.shape[1:]), array.dtype)
    with _file(array).open("rb") as file:
        for place, row in zip(taken, rows.tolist(), strict=True):
            file.seek(array.offset + row * place.nbytes)
            file.readinto(place)
    return taken


def _file(array: Mapped) -> Path:
    assert array.filename is not None  # only copies and pickles have none
    return Path(array.filename)


def _open(plan: BatchPlan, batches: int, files: dict[str, Path]) -> Pool:
    arrays = {name: np.lib.format.open_memmap(file, mode="r+") for name, file in files.items()}
    return Pool(plan, batches, arrays)


def _layout(
    plan: BatchPlan,
    batches: int,
    spec: PreprocessSpec,
    *,
    looked_at: PreprocessSpec,
    teacher: Regressor,
    taps: Sequence[str],
) -> dict[str, tuple[type, tuple[int, ...]]]:
    """Type and shape of every array."""
    empty = torch.zeros(1, 3, looked_at.height, looked_at.width)
    with torch.no_grad():
        maps = teacher.eval().features(empty.to(next(teacher.parameters()).device))
    for tap in taps:
        if tap not in maps:
            raise UsageError(f"{teacher.backbone} has no map {tap!r}: it has {', '.join(maps)}")
    count = batches * plan.views
    return {
        "views": (np.uint8, (count, spec.height, spec.width, 3)),
        **{MAPS + tap: (np.float16, (count, *maps[tap].shape[1:])) for tap in taps},
        **dict.fromkeys(("goal", "score", "severity"), (np.float32, (count,))),
    }


def _check_room(folder: Path, layout: dict[str, tuple[type, tuple[int, ...]]]) -> None:
    """A pool's files are holes at first; a disk that fills up would end the run without a word."""
    size = sum(math.prod(shape) * np.dtype(kind).itemsize for kind, shape in layout.values())
    free = shutil.disk_usage(folder).free
    if size > free:
        raise UsageError(
            f"{folder} needs {size / 1e9:.1f} GB on disk, and {free / 1e9:.1f} GB are free; lower "
            "pool.batches, or make room and go on with --resume"
        )


def _create(folder: Path, layout: dict[str, tuple[type, tuple[int, ...]]]) -> None:
    for name, (kind, shape) in layout.items():
        np.lib.format.open_memmap(folder / f"{name}.npy", mode="w+", dtype=kind, shape=shape)


def _map(folder: Path, layout: Iterable[str]) -> dict[str, Mapped]:
    return {name: np.lib.format.open_memmap(folder / f"{name}.npy", mode="r+") for name in layout}


def _write(pool: Pool, index: int, batch: Batch, said: dict[str, Tensor]) -> None:
    plan, arrays = pool.plan, pool.arrays
    rows = slice(index * plan.views, (index + 1) * plan.views)
    arrays["views"][rows] = all_views(batch).numpy()
    for name, values in said.items():
        arrays[name][rows] = values.numpy()
    arrays["score"][rows] = arrays["severity"][rows] = np.nan
    if plan.labelled:
        arrays["score"][rows][: plan.labelled] = batch["score"].numpy()
    if plan.groups:
        arrays["severity"][rows][plan.labelled + plan.free :] = batch["severity"].numpy().ravel()


def _done(progress: Path, described: dict[str, Any]) -> int:
    """How many batches a pool that was begun holds."""
    if not progress.exists():
        return 0
    found = json.loads(progress.read_text())
    done = int(found.pop("done"))
    if found != described:
        raise UsageError(
            f"{progress.parent} holds a pool of other settings: {found}, expected {described}; "
            "delete it, or go back to its settings"
        )
    return done


def _save(progress: Path, state: dict[str, Any]) -> None:
    partial = progress.with_suffix(".partial")
    partial.write_text(json.dumps(state))
    partial.replace(progress)
