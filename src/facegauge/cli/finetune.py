"""`facegauge finetune`: a finished scorer and other labels in, a run folder out."""

from __future__ import annotations

import shlex
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from facegauge.cli.carry_out import carry_out
from facegauge.cli.label_scale import Scale, told
from facegauge.cli.terminal import print_table, say
from facegauge.cli.train_options import (
    AllowLeakage,
    ConfigFile,
    DryRun,
    Output,
    Pairs,
    Resume,
    settings_of,
)


def finetune(
    *,
    data: Annotated[
        Path,
        typer.Option(
            help="Labelled pictures: CSV, JSONL or Parquet with image and score; also split "
            "(train, val) and identity, if there are any"
        ),
    ],
    output: Output,
    start: Annotated[
        str | None,
        typer.Option(
            help="Shipped scorer, or scorer or run folder, to start from  [default: mobile]"
        ),
    ] = None,
    scale: Scale = None,
    label_name: Annotated[
        str | None, typer.Option(help="What the labels are called, such as MOS  [default: label]")
    ] = None,
    faces: Annotated[
        str | None,
        typer.Option(
            help="auto: find the largest face; whole: every picture is a framed face  "
            "[default: auto]"
        ),
    ] = None,
    config: ConfigFile = None,
    set_: Pairs = None,
    resume: Resume = False,
    allow_leakage: AllowLeakage = False,
    dry_run: DryRun = False,
) -> None:
    """Teach a finished scorer your own labels: 300 to 3,000 pictures, in minutes.

    The scores of the start are fitted to the labels by a curve; then its head learns, then all its
    layers. What is best on val is kept, so the result is never worse there than the curve alone.
    Without a column split, the list is divided as by `facegauge data split`.
    """
    from facegauge.data.label_scale import LabelScale

    given = {"start": start, "labels.name": label_name, "faces": faces}
    pairs = [f"{key}={value}" for key, value in given.items() if value is not None]
    if scale is not None:
        ends = LabelScale.parse(scale)
        pairs += [f"labels.low={ends.low!r}", f"labels.high={ends.high!r}"]
    settings = settings_of(
        "finetune",
        preset=None,
        file=config,
        pairs=[*pairs, *(set_ or [])],
        out=output,
        resume=resume,
    )
    from facegauge.data.manifests import load_manifest
    from facegauge.training.methods.finetune import recipe
    from facegauge.training.methods.finetune.labels import FILE

    labelled = load_manifest(data, scale=told(settings.labels.scale))
    figures = carry_out(
        partial(recipe.run, settings, labelled),
        output,
        resume=resume,
        allow_leakage=allow_leakage,
        dry_run=dry_run,
    )
    if figures is None:
        return
    rows = [
        [recipe.WORDS.get(name, name), *(f"{figures[name][key]:.4f}" for key in ("srcc", "plcc"))]
        for name in figures
    ]
    print_table(["on val", ">SRCC", ">PLCC, raw"], rows)
    kept = output / FILE
    run, data_of_run = (shlex.quote(str(path)) for path in (output, kept))
    say(
        f"next: facegauge evaluate {run} --data {data_of_run} --split val\n"
        f"      facegauge export {run} -o SCORER --data {data_of_run}"
    )
