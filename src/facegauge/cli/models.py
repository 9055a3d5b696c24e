"""`facegauge models`: lists scorers with cost, accuracy and licence."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from facegauge.cli.terminal import print_table, say, tell
from facegauge.errors import ScorerError

if TYPE_CHECKING:
    from facegauge.zoo import Card, Validation

DAMAGED = 1
MORE = (
    "facegauge models NAME says how a scorer was trained, and what an audit of groups of people "
    "found."
)
COST = ("name", "version", ">M param.", ">GFLOPs")
WIDE = (*COST, "photos: SRCC", "photos: PLCC", "crops: SRCC", "crops: PLCC")
NARROW = ("name", "version", ">M", ">GFLOPs", "photos", "crops")


def models(
    scorers: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SCORER",
            help="Shipped names or scorer folders, such as calibrated copies  [default: all that "
            "ship]",
            show_default=False,
        ),
    ] = None,
    *,
    verify: Annotated[
        bool, typer.Option("--verify", help="Compare the sha256 of each model with its card")
    ] = False,
) -> None:
    """List scorers: size, cost, agreement with labels (95 % intervals), licence.

    With names, also how each was trained and what an audit found.

    Exit codes: 0 done; 1 a scorer is damaged.
    """
    from facegauge import zoo

    damaged, verified = False, (["verified"] if verify else [])
    wide, narrow, cards = [], [], []
    for scorer in scorers or zoo.names():
        try:
            folder = zoo.open_folder(scorer)
            card = zoo.load_card(folder)
            name = scorer if scorer in zoo.names() else card.name
            if verify:
                zoo.verify(folder)
        except ScorerError as error:
            say(str(error))
            damaged = True
            continue
        cost = (name, card.version, f"{card.cost.parameters_m:.2f}", f"{card.cost.gflops:.3f}")
        measured = (card.photos, card.val)
        wide.append((*cost, *(cell for one in measured for cell in _intervals(one)), *verified))
        narrow.append((*cost, *map(_values, measured), *verified))
        cards.append(card)
    if cards:
        last = ["sha256"] if verify else []
        print_table((*WIDE, *last), wide, ((*NARROW, *last), narrow))
        audited = [card for card in cards if card.fairness]
        details = [
            *map(_description, cards),
            *_once("fairness", audited, lambda card: card.fairness),
        ]
        paragraphs = [
            *(details if scorers else [MORE]),
            *_once("SRCC / PLCC", cards, _labels),
            *_once("licence", cards, lambda card: card.licence),
            "licence of the face detector CenterFace: MIT",
        ]
        tell("\n\n".join(paragraphs))
    elif not damaged:
        say("this installation has no scorers; use --scorer FOLDER with your own")
    if damaged:
        raise typer.Exit(DAMAGED)


def _intervals(measured: Validation | None) -> list[str]:
    """SRCC and PLCC with their intervals."""
    figures = [measured.figures[key] for key in ("srcc", "plcc")] if measured else []
    return [f"{one.value:.3f} ({one.low:.3f}-{one.high:.3f})" for one in figures] or ["", ""]


def _values(measured: Validation | None) -> str:
    """SRCC and PLCC alone."""
    if not measured:
        return ""
    return " / ".join(f"{measured.figures[key].value:.3f}" for key in ("srcc", "plcc"))


def _description(card: Card) -> str:
    from facegauge import zoo

    default = " (the default)" if card.name == zoo.DEFAULT else ""
    return f"{card.name}{default}: {card.summary}"


def _labels(card: Card) -> str:
    """What the figures were measured on."""
    photos = f"{card.photos.n} photos and " if card.photos else ""
    return f"{card.val.label}s of {photos}{card.val.n} crops"


def _once(what: str, cards: Sequence[Card], text: Callable[[Card], str]) -> Iterator[str]:
    """Each text once, with the scorers that have it."""
    for one in dict.fromkeys(map(text, cards)):
        names = ", ".join(card.name for card in cards if text(card) == one)
        yield f"{what} of {names}: {one}"
