"""The shipped scorers, one folder each: `model.onnx` and `card.toml`; lists, opens, verifies."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from facegauge.errors import ScorerError
from facegauge.zoo.cards import Card, Cost, Data, Figure, Validation, card_from_toml, card_to_toml

__all__ = [
    "DEFAULT",
    "Card",
    "Cost",
    "Data",
    "Figure",
    "Validation",
    "card_from_toml",
    "card_to_toml",
    "load_card",
    "load_model",
    "names",
    "open_folder",
    "verify",
]

DEFAULT = "mobile"
MODEL, CARD = "model.onnx", "card.toml"
_HERE = Path(__file__).parent


def names() -> list[str]:
    """Names of the shipped scorers, sorted."""
    return sorted(card.parent.name for card in _HERE.glob(f"*/{CARD}"))


def open_folder(name_or_path: str | os.PathLike[str]) -> Path:
    """The folder of a scorer, given a shipped scorer's name or the path of a folder.

    A shipped name wins over a folder of the same name; write `./name` for the folder.

    Raises:
        ScorerError: there is no such scorer, or a file of it is missing.
    """
    shipped = names()
    folder = _HERE / name_or_path if name_or_path in shipped else Path(name_or_path)
    if not folder.is_dir():
        known = ", ".join(shipped) or "none"
        raise ScorerError(
            f"no scorer '{os.fspath(name_or_path)}': expected the name of a shipped scorer "
            f"({known}) or a folder with {MODEL} and {CARD}"
        )
    if not (folder / MODEL).exists() and not (folder / CARD).exists():
        raise ScorerError(
            f"{folder} is neither a scorer folder, which has {MODEL} and {CARD}, nor the folder of "
            "a finished run, which has run.json; a training that was stopped goes on with --resume"
        )
    for name in (MODEL, CARD):
        if not (folder / name).is_file():
            raise ScorerError(f"the scorer folder {folder} has no {name}")
    return folder


def load_card(folder: Path) -> Card:
    """The card of a scorer folder.

    Raises:
        ScorerError: unreadable, or a key is missing or of the wrong type; names file and key.
    """
    file = folder / CARD
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ScorerError(f"cannot read {file}: {error}") from error
    return card_from_toml(text, str(file))


def load_model(folder: Path) -> bytes:
    """The bytes of the model, after comparing their sha256 with the card's.

    Raises:
        ScorerError: unreadable, or not the model that the card describes.
    """
    expected = load_card(folder).sha256
    try:
        model = (folder / MODEL).read_bytes()
    except OSError as error:
        raise ScorerError(f"cannot read {folder / MODEL}: {error.strerror}") from error
    found = hashlib.sha256(model).hexdigest()
    if found != expected:
        raise ScorerError(
            f"{folder / MODEL} is damaged or not the model of its card: its sha256 is {found}, "
            f"{CARD} says {expected}; reinstall facegauge or export the scorer again"
        )
    return model


def verify(folder: Path) -> None:
    """Check that the model is the one its card describes.

    Raises:
        ScorerError: it is not, or a file is missing or damaged.
    """
    load_model(folder)
