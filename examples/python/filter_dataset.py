"""Filter a data set: score a folder into a table, then list the pictures that are good enough.

    python examples/python/filter_dataset.py
    python examples/python/filter_dataset.py photos --threshold 0.45 --output filtered

The table, `scores.csv`, has a row for every face and for every picture without one. Start the
program again after an interruption: it continues where it stopped, because the table is resumed.
The lists are made from the finished table: `keep.txt`, `below.txt`, and one for each status without
a score, such as `no_face.txt`, so that no picture disappears silently.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from facegauge import Scorer, Status
from facegauge.images import find_pictures
from facegauge.remaining import score_remaining
from facegauge.tables.scores import read_rows

EXAMPLES = Path(__file__).resolve().parent.parent


def score_into(table: Path, folder: Path, scorer: Scorer) -> None:
    """Write a row for every face; pictures that the table already holds are not scored again."""
    with scorer.open_table(table, resume=True) as writer:  # refuses another scorer's rows
        for result in score_remaining(scorer, writer, find_pictures([folder])):
            writer.write(result)


def sort_out(table: Path, threshold: float) -> dict[str, list[str]]:
    """Paths by list: `keep`, `below` the threshold, or the status of pictures without a score."""
    best: dict[str, float] = {}
    lists: dict[str, list[str]] = {"keep": [], "below": []}
    lists.update({status.value: [] for status in Status if status is not Status.OK})
    for row in read_rows(table):
        if row["status"] == Status.OK:
            best[row["path"]] = max(best.get(row["path"], 0.0), row["score"])
        else:
            lists[row["status"]].append(row["path"])
    for path, score in best.items():
        lists["keep" if score >= threshold else "below"].append(path)
    return lists


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", nargs="?", type=Path, default=EXAMPLES)
    parser.add_argument("--threshold", type=float, default=0.25, help="lowest score to keep, 0..1")
    parser.add_argument("--output", type=Path, default=Path("filtered"), help="folder to write")
    given = parser.parse_args(arguments)

    given.output.mkdir(parents=True, exist_ok=True)
    table = given.output / "scores.csv"
    score_into(table, given.folder, Scorer(faces="largest"))
    for name, paths in sort_out(table, given.threshold).items():
        file = given.output / f"{name}.txt"
        file.write_text("".join(f"{path}\n" for path in paths), errors="surrogateescape")
        print(f"{len(paths):6d}  {file}")


if __name__ == "__main__":
    main()
