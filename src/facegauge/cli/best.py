"""`facegauge best`: the pictures with the best faces, shown or copied."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from itertools import count, groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facegauge.cli.progress import with_progress
from facegauge.cli.score import (
    SOME_FAILED,
    BatchSize,
    DetectSize,
    Exclude,
    Faces,
    MaxPixels,
    MinFace,
    Paths,
    ScorerName,
    Tally,
    Threads,
    open_scorer,
)
from facegauge.cli.terminal import Pictures, print_table, read_paths, say
from facegauge.errors import UsageError

if TYPE_CHECKING:
    from facegauge.results import ImageScore

logger = logging.getLogger(__name__)

EPILOG = (
    "A picture counts by its best face. Exit codes: 0 done; 3 no picture has a face with a score, "
    "or one could not be copied; 2 wrong usage or no pictures found; 1 unexpected error; 130 "
    "stopped by Ctrl-C."
)

SHOWN_FAILURES = 10  # pictures that are named


def best(
    paths: Paths,
    *,
    top: Annotated[int, typer.Option("--top", "-n", min=1, help="Number of pictures")] = 10,
    per_folder: Annotated[
        bool, typer.Option("--per-folder", help="Choose that many pictures in each folder")
    ] = False,
    copy_to: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder to copy them to; no file is replaced, an existing name gets a number",
        ),
    ] = None,
    faces: Faces = "auto",
    scorer: ScorerName = "mobile",
    min_face: MinFace = 24,
    detect_size: DetectSize = None,
    batch_size: BatchSize = 2,
    threads: Threads = None,
    max_pixels: MaxPixels = None,
    exclude: Exclude = None,
) -> None:
    """Find the pictures with the best faces, best first."""
    from facegauge.selection import select

    pictures = Pictures(read_paths(paths), exclude or ())
    if copy_to is not None:
        _make_folder(copy_to)
    engine = open_scorer(
        scorer,
        faces=faces,
        min_face=min_face,
        detect_size=detect_size,
        batch_size=batch_size,
        threads=threads,
        max_pixels=max_pixels,
    )
    tally = Tally()
    failures: list[ImageScore] = []
    results = tallied(
        with_progress(engine.score_iter(pictures.paths()), pictures.again()), tally, failures
    )
    chosen = select(results, top, per_folder=per_folder, exclude=copy_to or ())
    _print(chosen, per_folder)
    copied = copy_to is None or _copy_all(chosen, copy_to)
    for failed in failures:
        say(f"{failed.path}: {failed.message}")
    say(tally.summary())
    pictures.say_left_out()
    if not (copied and chosen):
        raise typer.Exit(SOME_FAILED)


def tallied(
    results: Iterable[ImageScore], tally: Tally, failures: list[ImageScore]
) -> Iterator[ImageScore]:
    """The results, counted as they pass; the first that failed are added to `failures`."""
    for result in results:
        failed = tally.failed
        tally.add(result)
        if tally.failed > failed and len(failures) < SHOWN_FAILURES:
            failures.append(result)
        yield result


def _print(chosen: Sequence[ImageScore], per_folder: bool) -> None:
    """A table of the chosen pictures, if any; each folder is named once."""
    rows = []
    for folder, results in groupby(chosen, lambda one: per_folder and str(Path(one.path).parent)):
        for place, result in enumerate(results, 1):
            named = (str(folder) if place == 1 else "",) if per_folder else ()
            rows.append((*named, str(place), f"{result.score:.3f}", result.path))
    if rows:
        print_table((*(["folder"] if per_folder else []), ">place", ">score", "picture"), rows)


def _make_folder(folder: Path) -> None:
    """Now, not after hours of scoring."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot make the folder {folder}: {error.strerror}") from error
    if not os.access(folder, os.W_OK):
        raise UsageError(f"cannot write to {folder}; choose another --copy-to")


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
        part = folder / f".{picture.stem}.{os.getpid()}.part"  # hidden: half a picture looks whole
        try:
            shutil.copyfile(picture, part)
            try:
                shutil.copystat(picture, part)
            except OSError as error:
                logger.warning("%s is copied without its dates: %s", picture, error.strerror)
            for number in count(1):
                suffix = f"-{number}" if number > 1 else ""
                target = folder / f"{picture.stem}{suffix}{picture.suffix}"
                if _named(part, target):
                    return target
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise UsageError(f"cannot copy {picture} to {folder}: {error.strerror}") from error
    raise AssertionError  # there are more numbers than files


def _named(part: Path, target: Path) -> bool:
    """Give a complete file its name at once; False, without replacing anything, if it is taken."""
    try:
        if os.name == "nt":
            part.rename(target)  # which replaces nothing there
        else:
            target.hardlink_to(part)
    except FileExistsError:
        return False
    except OSError:  # a file system without links, such as exFAT
        if os.path.lexists(target):
            return False
        part.rename(target)
    return True
