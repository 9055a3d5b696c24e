"""`facegauge evaluate`: how well a run or a scorer agrees with labels, with intervals."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facegauge.cli.score import DetectSize
from facegauge.cli.terminal import print_table, printable

if TYPE_CHECKING:
    from facegauge.evaluation.evaluate import Report
    from facegauge.evaluation.metrics import Interval

COLUMNS = {
    "srcc": "SRCC",
    "plcc": "PLCC raw",
    "plcc_fitted": "PLCC fitted",
    "krcc": "KRCC",
    "rmse": "RMSE",
    "challenge": "(SRCC+PLCC)/2",
}
SHOWN_UNSCORED = 10


def evaluate(
    subject: Annotated[str, typer.Argument(metavar="RUN|SCORER", help="Run or scorer to evaluate")],
    *,
    data: Annotated[Path, typer.Option(help="Manifest with image and score")],
    split: Annotated[
        str | None,
        typer.Option(
            help="Split to evaluate, or all  [default: val, or all without a column split]"
        ),
    ] = None,
    faces: Annotated[
        str, typer.Option(help="whole: pictures are framed faces; auto: detect the largest face")
    ] = "whole",
    detect_size: DetectSize = None,
    by: Annotated[
        str | None, typer.Option(help="Column of the manifest; adds figures for each of its values")
    ] = None,
    compare: Annotated[
        str | None, typer.Option(help="Another run or scorer; adds paired differences")
    ] = None,
    label_name: Annotated[str, typer.Option(help="Name of the labels in the output")] = "label",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="JSON file to write")
    ] = None,
) -> None:
    """Evaluate a run or a scorer: correlations and errors with bootstrap 95 % intervals.

    PLCC fitted is computed after a four-parameter logistic, which is fitted to one half of the
    pictures and applied to the other. Each member of an ensemble's run folder has its own row.
    """
    import json

    from facegauge.data.manifests import load_manifest
    from facegauge.errors import UsageError
    from facegauge.evaluation.evaluate import predict, report

    if output is not None and not output.parent.is_dir():
        raise UsageError(f"there is no folder {output.parent} to write {output.name} to")
    if output is not None and output.is_dir():
        raise UsageError(f"{output} is a folder; expected the name of a JSON file")
    manifest = load_manifest(data)
    manifest.labels()
    if by is not None:
        manifest.group(by)
    split = split or ("all" if manifest.splits is None else "val")
    if split != "all":
        manifest = manifest.where(split=split)
    predictions = predict(subject, manifest, faces, detect_size=detect_size)
    other = None
    if compare is not None:
        other = predict(compare, manifest, faces, detect_size=detect_size)
    found = report(manifest, predictions, label_name=label_name, by=by, other=other)

    _print(found, f"{subject} on {data.name}, split {split}", by, compare)
    if output is not None:
        about = {"subject": subject, "data": str(data), "split": split, "faces": faces}
        limit = {} if detect_size is None else {"detect_size": detect_size}
        saved = {**about, **limit, "by": by, "compare": compare, **found.to_dict()}
        text = json.dumps(saved, indent=1, allow_nan=False) + "\n"
        try:
            output.write_text(text, encoding="utf-8")
        except OSError as error:
            raise UsageError(f"cannot write {output}: {error.strerror or error}") from error


def _print(found: Report, title: str, by: str | None, compare: str | None) -> None:
    n = next(iter(found.figures.values())).n
    typer.echo(printable(f"{title}: {n} pictures, against the {found.label_name}"))
    rows = [
        [name, *(_interval(getattr(figures, key)) for key in COLUMNS)]
        for name, figures in found.figures.items()
    ]
    print_table(["", *COLUMNS.values()], rows)
    for note in dict.fromkeys(note for one in found.figures.values() for note in one.notes):
        typer.echo(f"note: {note}")
    if found.groups:
        heads = [by or "", ">n", f"mean of score - {found.label_name}", "SRCC"]
        gaps = [
            [gap.name, str(gap.n), _interval(gap.residual), _interval(gap.srcc)]
            for gap in found.groups
        ]
        print_table(heads, gaps)
    if found.differences:
        count = next(iter(found.differences.values())).n
        differences = [[COLUMNS[key], _interval(i)] for key, i in found.differences.items()]
        print_table(["", f"difference to {compare}, {count} pictures"], differences)
    if found.unscored:
        typer.echo(f"pictures without a score, left out: {len(found.unscored)}")
        for path, why in list(found.unscored.items())[:SHOWN_UNSCORED]:
            typer.echo(printable(f"  {path}: {why}"))
        if len(found.unscored) > SHOWN_UNSCORED:
            typer.echo(f"  and {len(found.unscored) - SHOWN_UNSCORED} more (see -o)")


def _interval(interval: Interval) -> str:
    if interval.value != interval.value:
        return "not defined"
    if interval.low != interval.low:
        return f"{interval.value:.3f} (too few for an interval)"
    return f"{interval.value:.3f} ({interval.low:.3f} to {interval.high:.3f})"
