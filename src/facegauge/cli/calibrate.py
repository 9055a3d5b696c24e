"""`facegauge calibrate`: fits a scorer's percentiles and intervals to labelled photos."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from facegauge.cli.terminal import printable


def calibrate(
    scorer: Annotated[str, typer.Argument(metavar="SCORER", help="Shipped name or scorer folder")],
    *,
    photos: Annotated[
        Path,
        typer.Option(
            metavar="FILE",
            help="Labelled photos at their own size, with a val split: the interval is fitted to "
            "their val rows, percentiles refer to the scores of all",
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Scorer folder to create")],
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Labelled crops with a val split: pictures that are taken whole then have an "
            "interval of their own",
        ),
    ] = None,
) -> None:
    """Write a copy of a scorer whose percentiles and intervals are those of your photos."""
    from facegauge.data.manifests import load_manifest
    from facegauge.evaluation.card import calibrate_scorer

    crops = load_manifest(data) if data else None
    card = calibrate_scorer(scorer, output, load_manifest(photos), crops=crops)
    assert card.photos is not None
    srcc, plcc, rmse = (card.photos.figures[key] for key in ("srcc", "plcc", "rmse"))
    typer.echo(
        printable(
            f"{output}: SRCC {srcc.value:.3f} [{srcc.low:.3f}, {srcc.high:.3f}], "
            f"PLCC {plcc.value:.3f} [{plcc.low:.3f}, {plcc.high:.3f}], RMSE {rmse.value:.3f} on "
            f"{card.photos.n} photos of val"
        )
    )
