"""`facegauge models`: lists the shipped scorers with cost, accuracy and licence."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facegauge.cli.terminal import print_table, say
from facegauge.errors import ScorerError

if TYPE_CHECKING:
    from facegauge.zoo import Figure

DAMAGED = 1
COLUMNS = (
    *("name", "version", "method", ">MB", ">M param.", ">GFLOPs", ">SRCC", ">PLCC"),
    *(">photos SRCC", ">photos PLCC", "val"),
)


def models(
    verify: Annotated[
        bool, typer.Option("--verify", help="Compare the sha256 of each model with its card")
    ] = False,
) -> None:
    """List the shipped scorers: size, cost, agreement with labels (95 % intervals), licence.

    Exit codes: 0 done; 1 a scorer is damaged.
    """
    from facegauge import zoo

    damaged = False
    rows, descriptions = [], []
    for name in zoo.names():
        try:
            rows.append(_row(name, verify))
            descriptions.append(_description(name))
        except ScorerError as error:
            say(str(error))
            damaged = True
    if rows:
        columns = (
            "name",
            "version",
            "method",
            ">MB",
            ">M param.",
            ">GFLOPs",
            ">SRCC",
            ">PLCC",
            ">photos SRCC",
            ">photos PLCC",
        )
        print_table((*columns, "val", *(["sha256"] if verify else [])), rows)
        typer.echo("\n\n".join(descriptions))
    elif not damaged:
        say("this installation has no scorers; use --scorer FOLDER with your own")
    if damaged:
        raise typer.Exit(DAMAGED)


def _row(name: str, verify: bool) -> tuple[str, ...]:
    from facegauge import zoo

    folder: Path = zoo.open_folder(name)
    card = zoo.load_card(folder)
    if verify:
        zoo.verify(folder)
    return (
        name,
        card.version,
        card.system,
        f"{(folder / zoo.MODEL).stat().st_size / 1e6:.1f}",
        f"{card.cost.parameters_m:.2f}",
        f"{card.cost.gflops:.3f}",
        _interval(card.val.figures["srcc"]),
        _interval(card.val.figures["plcc"]),
        *(_interval(card.photos.figures[key]) if card.photos else "" for key in ("srcc", "plcc")),
        f"{card.val.n} {card.val.label}s" + (f", {card.photos.n} photos" if card.photos else ""),
        *(["verified"] if verify else []),
    )


def _description(name: str) -> str:
    """Summary and licence, which are too long for a column."""
    from facegauge import zoo

    card = zoo.load_card(zoo.open_folder(name))
    default = " (the default)" if name == zoo.DEFAULT else ""
    return f"{name}{default}: {card.summary}\nlicence: {card.licence}"


def _interval(figure: Figure) -> str:
    return f"{figure.value:.3f} ({figure.low:.3f}-{figure.high:.3f})"
