"""`facegauge calibrate`: fits a scorer's percentiles and intervals to labelled pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from facegauge.cli.terminal import printable


def calibrate(
    scorer: Annotated[str, typer.Argument(metavar="SCORER", help="Shipped name or scorer folder")],
    *,
    photos: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Labelled photos at their own size: the interval is fitted to their val rows, or "
            "to all of a list without splits; percentiles refer to the scores of all",
        ),
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="Scorer folder to create")],
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Labelled framed faces, as --photos. With --photos, pictures that are taken whole "
            "have an interval of their own; without, all are calibrated to them",
        ),
    ] = None,
    label_name: Annotated[
        str, typer.Option(help="Name of the labels in the card  [default: as it was]")
    ] = "",
) -> None:
    """Write a copy of a scorer whose percentiles and intervals are those of your pictures.

    Its scores stay as they are: finetune teaches a scorer other labels.
    """
    from facegauge.data.manifests import load_manifest
    from facegauge.evaluation.card import calibrate_scorer

    lists = {
        name: load_manifest(file) if file else None
        for name, file in (("photos", photos), ("crops", data))
    }
    card = calibrate_scorer(scorer, output, **lists, label_name=label_name)
    measured = card.photos if photos and card.photos else card.val
    srcc, plcc, rmse = (measured.figures[key] for key in ("srcc", "plcc", "rmse"))
    typer.echo(
        printable(
            f"{output}: SRCC {srcc.value:.3f} [{srcc.low:.3f}, {srcc.high:.3f}], "
            f"PLCC {plcc.value:.3f} [{plcc.low:.3f}, {plcc.high:.3f}], RMSE {rmse.value:.3f} on "
            f"{measured.n} {'photos' if photos else 'pictures'}"
        )
    )
