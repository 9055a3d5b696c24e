"""Writes docs/columns.md and docs/factor_columns.md from the code: every column of the tables.

    python docs/make_columns.py

The test `tests/test_docs.py` fails when a page is not what this script writes.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from facegauge.faces.spec import PreprocessSpec
from facegauge.factors import FACTORS
from facegauge.labelling import label_table
from facegauge.results import COLUMNS
from facegauge.schema import Column

FOLDER = Path(__file__).parent
WRITTEN = "Written by `python docs/make_columns.py` from the code."
HEAD = f"""\
# Columns

The name, type and meaning of every column of score tables and of tables of pseudo-labels.
Sharpness, pose and other factors have columns on [a page of their own](factor_columns.md).
{WRITTEN}

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
FACTORS_HEAD = f"""\
# Columns of factors

The columns that each [factor](factors.md) adds to a score table. {WRITTEN}

The option `--factor NAME` of `facegauge score` measures one; it may be repeated, and `--factors` is
`--factor quality`. In Python, `Scorer(factors=[...])` takes names, and objects of your own, see
`facegauge.factors`. The columns follow those of the score table. The values are in
`FaceScore.factors`, and in `ImageScore.to_dict()` in an object `factors` of each face. A factor
that fails on a face leaves its columns empty there, and the message of the picture has the reason.
"""
LABELS = """\
## Tables of pseudo-labels

`facegauge label`: one row a picture. A finished table is a manifest.
"""


def pages() -> dict[str, str]:
    """The pages by their names."""
    factors = {name: factory(PreprocessSpec()) for name, factory in FACTORS.items()}
    tables = [HEAD, SCORES, _table(COLUMNS), LABELS, _table(label_table.COLUMNS)]
    measured = [FACTORS_HEAD]
    for name, factor in sorted(factors.items()):
        measured += [f"## {name}\n", _table(factor.columns)]
    return {"columns.md": "\n".join(tables), "factor_columns.md": "\n".join(measured)}


def _table(columns: Iterable[Column]) -> str:
    rows = [f"| `{column.name}` | {column.type} | {column.doc} |" for column in columns]
    return "\n".join(["| column | type | meaning |", "|---|---|---|", *rows, ""])


if __name__ == "__main__":
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
