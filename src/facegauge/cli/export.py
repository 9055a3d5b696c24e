"""`facegauge export`: writes a scorer folder from a run folder."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from facegauge.cli.label_scale import Scale, scale_of
from facegauge.cli.terminal import printable, tell
from facegauge.errors import UsageError, require


def export(
    run: Annotated[str, typer.Argument(metavar="RUN", help="Run folder to export")],
    *,
    output: Annotated[Path, typer.Option("--output", "-o", help="Scorer folder to create")],
    data: Annotated[
        Path,
        typer.Option(
            help="Labelled manifest: val for figures and intervals, train for percentiles"
        ),
    ],
    photos: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Labelled photos at their own size, with a val split: for figures, percentiles "
            "and the interval as photos have them",
        ),
    ] = None,
    faces: Annotated[
        str | None,
        typer.Option(
            help="How the pictures of --data are read. whole: they are framed faces; auto: find "
            "the largest face  [default: as the run did, or whole]"
        ),
    ] = None,
    scale: Scale = None,
    name: Annotated[
        str | None, typer.Option(help="Name of the scorer  [default: the folder's name]")
    ] = None,
    flip: Annotated[
        bool,
        typer.Option(
            "--flip", help="Average the score over the mirrored picture too; doubles the cost"
        ),
    ] = False,
    label_name: Annotated[
        str, typer.Option(help="Name of the labels in the card  [default: what the run says]")
    ] = "",
    licence: Annotated[
        str,
        typer.Option(
            help="Licences of the weights and the data, in words  [default: of the scorer that was "
            "fine-tuned, else not stated]"
        ),
    ] = "",
    summary: Annotated[str, typer.Option(help="One or two sentences for the card")] = "",
    version: Annotated[str, typer.Option(help="Version of the scorer, such as 1.0")] = "",
) -> None:
    """Write a scorer folder: an ONNX file, which training can start from too, and a card."""
    require("torch", "exporting", "train")
    from facegauge import zoo
    from facegauge.data.manifests import load_manifest
    from facegauge.predictors import is_run

    if not is_run(run) and (run in zoo.names() or (Path(run) / zoo.CARD).is_file()):
        given = shlex.join([str(run), "--data", str(data), "-o", str(output)])
        raise UsageError(
            f"{run} is a finished scorer; recalibrate it to your labels with: facegauge calibrate "
            f"{given}; or teach it them with: facegauge finetune --start {run}"
        )
    from facegauge.nn.checkpoints import load_run
    from facegauge.training.export import export_run

    labels = scale_of(scale)
    card = export_run(
        load_run(run),
        output,
        name=name or output.resolve().name,
        data=load_manifest(data, scale=labels),
        photos=load_manifest(photos, scale=labels) if photos else None,
        faces=faces,
        flip=flip,
        label_name=label_name,
        licence=licence,
        summary=summary,
        version=version,
    )
    srcc, plcc = (card.val.figures[key] for key in ("srcc", "plcc"))
    tell(
        printable(
            f"{output}: {card.cost.parameters_m:.3f} M parameters, {card.cost.gflops:.4f} GFLOPs "
            f"(fvcore) at {card.cost.input}; "
            f"SRCC {srcc.value:.3f} [{srcc.low:.3f}, {srcc.high:.3f}], "
            f"PLCC {plcc.value:.3f} [{plcc.low:.3f}, {plcc.high:.3f}] on {card.val.n} val pictures"
        )
    )
