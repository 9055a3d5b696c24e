"""The files of a teacher cache: one plain `.npy` file an array, mapped, a row a view."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from facegauge.errors import UsageError
from facegauge.training.view_settings import BatchPlan

MAPS = "maps."  # the prefix of a feature map's array
PROGRESS = "cache.json"

Mapped: TypeAlias = "np.memmap[Any, Any]"
Layout = Mapping[str, tuple[type, tuple[int, ...]]]  # type and shape of every array


@dataclass(frozen=True, slots=True)
class TeacherCache:
    """Arrays mapped from disk, a row a view.

    Batch b of `plan` is rows b * plan.views to (b + 1) * plan.views: labelled views, then distilled
    ones, then the copies of each ordered group.

    Attributes:
        arrays: `views` (N, H, W, 3) uint8; `teacher_score` (N,) float32, the teachers' mean score;
            `maps.<tap>` (N, C, h, w) float16, of the first teacher; `score` and `severity` (N,)
            float32, where a view has them, else NaN.
    """

    plan: BatchPlan
    batches: int
    arrays: dict[str, Mapped]

    @property
    def channels(self) -> dict[str, int]:
        """Channels of every feature map, by tap."""
        return {
            name.removeprefix(MAPS): array.shape[1]
            for name, array in self.arrays.items()
            if name.startswith(MAPS)
        }

    def __reduce__(self) -> tuple[Any, ...]:
        """For loader workers that are spawned: the files are mapped again, not sent."""
        files = {name: _file(array) for name, array in self.arrays.items()}
        return _open, (self.plan, self.batches, files)


def create_files(folder: Path, layout: Layout) -> None:
    """Make the files, empty.

    Raises:
        UsageError: the disk has no room for them. They are sparse at first, and a disk that fills
            up later would kill the run without a message.
    """
    folder.mkdir(parents=True, exist_ok=True)
    size = sum(math.prod(shape) * np.dtype(kind).itemsize for kind, shape in layout.values())
    free = shutil.disk_usage(folder).free
    if size > free:
        raise UsageError(
            f"{folder} needs {size / 1e9:.1f} GB on disk, and {free / 1e9:.1f} GB are free; lower "
            "teacher_cache.batches, or make room and continue with --resume"
        )
    for name, (kind, shape) in layout.items():
        np.lib.format.open_memmap(folder / f"{name}.npy", mode="w+", dtype=kind, shape=shape)


def map_files(folder: Path, names: Iterable[str]) -> dict[str, Mapped]:
    """The arrays by name, mapped."""
    return {name: np.lib.format.open_memmap(folder / f"{name}.npy", mode="r+") for name in names}


def read_rows(array: Mapped, rows: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
    """`array[rows]` of a mapped array, by plain reads of its file.

    A map reads ahead, on some disks megabytes for a row: training from a cache larger than memory
    would wait for the disk.
    """
    taken = np.empty((len(rows), *array.shape[1:]), array.dtype)
    with _file(array).open("rb") as file:
        for place, row in zip(taken, rows.tolist(), strict=True):
            file.seek(array.offset + row * place.nbytes)
            file.readinto(place)
    return taken


def batches_done(folder: Path, described: Mapping[str, Any]) -> int:
    """How many batches a cache that was begun holds.

    Args:
        described: what the cache is made from.

    Raises:
        UsageError: it was made from something else.
    """
    file = folder / PROGRESS
    if not file.exists():
        return 0
    found = json.loads(file.read_text())
    done = int(found.pop("done"))
    if found != described:
        raise UsageError(
            f"{folder} holds a teacher cache of other settings: {_differences(found, described)}; "
            "delete it, or go back to its settings"
        )
    return done


def _differences(found: Mapping[str, Any], expected: Mapping[str, Any]) -> str:
    """What differs, key by key."""
    return "; ".join(
        f"{key} was {found.get(key)}, is {expected.get(key)}"
        for key in {**found, **expected}
        if found.get(key) != expected.get(key)
    )


def save_progress(folder: Path, described: Mapping[str, Any], done: int) -> None:
    """Note that so many batches are on disk."""
    partial = folder / f"{PROGRESS}.partial"
    partial.write_text(json.dumps({**described, "done": done}))
    partial.replace(folder / PROGRESS)


def _file(array: Mapped) -> Path:
    assert array.filename is not None  # only copies and pickles have none
    return Path(array.filename)


def _open(plan: BatchPlan, batches: int, files: dict[str, Path]) -> TeacherCache:
    arrays = {name: np.lib.format.open_memmap(file, mode="r+") for name, file in files.items()}
    return TeacherCache(plan, batches, arrays)
