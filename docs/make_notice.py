"""Writes NOTICE, which goes into every wheel: the weights that it carries, and their licences.

    python docs/make_notice.py

The licences of the scorers are those of their cards. The test `tests/test_repository.py` fails when
NOTICE is not what this script writes.
"""

from __future__ import annotations

import textwrap
from pathlib import Path

from facegauge import zoo
from facegauge.zoo.cards import Card

NOTICE = Path(__file__).parents[1] / "NOTICE"
HEAD = """\
facegauge
Copyright the facegauge developers

The code is under the Apache License 2.0, see LICENSE. A wheel also carries weights of networks,
which are under licences of their own. `facegauge models` prints the same.
"""
DETECTOR = """\
facegauge/_detector/centerface.onnx
  The face detector CenterFace. MIT License, see the file LICENSE beside it. It is added when a
  wheel is built; a source distribution does not carry it.
"""


def notice() -> str:
    """The text of NOTICE: each file of weights with its version, sha256 and licence."""
    cards = [zoo.load_card(zoo.open_folder(name)) for name in zoo.names()]
    return "\n".join([HEAD, DETECTOR, *map(_scorer, cards)])


def _scorer(card: Card) -> str:
    about = textwrap.fill(card.licence, 100, initial_indent="  ", subsequent_indent="  ")
    lines = [
        f"facegauge/zoo/{card.name}/{zoo.MODEL}",
        f"  The scorer {card.name}, version {card.version}; sha256 {card.sha256}.",
        about,
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    NOTICE.write_text(notice(), encoding="utf-8")
