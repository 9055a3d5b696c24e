"""`facegauge models`: the shipped scorers and what is known of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facegauge.cli.terminal import print_table, say
from facegauge.errors import ScorerError

if TYPE_CHECKING:
    from facegauge.zoo import Figure

DAMAGED = 1


def models(
    verify: Annotated[
        bool, typer.Option("--verify", help="Compare each model's sha256 with its card.")
    ] = False,
) -> None:
    """List the shipped scorers: size, cost, licence, agreement with labels (95 % intervals)."""
    from facegauge import zoo

    damaged = False
    rows, words = [], []
    for name in zoo.names():
        try:
            rows.append(_row(name, verify))
            words.append(_words(name))
        except ScorerError as error:
            say(str(error))
            damaged = True
    if rows:
        columns = ("name", "version", "system", ">MB", ">M param.", ">GFLOPs", ">SRCC", ">PLCC")
        print_table((*columns, "val", *(["sha256"] if verify else [])), rows)
        typer.echo("\n\n".join(words))
    elif not damaged:
        say("no scorers are shipped with this installation; --scorer FOLDER takes your own")
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
        f"{card.val.n} {card.val.label}s",
        *(["verified"] if verify else []),
    )


def _words(name: str) -> str:
    """What cannot be said in a column: summary and licence."""
    from facegauge import zoo

    card = zoo.load_card(zoo.open_folder(name))
    default = " (the default)" if name == zoo.DEFAULT else ""
    return f"{name}{default}: {card.summary}\nlicence: {card.licence}"


def _interval(figure: Figure) -> str:
    return f"{figure.value:.3f} ({figure.low:.3f}-{figure.high:.3f})"
