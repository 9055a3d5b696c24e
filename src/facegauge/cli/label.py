"""`facegauge label`: pseudo-labels, a scorer's scores of unlabelled pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from facegauge.cli.label_scale import Scale, scale_of
from facegauge.cli.on_ray import Actors, Deadline, On, OnRay, RayAddress, label_on_ray
from facegauge.cli.outputs import Overwrite
from facegauge.cli.progress import with_progress
from facegauge.cli.score_options import SOME_FAILED, DetectSize, Device, Excel, Exclude, ShardOf
from facegauge.cli.terminal import resumable, say, with_noun

EPILOG = (
    "Exit codes: 0 every picture of this run has a label; 3 some have another status than ok "
    "(no_face, too_small, unreadable, too_large, error), or rows of earlier runs are still "
    "unreadable or error; 2 wrong usage or no pictures found; "
    "1 unexpected error; 130 stopped by Ctrl-C."
)


def label(
    teacher: Annotated[
        str, typer.Argument(metavar="RUN|SCORER", help="Run or scorer that gives the labels")
    ],
    *,
    data: Annotated[Path, typer.Option(help="Pictures to label: a folder or a manifest")],
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", help="Table to write, one row per picture: .csv or .parquet"
        ),
    ],
    faces: Annotated[
        str, typer.Option(help="auto: detect the largest face; whole: pictures are framed faces")
    ] = "auto",
    detect_size: DetectSize = None,
    views: Annotated[
        int,
        typer.Option(min=1, help="Shifted and mirrored views of each picture to average over"),
    ] = 1,
    labels: Annotated[
        Path | None,
        typer.Option(help="Held-out labelled pictures, to fit a curve from scores to labels"),
    ] = None,
    split: Annotated[
        str | None, typer.Option(help="Split of --labels to use, or all  [default: val]")
    ] = None,
    scale: Scale = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Views per batch of the network")] = 32,
    device: Device = "cpu",
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
    exclude: Exclude = None,
    shard: ShardOf = None,
    on: On = None,
    ray_address: RayAddress = None,
    actors: Actors = None,
    deadline: Deadline = None,
) -> None:
    """Label pictures with a scorer's scores, to train another scorer on them.

    The table is a manifest: its column score is the label. Data join adds it to labels.
    """
    from facegauge.data.manifests import load_manifest
    from facegauge.errors import UsageError
    from facegauge.labelling.label import label_into
    from facegauge.labelling.label_table import count_failed
    from facegauge.predictors import open_predictor
    from facegauge.results import Status
    from facegauge.tables.shards import Shard

    if resume and overwrite:
        raise UsageError("--resume does not go with --overwrite")
    if split is not None and labels is None:
        raise UsageError("--split goes with --labels: it is the split that the curve is fitted to")
    if scale is not None and labels is None:
        raise UsageError("--scale goes with --labels: it is the scale of their labels")
    cluster = OnRay(on, ray_address, actors, deadline, resume)
    cluster.check({}, {"--overwrite": overwrite, "--shard": shard, "--device": device != "cpu"})
    held_out = None
    if labels is not None:
        held_out = load_manifest(labels, scale=scale_of(scale))
        held_out.labels()
        held_out = held_out if split == "all" else held_out.where(split=split or "val")
    options: dict[str, Any] = {
        "faces": faces,
        "detect_size": detect_size,
        "views": views,
        "held_out": held_out,
        "batch_size": batch_size,
        "excel": excel,
    }
    predictor = open_predictor(teacher, device)
    manifest = load_manifest(data, exclude=exclude or ())
    if on:
        counts = label_on_ray(cluster, output, predictor, manifest, options)
    else:
        with resumable(lambda: True):
            counts = label_into(
                output,
                predictor,
                manifest,
                resume=resume,
                overwrite=overwrite,
                shard=None if shard is None else Shard.parse(shard),
                progress=lambda labels, left: with_progress(labels, left, "labelling"),
                **options,
            )
    labelled, faceless = counts[Status.OK], counts[Status.NO_FACE] + counts[Status.TOO_SMALL]
    failed = counts.total() - labelled - faceless
    left = count_failed(output) if resume else 0
    if resume and not counts:
        still = f", of which {left} failed" if left else ""
        say(f"nothing left to do: {output} holds every picture{still}")
    else:
        pictures = with_noun(labelled, "picture") + (" more" if resume else "")
        say(f"{pictures} labelled, {faceless} without a face, {failed} failed")
    if faceless or failed or left:
        raise typer.Exit(SOME_FAILED)
