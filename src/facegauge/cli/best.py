"""`facegauge best`: the pictures with the best faces, shown, listed or copied."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facegauge.cli.outputs import Overwrite
from facegauge.cli.pictures import Pictures, hint_at_lists
from facegauge.cli.progress import with_progress
from facegauge.cli.score_options import (
    SOME_FAILED,
    BatchSize,
    DetectSize,
    Device,
    Excel,
    Exclude,
    Faces,
    MaxPixels,
    MinFace,
    PathColumn,
    Paths,
    ScorerName,
    Threads,
    open_scorer,
)
from facegauge.cli.tally import Tally
from facegauge.cli.terminal import print_table, say
from facegauge.errors import UsageError

if TYPE_CHECKING:
    from facegauge.placing import Place
    from facegauge.results import ImageScore

EPILOG = (
    "Exit codes: 0 done; 3 no picture has a face with a score, or one could not be copied; 2 wrong "
    "usage or no pictures found; 1 unexpected error; 130 stopped by Ctrl-C."
)

SHOWN_FAILURES = 10  # pictures that are named


def best(
    paths: Paths,
    *,
    top: Annotated[int, typer.Option("--top", "-n", min=1, help="Number of pictures")] = 10,
    by: Annotated[
        str,
        typer.Option(
            metavar="best|worst|mean",
            help="Of several faces in a picture, which score counts: the best, the worst, or their "
            "mean",
        ),
    ] = "best",
    min_score: Annotated[
        float, typer.Option(min=0, max=1, help="Leave out pictures that count less")
    ] = 0.0,
    per_folder: Annotated[
        bool, typer.Option("--per-folder", help="Choose that many pictures in each folder")
    ] = False,
    per_burst: Annotated[
        bool,
        typer.Option(
            "--per-burst",
            help="Choose only the best of each burst: pictures of a folder taken at most two "
            "seconds after one another, by EXIF or name",
        ),
    ] = False,
    keep_copies: Annotated[
        bool,
        typer.Option(
            "--keep-copies", help="Choose copies and near duplicates of chosen pictures too"
        ),
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Score table of the chosen pictures to write: .csv, .jsonl or .parquet",
        ),
    ] = None,
    overwrite: Overwrite = False,
    excel: Excel = False,
    copy_to: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder to copy them to, each folder's pictures apart; no file is replaced: of "
            "another file's name a copy gets a number, and what is there already stays",
        ),
    ] = None,
    null: Annotated[
        bool, typer.Option("--null", "-0", help="In a pipe, end each path with NUL")
    ] = False,
    faces: Faces = "auto",
    scorer: ScorerName = "mobile",
    min_face: MinFace = 24,
    detect_size: DetectSize = None,
    batch_size: BatchSize = 2,
    threads: Threads = None,
    device: Device = "cpu",
    max_pixels: MaxPixels = None,
    exclude: Exclude = None,
    path_column: PathColumn = None,
) -> None:
    """Find the pictures with the best faces, best first.

    On a terminal they are shown with their scores; a pipe gets their paths, one a line.
    """
    from facegauge.placing import Place
    from facegauge.selection import BY, select

    if by not in BY:
        raise UsageError(f"expected --by to be one of {', '.join(BY)}, got {by}")
    hint_at_lists(paths, path_column)
    pictures = Pictures(paths, exclude or (), column=path_column)
    _check_table(output, overwrite, excel)
    place = Place(copy_to, pictures.given) if copy_to else None
    pictures.leave_out(place)
    engine = open_scorer(
        scorer,
        faces=faces,
        min_face=min_face,
        detect_size=detect_size,
        batch_size=batch_size,
        threads=threads,
        device=device,
        max_pixels=max_pixels,
    )
    tally = Tally()
    failures: list[ImageScore] = []
    results = tallied(
        with_progress(engine.score_iter(pictures.paths()), pictures.again()), tally, failures
    )
    chosen = select(
        results,
        top,
        per_folder=per_folder,
        by=by,
        min_score=min_score,
        keep_copies=keep_copies,
        per_burst=per_burst,
    )
    if sys.stdout.isatty():
        _print(chosen, per_folder, by)
    else:
        _print_paths(chosen, b"\0" if null else b"\n")
    _write(chosen, output, excel)
    copied = place is None or _copy_all(chosen, place)
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


def _print(chosen: Sequence[ImageScore], per_folder: bool, by: str) -> None:
    """A table of the chosen pictures, if any; each folder is named once."""
    from facegauge.selection import BY

    rows = []
    for folder, results in groupby(chosen, lambda one: per_folder and str(Path(one.path).parent)):
        for place, result in enumerate(results, 1):
            named = (str(folder) if place == 1 else "",) if per_folder else ()
            score = BY[by]([face.score for face in result.faces])
            picture = Path(result.path).name if per_folder else result.path
            rows.append((*named, str(place), f"{score:.3f}", picture))
    if rows:
        title = ["/folder"] if per_folder else []
        print_table((*title, ">place", ">score", "/picture"), rows)


def _print_paths(chosen: Iterable[ImageScore], end: bytes) -> None:
    """Their paths, byte by byte as they are, for the next command of a pipe."""
    sys.stdout.flush()
    sys.stdout.buffer.write(b"".join(os.fsencode(one.path) + end for one in chosen))
    sys.stdout.buffer.flush()


def _check_table(output: Path | None, overwrite: bool, excel: bool) -> None:
    """Refuse a table that cannot be written, before anything is scored."""
    from facegauge.outputs import check_output
    from facegauge.tables.files import check_excel, suffix_of

    if output is None:
        if overwrite or excel:
            raise UsageError("--overwrite and --excel go with a table: -o FILE")
        return
    suffix_of(output)
    check_excel(output, excel)
    check_output(output, overwrite=overwrite)


def _write(chosen: Iterable[ImageScore], output: Path | None, excel: bool) -> None:
    from facegauge.results import COLUMNS
    from facegauge.tables.files import write_table

    if output is None:
        return
    try:
        rows = (row for one in chosen for row in one.rows())
        write_table(output, COLUMNS, rows, excel=excel)
    except OSError as error:
        raise UsageError(f"cannot write {output}: {error.strerror or error}") from error


def _copy_all(results: Iterable[ImageScore], place: Place) -> bool:
    """Copy the pictures that can be copied, and name the others; whether all could be."""
    every = True
    for result in results:
        try:
            place.copy(Path(result.path))
        except UsageError as error:
            say(str(error))
            every = False
    return every
