"""Compare runs or scorers on the same labelled pictures: agreement, differences, cost.

    python benchmarks/compare.py --data labels.csv --name efficient-steps --reference student \\
        student-labels=runs/labels student-a=runs/a student=runs/b teacher=runs/b/teacher

Each row is NAME=FOLDER, a run folder, a scorer folder or a shipped scorer's name. Reported: SRCC,
raw PLCC and (SRCC + PLCC) / 2 with bootstrap intervals; the reference minus each other row, paired
on the same pictures; parameters and multiply-adds as fvcore counts them. Pictures are taken whole.
The tables of ablations in the documentation are made with this script.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from page import Table, arguments_for, name_of, publish
from rows import named, shown

from facegauge.data.manifests import Manifest, load_manifest
from facegauge.errors import UsageError
from facegauge.evaluation.evaluate import COMPARED, report
from facegauge.evaluation.predictions import Predictions, predict
from facegauge.evaluation.profile import profile_scorer
from facegauge.nn.profile import profile_run
from facegauge.predictors import is_run

SHOWN = {"srcc": "SRCC", "plcc": "PLCC, raw", "challenge": "(SRCC + PLCC) / 2"}


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    manifest = load_manifest(options.data).where(split=options.split)
    predicted = {name: predict(folder, manifest) for name, folder in options.rows.items()}
    tables = [agreement(manifest, predicted)]
    if options.reference:
        tables.append(differences(manifest, predicted, options.reference))
    tables.append(cost(options.rows))
    intro = (
        f"Agreement with the {options.label_name} on {len(manifest)} pictures of "
        f"{name_of(options.data)}, split {options.split}. Intervals: bootstrap 95 %, over pictures."
    )
    publish(options.name, "Comparison", intro, tables, options.results)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = arguments_for(__doc__)
    add = parser.add_argument
    add(
        "rows",
        nargs="+",
        metavar="NAME=FOLDER",
        help="run folder, scorer folder or shipped scorer",
    )
    add(
        "--data",
        required=True,
        help="labelled manifest; pictures framed as their labels saw them",
    )
    add("--split", default="val", help="split to evaluate on (default: val)")
    add(
        "--label-name",
        default="challenge label",
        help="name of the labels (default: %(default)s)",
    )
    add("--reference", help="row to compare with each of the others")
    add("--name", default="compare", help="name of the page (default: compare)")
    options = parser.parse_args(arguments)
    options.rows = named(options.rows, "a row")
    if options.reference and options.reference not in options.rows:
        raise UsageError(f"--reference {options.reference}: the rows are {', '.join(options.rows)}")
    return options


def agreement(manifest: Manifest, predicted: dict[str, Predictions]) -> Table:
    rows = []
    for name, predictions in predicted.items():
        figures = list(report(manifest, predictions).figures.values())[-1]
        rows.append([name, figures.n, *(shown(getattr(figures, key)) for key in SHOWN)])
    return Table("Agreement", ["", "n", *SHOWN.values()], rows)


def differences(manifest: Manifest, predicted: dict[str, Predictions], reference: str) -> Table:
    rows = []
    for name, predictions in predicted.items():
        if name != reference:
            found = report(manifest, predicted[reference], other=predictions).differences
            rows.append([f"{reference} - {name}", *(shown(found[key], "+") for key in SHOWN)])
    note = "If an interval excludes 0, the two differ on pictures of this kind."
    return Table("Paired differences", ["", *SHOWN.values()], rows, note)


def cost(folders: dict[str, str]) -> Table:
    rows = []
    for name, folder in folders.items():
        found = profile_run(folder) if is_run(folder) else profile_scorer(folder)
        rows.append([name, f"{found.parameters / 1e6:.3f} M", f"{found.gflops:.4f}"])
    return Table("Cost", ["", "parameters", "GFLOPs (fvcore)"], rows)


if __name__ == "__main__":
    assert set(SHOWN) <= set(COMPARED)
    main()
