"""Writes the README's table of scorers from their cards.

    python docs/make_table.py

The test `tests/test_docs.py` fails when the table is not what this script writes.
"""

from __future__ import annotations

import re
from pathlib import Path

from facegauge import zoo
from facegauge.zoo.cards import Card

README = Path(__file__).parents[1] / "README.md"
TABLE = re.compile(r"^\| scorer \|.*?(?=\n\n)", re.MULTILINE | re.DOTALL)
HEAD = """\
| scorer | parameters, GFLOPs | photos: SRCC | PLCC | crops: SRCC | PLCC |
|---|---|---|---|---|---|"""


def table() -> str:
    """The rows of the shipped scorers without copies in int8, the default first."""
    names = [name for name in zoo.names() if not name.endswith("-int8")]
    names.sort(key=lambda name: (name != zoo.DEFAULT, name))
    return "\n".join([HEAD, *(_row(zoo.load_card(zoo.open_folder(name))) for name in names)])


def _row(card: Card) -> str:
    name = f"`{card.name}` {card.version}"
    cells = [name, f"{card.cost.parameters_m:.2f} M, {card.cost.gflops:.2f}"]
    for measured in (card.photos, card.val):
        for metric in ("srcc", "plcc"):
            one = measured.figures[metric] if measured else None
            cells.append(f"{one.value:.3f} [{one.low:.3f}, {one.high:.3f}]" if one else "")
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    text = README.read_text(encoding="utf-8")
    README.write_text(TABLE.sub(lambda _: table(), text), encoding="utf-8")
