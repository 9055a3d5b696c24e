"""Several runs or scorers on the same labelled pictures: agreement, differences, cost.

    python benchmarks/compare.py --data labels.csv --name efficient-steps --reference student \\
        student-labels=runs/labels student-a=runs/a student=runs/b teacher=runs/b/teacher

Each row is NAME=FOLDER, a run folder, a scorer folder or a shipped scorer's name. Reported: SRCC,
PLCC raw and (SRCC + PLCC) / 2 with bootstrap intervals; the reference less each other row, paired
on the same pictures; parameters and multiply-adds as fvcore counts them. Pictures are taken whole.
This is how the tables of ablations in the documentation are made.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from page import RESULTS, Table, name_of, publish
from rows import named, shown

from facegauge.data.manifests import Manifest, load_manifest
from facegauge.errors import UsageError
from facegauge.evaluation.evaluate import COMPARED, Predictions, predict, report
from facegauge.evaluation.profile import profile_folder

SHOWN = {"srcc": "SRCC", "plcc": "PLCC, raw", "challenge": "(SRCC + PLCC) / 2"}


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    manifest = load_manifest(options.data).where(split=options.split)
    judged = {name: predict(folder, manifest) for name, folder in options.rows.items()}
    tables = [agreement(manifest, judged)]
    if options.reference:
        tables.append(differences(manifest, judged, options.reference))
    tables.append(cost(options.rows))
    intro = (
        f"On {len(manifest)} pictures of {name_of(options.data)}, split {options.split}, against "
        f"the {options.label_name}. Intervals: 95 %, bootstrap over pictures."
    )
    publish(options.name, "Compared", intro, tables, options.results)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("rows", nargs="+", metavar="NAME=FOLDER", help="a run, a scorer folder or a shipped name")
    add("--data", required=True, help="manifest of labelled pictures, framed as their labels saw")
    add("--split", default="val", help="split to judge on (default: val)")
    add("--label-name", default="challenge label", help="(default: challenge label)")
    add("--reference", help="row whose differences to the others are shown")
    add("--name", default="compare", help="of the page (default: compare)")
    add("--results", type=Path, default=RESULTS, help="folder for the page")
    options = parser.parse_args(arguments)
    options.rows = named(options.rows, "a row")
    if options.reference and options.reference not in options.rows:
        raise UsageError(f"--reference {options.reference}: the rows are {', '.join(options.rows)}")
    return options


def agreement(manifest: Manifest, judged: dict[str, Predictions]) -> Table:
    rows = []
    for name, predictions in judged.items():
        figures = list(report(manifest, predictions).figures.values())[-1]
        rows.append([name, figures.n, *(shown(getattr(figures, key)) for key in SHOWN)])
    return Table("Agreement", ["", "n", *SHOWN.values()], rows)


def differences(manifest: Manifest, judged: dict[str, Predictions], reference: str) -> Table:
    rows = []
    for name, predictions in judged.items():
        if name != reference:
            found = report(manifest, judged[reference], other=predictions).differences
            rows.append([f"{reference} - {name}", *(shown(found[key], "+") for key in SHOWN)])
    note = "An interval that leaves out 0: the two differ on pictures of this kind."
    return Table("Paired differences", ["", *SHOWN.values()], rows, note)


def cost(folders: dict[str, str]) -> Table:
    rows = []
    for name, folder in folders.items():
        found = profile_folder(folder)
        rows.append([name, f"{found.parameters / 1e6:.3f} M", f"{found.gflops:.4f}"])
    return Table("Cost", ["", "parameters", "GFLOPs (fvcore)"], rows)


if __name__ == "__main__":
    assert set(SHOWN) <= set(COMPARED)
    main()
