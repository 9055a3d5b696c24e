"""Writes docs/columns.md from the code: every column of the tables and of the factors.

    python docs/make_columns.py

The test `tests/test_docs.py` fails when the page is not what this script writes.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from facegauge.faces.spec import PreprocessSpec
from facegauge.factors import FACTORS
from facegauge.labelling import label_table
from facegauge.results import COLUMNS
from facegauge.schema import Column

PAGE = Path(__file__).parent / "columns.md"
HEAD = """\
# Columns

This page is written by `python docs/make_columns.py` from the code. Do not edit it by hand.

A column has a name, a type (`str`, `int` or `float`) and a meaning. Any cell may be empty. Floats
have six decimals.

In CSV an empty cell is empty; in JSONL and Parquet it is null. Parquet keeps the type and the
meaning of each column in the metadata of its field (`type`, `doc`), and the settings of the run as
JSON in the metadata of the file (`facegauge.settings`). Beside every table, `<table>.settings.json`
has the settings and the columns. Columns that other tools add to a finished table are kept when it
is read, as text if not all their values are numbers.
"""
SCORES = """\
## Score tables

`facegauge score` and `ImageScore.rows()`: one row a face, or one row for a picture without a score.
"""
FACTORS_HEAD = """\
## Factors

Measured beside the score with the option `--factor NAME` of `facegauge score`, which may be
repeated, where `--factors` is `--factor quality`; or with `Scorer(factors=[...])`, which takes
objects of your own too, see `facegauge.factors`. Their columns follow those of the score table.
In Python they are in `FaceScore.factors`, and in `ImageScore.to_dict()` in an object `factors` of
each face. A factor that fails on a face leaves its columns empty there, and the message of the
picture has the reason.
"""
LABELS = """\
## Tables of pseudo-labels

`facegauge label`: one row a picture. A finished table is a manifest.
"""


def page() -> str:
    """The text of docs/columns.md."""
    factors = {name: factory(PreprocessSpec()) for name, factory in FACTORS.items()}
    parts = [HEAD, SCORES, _table(COLUMNS), FACTORS_HEAD]
    for name, factor in sorted(factors.items()):
        parts += [f"### {name}\n", _table(factor.columns)]
    return "\n".join([*parts, LABELS, _table(label_table.COLUMNS)])


def _table(columns: Iterable[Column]) -> str:
    rows = [f"| `{column.name}` | {column.type} | {column.doc} |" for column in columns]
    return "\n".join(["| column | type | meaning |", "|---|---|---|", *rows, ""])


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
