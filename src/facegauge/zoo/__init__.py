"""The shipped scorers: each is a folder with `model.onnx` and `card.toml`."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from facegauge.errors import ArgumentTypeError, ScorerError
from facegauge.package_files import package_files, package_path
from facegauge.zoo.card_toml import card_from_toml, card_to_toml
from facegauge.zoo.cards import Accept, Card, Cost, Data, Figure, Validation

__all__ = [
    "DEFAULT",
    "Accept",
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
MAX_MODEL_BYTES, MAX_CARD_BYTES = 1_000_000_000, 1_000_000
_HERE = package_files("zoo")


def names() -> list[str]:
    """Names of the shipped scorers, sorted."""
    if not _HERE.is_dir():  # bundled without them
        return []
    return sorted(folder.name for folder in _HERE.iterdir() if (folder / CARD).is_file())


def open_folder(name_or_path: str | os.PathLike[str]) -> Path:
    """The folder of a scorer.

    Args:
        name_or_path: name of a shipped scorer, or path of a scorer folder. A shipped name takes
            precedence over a folder of the same name; write `./name` for the folder.

    Raises:
        ScorerError: the scorer does not exist, or one of its files is missing.
        ArgumentTypeError: neither text nor a path.
    """
    if not isinstance(name_or_path, str | os.PathLike):
        raise ArgumentTypeError(
            f"expected the name of a shipped scorer or the folder of one, got {name_or_path!r}"
        )
    shipped = names()
    folder = Path(name_or_path)
    if name_or_path in shipped:
        inside = _HERE / os.fspath(name_or_path)
        folder = inside if isinstance(inside, Path) else package_path(f"zoo/{name_or_path}")
    if not folder.is_dir():
        if not shipped:
            raise ScorerError(
                "facegauge's own files are missing: it was packed or bundled without them; install "
                "it with pip, or bundle it with `--collect-data facegauge`"
            )
        known = ", ".join(shipped)
        raise ScorerError(
            f"no scorer '{os.fspath(name_or_path)}'; expected the name of a shipped scorer "
            f"({known}) or a folder with {MODEL} and {CARD}"
        )
    if not (folder / MODEL).exists() and not (folder / CARD).exists():
        raise ScorerError(
            f"{folder} is neither a scorer folder (with {MODEL} and {CARD}) nor the folder of a "
            "finished run (with run.json); to finish a stopped training, repeat it with --resume"
        )
    for name in (MODEL, CARD):
        if not (folder / name).is_file():
            raise ScorerError(f"the scorer folder {folder} has no {name}")
    return folder


def load_card(folder: Path) -> Card:
    """Read the card of a scorer folder.

    Raises:
        ScorerError: the card cannot be read, or a key is missing or has another type; the message
            gives file and key.
    """
    file = folder / CARD
    try:
        if file.stat().st_size > MAX_CARD_BYTES:
            raise ScorerError(f"{file} is larger than {MAX_CARD_BYTES} bytes; no card is")
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ScorerError(f"cannot read {file}: {error}") from error
    return card_from_toml(text, str(file))


def load_model(folder: Path) -> bytes:
    """Read the model of a scorer folder and compare its sha256 with the card's.

    Returns:
        The bytes of the ONNX file.

    Raises:
        ScorerError: the model cannot be read, or its sha256 differs from the card's.
    """
    expected = load_card(folder).sha256
    try:
        if (folder / MODEL).stat().st_size > MAX_MODEL_BYTES:
            raise ScorerError(f"{folder / MODEL} is larger than {MAX_MODEL_BYTES / 1e9:g} GB")
        model = (folder / MODEL).read_bytes()
    except OSError as error:
        raise ScorerError(f"cannot read {folder / MODEL}: {error.strerror}") from error
    sha256 = hashlib.sha256(model).hexdigest()
    if sha256 != expected:
        raise ScorerError(
            f"{folder / MODEL} is damaged or not the model of its card: its sha256 is {sha256}, "
            f"expected {expected}; reinstall facegauge or export the scorer again"
        )
    return model


def verify(folder: Path) -> None:
    """Check that the sha256 of the model is that of the card.

    Raises:
        ScorerError: it is another one, or a file is missing or damaged.
    """
    load_model(folder)
