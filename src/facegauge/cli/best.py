"""`facegauge best`: the pictures with the best faces, shown or copied."""

from __future__ import annotations

import heapq
import os
import shutil
from collections.abc import Iterable
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facegauge.cli.score import (
    SOME_FAILED,
    BatchSize,
    Faces,
    MaxPixels,
    MinFace,
    Paths,
    ScorerName,
    Tally,
    Threads,
    open_scorer,
)
from facegauge.cli.terminal import find_some, named_paths, print_table, say, watched
from facegauge.errors import UsageError

if TYPE_CHECKING:
    from facegauge.results import ImageScore

EPILOG = (
    "A picture counts by its best face. Exit codes: 0 done; 3 no picture has a face with a score, "
    "or one could not be copied; 2 wrong usage or no pictures found; 1 unexpected error; 130 "
    "stopped by Ctrl-C."
)


def best(
    paths: Paths,
    *,
    top: Annotated[int, typer.Option("--top", "-n", min=1, help="How many pictures.")] = 10,
    per_folder: Annotated[
        bool, typer.Option("--per-folder", help="That many of each folder, not of all together.")
    ] = False,
    copy_to: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Copy them there; a name that is taken gets a number, no file is replaced.",
        ),
    ] = None,
    faces: Faces = "auto",
    scorer: ScorerName = "mobile",
    min_face: MinFace = 24,
    batch_size: BatchSize = 16,
    threads: Threads = None,
    max_pixels: MaxPixels = None,
) -> None:
    """Find the pictures with the best faces, best first."""
    find = find_some(named_paths(paths))
    if copy_to is not None:
        _make_folder(copy_to)
    engine = open_scorer(
        scorer,
        faces=faces,
        min_face=min_face,
        batch_size=batch_size,
        threads=threads,
        max_pixels=max_pixels,
    )
    tally = Tally()
    chosen: dict[str, Chosen] = {}
    for result in watched(engine.score_iter(find()), find()):
        tally.add(result)
        if result.faces and not (copy_to and _lies_in(result.path, copy_to)):
            folder = str(Path(result.path).parent) if per_folder else ""
            chosen.setdefault(folder, Chosen(top)).add(result)
    ranked = {folder: kept.best_first() for folder, kept in sorted(chosen.items())}
    rows = [
        (folder if place == 1 else "", str(place), f"{result.score:.3f}", result.path)
        for folder, results in ranked.items()
        for place, result in enumerate(results, 1)
    ]
    skip = 0 if per_folder else 1
    if rows:
        print_table(("folder", ">place", ">score", "picture")[skip:], [row[skip:] for row in rows])
    copied = copy_to is None or _copy_all(chain.from_iterable(ranked.values()), copy_to)
    say(tally.summary())
    if not (copied and rows):
        raise typer.Exit(SOME_FAILED)


class Chosen:
    """The `top` results with the highest scores, each picture once; of equal ones the first."""

    def __init__(self, top: int) -> None:
        self.top = top
        self._heap: list[tuple[float, int, ImageScore]] = []  # the least of them in front
        self._order = count(0, -1)
        self._files: set[str] = set()

    def add(self, result: ImageScore) -> None:
        one = (result.score or 0.0, next(self._order), result)
        if len(self._heap) == self.top and one < self._heap[0]:
            return
        file = os.path.realpath(result.path)
        if file in self._files:
            return
        self._files.add(file)
        heapq.heappush(self._heap, one)
        if len(self._heap) > self.top:
            self._files.remove(os.path.realpath(heapq.heappop(self._heap)[2].path))

    def best_first(self) -> list[ImageScore]:
        return [result for _, _, result in sorted(self._heap, reverse=True)]


def _make_folder(folder: Path) -> None:
    """Now, not after hours of scoring."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot make the folder {folder}: {error.strerror}") from error
    if not os.access(folder, os.W_OK):
        raise UsageError(f"cannot write to {folder}; choose another --copy-to")


def _lies_in(path: str, folder: Path) -> bool:
    """Whether a picture is one of the copies, as those of an earlier run are."""
    return Path(path).resolve().is_relative_to(folder.resolve())


def _copy_all(results: Iterable[ImageScore], folder: Path) -> bool:
    """Copy the pictures that can be copied, and name the others; whether all could be."""
    every = True
    for result in results:
        try:
            copy_beside(Path(result.path), folder)
        except UsageError as error:
            say(str(error))
            every = False
    return every


def copy_beside(picture: Path, folder: Path) -> Path:
    """Copy a picture into a folder, made if need be, under a name that was free.

    Raises:
        UsageError: the folder cannot be written, or the picture is gone.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for number in count(1):
            suffix = f"-{number}" if number > 1 else ""
            target = folder / f"{picture.stem}{suffix}{picture.suffix}"
            try:
                target.open("xb").close()  # takes the name, and fails if it is taken
            except FileExistsError:
                continue
            break
        try:
            shutil.copy2(picture, target)
        except BaseException:
            target.unlink(missing_ok=True)  # a part of a picture looks like one
            raise
    except OSError as error:
        raise UsageError(f"cannot copy {picture} to {folder}: {error.strerror}") from error
    return target
