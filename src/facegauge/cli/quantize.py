"""`facegauge quantize`: writes a copy of a scorer in int8."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from facegauge.cli.label_scale import Scale, scale_of
from facegauge.cli.terminal import printable


def quantize(
    scorer: Annotated[str, typer.Argument(metavar="SCORER", help="Shipped name or scorer folder")],
    *,
    data: Annotated[
        Path,
        typer.Option(
            metavar="FILE",
            help="Labelled framed faces: train rows show which values occur, val rows are for "
            "figures and intervals",
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Scorer folder to create")],
    photos: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Labelled photos at their own size, with the same splits; needed where the "
            "scorer's card has figures on photos, as those of all shipped scorers",
            show_default=False,
        ),
    ] = None,
    scale: Scale = None,
    in_float: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=0,
            help="Convolutions, from the input on, that stay in float32  [default: as few of 6, "
            "20 and 32 as keep the scores]",
            show_default=False,
        ),
    ] = None,
    name: Annotated[
        str, typer.Option(help="Name of the copy  [default: the scorer's, with -int8]")
    ] = "",
) -> None:
    """Write a copy of a scorer in int8: faster, with scores that differ by some thousandths.

    Figures and intervals of its card are measured anew. Training cannot start from it. Needs the
    extra [train].
    """
    from facegauge.data.manifests import load_manifest
    from facegauge.training.quantize import quantize_scorer

    labels = scale_of(scale)
    card = quantize_scorer(
        scorer,
        output,
        load_manifest(data, scale=labels),
        photos=load_manifest(photos, scale=labels) if photos else None,
        name=name,
        in_float=in_float,
    )
    for what, measured in (("pictures", card.val), ("photos", card.photos)):
        if measured is not None:
            srcc, plcc, rmse = (measured.figures[key] for key in ("srcc", "plcc", "rmse"))
            typer.echo(
                printable(
                    f"{output}: SRCC {srcc.value:.4f} [{srcc.low:.3f}, {srcc.high:.3f}], "
                    f"PLCC {plcc.value:.4f} [{plcc.low:.3f}, {plcc.high:.3f}], "
                    f"RMSE {rmse.value:.4f} on {measured.n} {what} of val"
                )
            )
