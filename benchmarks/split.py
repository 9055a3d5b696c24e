"""Add a split column to a manifest, by file name, so that it never depends on the order.

    python benchmarks/split.py portraits/images.csv portraits/split.csv

A quarter of the pictures becomes `val`: those whose file name's sha256 starts with 0 to 3. The
other columns stay. The unlabelled portraits of the shipped scorers were divided in this way:
training used the train rows, and `order.py` uses the val rows.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
from collections.abc import Sequence
from pathlib import Path


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path, help="CSV with a column image")
    parser.add_argument("target", type=Path, help="CSV to write")
    options = parser.parse_args(arguments)
    text = {"newline": "", "errors": "surrogateescape"}
    with options.source.open(encoding="utf-8-sig", **text) as file:
        rows = list(csv.DictReader(file))
    if not rows or "image" not in rows[0] or "split" in rows[0]:
        parser.error(f"expected {options.source} to have rows, a column image and no column split")
    if options.source.resolve().parent != options.target.resolve().parent:
        parser.error("expected both lists in one folder, since their paths are relative to it")
    with options.target.open("w", encoding="utf-8", **text) as file:
        writer = csv.DictWriter(file, [*rows[0], "split"])
        writer.writeheader()
        writer.writerows({**row, "split": split_of(row["image"])} for row in rows)


def split_of(image: str) -> str:
    digest = hashlib.sha256(Path(image).name.encode()).hexdigest()
    return "val" if digest[0] in "0123" else "train"


if __name__ == "__main__":
    main()
