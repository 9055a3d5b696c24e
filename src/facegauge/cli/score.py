"""`facegauge score`: scores the faces in pictures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facegauge.cli.on_ray import (
    Actors,
    Deadline,
    Inputs,
    On,
    OnRay,
    RayAddress,
    score_on_ray,
)
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
    FactorNames,
    MaxPixels,
    MinFace,
    PathColumn,
    Paths,
    QualityFactors,
    ScorerName,
    ShardOf,
    Threads,
    open_scorer,
)
from facegauge.cli.sinks import open_sink
from facegauge.cli.tally import Tally
from facegauge.cli.terminal import resumable, say, with_noun
from facegauge.errors import UsageError

if TYPE_CHECKING:
    from facegauge.results import ImageScore

EPILOG = (
    "Exit codes: 0 every picture of this run was scored; 4 a picture is below --min-score, or "
    "has no score; 3 some have another status than ok (no_face, too_small, unreadable, too_large, "
    "error), or rows of earlier runs are still unreadable or error; 2 wrong usage or no pictures "
    "found; 1 unexpected error; 130 stopped by Ctrl-C."
)
BELOW = 4
SORTS = ("path", "score", "-score")


def score(
    paths: Paths,
    *,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Table to write, one row per face: .csv, .jsonl or .parquet; with --on ray a "
            "folder or URL  [default: a table on a terminal, CSV on a pipe]",
        ),
    ] = None,
    faces: Faces = "auto",
    scorer: ScorerName = "mobile",
    min_face: MinFace = 24,
    detect_size: DetectSize = None,
    factor: FactorNames = None,
    factors: QualityFactors = False,
    sort: Annotated[
        str | None,
        typer.Option(
            metavar="path|score|-score",
            help="Order of the pictures: by path, worst first (score) or best first (-score), with "
            "all rows written at the end  [default: as found]",
        ),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Resume the table of a run that was stopped; try again what was unreadable or "
            "gave an error",
        ),
    ] = False,
    overwrite: Overwrite = False,
    excel: Excel = False,
    annotate: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder for copies of the pictures with each face's box, number and score",
            show_default=False,
        ),
    ] = None,
    crops: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Folder for the faces, cut out as PNG files", show_default=False
        ),
    ] = None,
    min_score: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            metavar="T",
            help="End with exit code 4 if the best face of a picture of this run scores less, or "
            "the picture has no score: a gate for uploads and commits",
            show_default=False,
        ),
    ] = None,
    batch_size: BatchSize = 2,
    threads: Threads = None,
    device: Device = "cpu",
    max_pixels: MaxPixels = None,
    exclude: Exclude = None,
    path_column: PathColumn = None,
    shard: ShardOf = None,
    on: On = None,
    ray_address: RayAddress = None,
    actors: Actors = None,
    deadline: Deadline = None,
    bytes_column: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="With --on ray: PATH... are Parquet files or their folders, with the bytes of "
            "pictures in this column and their names in --path-column",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Score the faces in pictures, 0 (worst) to 1 (best)."""
    if sort not in (None, *SORTS):
        raise UsageError(f"expected --sort to be one of {', '.join(SORTS)}, got {sort}")
    if (resume or overwrite) and not output:
        raise UsageError("--resume and --overwrite go with a table: -o FILE")
    if resume and (overwrite or sort):
        raise UsageError("--resume goes neither with --overwrite nor with --sort")
    names = [*(factor or ()), *(["quality"] if factors else [])]
    cluster = OnRay(on, ray_address, actors, deadline, resume)
    cluster.check(
        {"--bytes-column": bytes_column},
        {
            "--sort": sort,
            "--overwrite": overwrite,
            "--excel": excel,
            "--annotate": annotate,
            "--crops": crops,
            "--threads": threads,
            "--shard": shard,
        },
    )
    if on:
        options = {
            "faces": faces,
            "min_face": min_face,
            "detect_size": detect_size,
            "batch_size": batch_size,
            "factors": names,
            **({} if max_pixels is None else {"max_pixels": max_pixels}),
        }
        inputs = Inputs(paths, exclude or (), path_column, bytes_column)
        if not score_on_ray(cluster, inputs, output, scorer, options):
            raise typer.Exit(SOME_FAILED)
        return
    from facegauge.placing import Place
    from facegauge.remaining import score_remaining
    from facegauge.tables.shards import Shard
    from facegauge.visual.saving import saving

    share = None if shard is None else Shard.parse(shard)
    hint_at_lists(paths, path_column)
    pictures = Pictures(paths, exclude or (), column=path_column, shard=share)
    drawn, cut = (Place(folder, pictures.given) if folder else None for folder in (annotate, crops))
    pictures.leave_out(drawn, cut)
    engine = open_scorer(
        scorer,
        faces=faces,
        min_face=min_face,
        detect_size=detect_size,
        batch_size=batch_size,
        threads=threads,
        device=device,
        max_pixels=max_pixels,
        factors=names,
    )
    tally = Tally(min_score)
    with open_sink(
        output, engine, resume=resume, overwrite=overwrite, excel=excel, shard=share
    ) as sink:
        if resume and (tried := sink.retry(pictures.again())):
            say(f"{with_noun(tried, 'picture')} failed before and will be tried again")

        def remaining(paths: Iterator[str]) -> Iterator[str]:
            return (path for path in paths if not sink.is_done(path))

        with resumable(lambda: bool(output and not sort)):
            if sort:  # no row is written before the end, so that there is nothing to resume
                scored = engine.score_iter(remaining(pictures.paths()))
            else:
                scored = score_remaining(engine, sink, pictures.paths())
            shown = saving(
                scored, engine.spec, annotated=drawn, crops=cut, max_pixels=engine.max_pixels
            )
            results = with_progress(shown, remaining(pictures.again()))
            for result in _sorted(results, sort):
                sink.write(result)
                tally.add(result)
        if share is not None:
            sink.listed(pictures.listing)
        left = sink.failed
    say(tally.summary(left, resumed=resume) + tally.whole())
    pictures.say_left_out()
    if tally.below:
        say(tally.gate())
        raise typer.Exit(BELOW)
    if tally.failed or tally.faceless or left:
        raise typer.Exit(SOME_FAILED)


def _sorted(results: Iterator[ImageScore], sort: str | None) -> Iterator[ImageScore]:
    if sort is None:
        yield from results
    elif sort == "path":
        yield from sorted(results, key=lambda result: result.path)
    else:
        sign = -1 if sort == "-score" else 1
        yield from sorted(
            results, key=lambda result: (not result.faces, sign * (result.score or 0))
        )
