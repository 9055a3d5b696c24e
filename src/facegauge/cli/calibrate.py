"""`facegauge calibrate`: fits a scorer's percentiles and intervals to labelled pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from facegauge.cli.label_scale import Scale, scale_of
from facegauge.cli.terminal import printable, tell


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
    score_map: Annotated[
        str | None,
        typer.Option(
            "--map",
            metavar="isotonic|logistic",
            help="Map the scores to the labels, by a curve fitted to the train rows (a list "
            "without splits is divided); intervals and figures are those of the val rows, and the "
            "test rows tell how well both do  [default: scores stay]",
            show_default=False,
        ),
    ] = None,
    scale: Scale = None,
    accept_rate: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            help="Share of the pictures that you would accept, such as 0.8: the card has the score "
            "from which on a picture is among them",
            show_default=False,
        ),
    ] = None,
    label_name: Annotated[
        str, typer.Option(help="Name of the labels in the card  [default: as it was]")
    ] = "",
    name: Annotated[
        str,
        typer.Option(
            help="Name of the copy, in its card and beside its tables  [default: the scorer's with "
            "-calibrated or -mapped]"
        ),
    ] = "",
) -> None:
    """Write a copy of a scorer whose percentiles and intervals are those of your pictures.

    Its scores stay as they are, or are mapped to your labels by a curve that keeps their order;
    finetune teaches a scorer other labels.
    """
    from facegauge.data.manifests import load_manifest
    from facegauge.evaluation.card import calibrate_scorer

    labels = scale_of(scale)
    lists = {
        name: load_manifest(file, scale=labels) if file else None
        for name, file in (("photos", photos), ("crops", data))
    }
    card = calibrate_scorer(
        scorer,
        output,
        **lists,
        label_name=label_name,
        score_map=score_map,
        accept_rate=accept_rate,
        name=name,
    )
    measured = card.photos if photos and card.photos else card.val
    srcc, plcc, rmse = (measured.figures[key] for key in ("srcc", "plcc", "rmse"))
    tell(
        printable(
            f"{output}: SRCC {srcc.value:.3f} [{srcc.low:.3f}, {srcc.high:.3f}], "
            f"PLCC {plcc.value:.3f} [{plcc.low:.3f}, {plcc.high:.3f}], RMSE {rmse.value:.3f} on "
            f"{measured.n} {'photos' if photos else 'pictures'}"
        )
    )
    if accept := card.accept:
        tell(
            f"accept scores of {accept.score:.3f} and more: {100 * accept.rate:.0f} % of "
            f"{accept.n} pictures have them"
        )
