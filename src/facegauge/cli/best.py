"""`facegauge best`: the pictures with the best faces, shown or copied."""

from __future__ import annotations

import heapq
import shutil
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
    "A picture counts by its best face. Exit codes: 0 done; 3 no picture has a face with a score; "
    "2 wrong usage or no pictures found; 1 unexpected error; 130 stopped by Ctrl-C."
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
    engine = open_scorer(
        scorer,
        faces=faces,
        min_face=min_face,
        batch_size=batch_size,
        threads=threads,
        max_pixels=max_pixels,
    )
    tally = Tally()
    chosen: dict[str, list[ImageScore]] = {}
    for result in watched(engine.score_iter(find()), find()):
        tally.add(result)
        if result.faces:
            folder = str(Path(result.path).parent) if per_folder else ""
            others = chosen.get(folder, [])
            chosen[folder] = heapq.nlargest(top, [*others, result], key=lambda r: r.score or 0.0)
    rows = [
        (folder if place == 1 else "", str(place), f"{result.score:.3f}", result.path)
        for folder, results in sorted(chosen.items())
        for place, result in enumerate(results, 1)
    ]
    skip = 0 if per_folder else 1
    if copy_to:
        for result in chain.from_iterable(chosen.values()):
            copy_beside(Path(result.path), copy_to)
    if rows:
        print_table(("folder", ">place", ">score", "picture")[skip:], [row[skip:] for row in rows])
    say(tally.summary())
    if not rows:
        raise typer.Exit(SOME_FAILED)


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
        except OSError:
            target.unlink(missing_ok=True)  # a part of a picture looks like one
            raise
    except OSError as error:
        raise UsageError(f"cannot copy {picture} to {folder}: {error.strerror}") from error
    return target
