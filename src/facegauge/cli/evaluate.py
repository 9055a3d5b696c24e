"""`facegauge evaluate`: how well a run, a scorer or a table agrees with labels, with intervals."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facegauge.cli.label_scale import Scale, scale_of
from facegauge.cli.outputs import Overwrite
from facegauge.cli.score_options import DetectSize, Device
from facegauge.cli.table_options import (
    Face,
    Join,
    LowerBetter,
    Output,
    PathColumn,
    ScoreColumn,
    interval,
    print_left_out,
    write_json,
)
from facegauge.cli.terminal import print_table, tell, with_noun
from facegauge.outputs import check_output

if TYPE_CHECKING:
    from facegauge.evaluation.evaluate import Report

COLUMNS = {
    "srcc": "SRCC",
    "plcc": "PLCC raw",
    "plcc_fitted": "PLCC fitted",
    "krcc": "KRCC",
    "rmse": "RMSE",
    "challenge": "(SRCC+PLCC)/2",
}
MEANINGS = {
    "whole": ", each picture is taken as one framed face",
    "auto": ", the largest face of each picture is searched",
}


def evaluate(
    subject: Annotated[
        str,
        typer.Argument(
            metavar="RUN|SCORER|TABLE",
            help="Run or scorer to evaluate, or a table of scores: of facegauge, or the CSV, JSONL "
            "or Parquet of another tool",
        ),
    ],
    *,
    data: Annotated[Path, typer.Option(help="Manifest with image and score")],
    split: Annotated[
        str | None,
        typer.Option(
            help="Split to evaluate, or all  [default: val, or all without a column split]"
        ),
    ] = None,
    scale: Scale = None,
    faces: Annotated[
        str | None,
        typer.Option(
            help="whole: pictures are framed faces; auto: detect the largest face  "
            "[default: whole, or as the run read its pictures]"
        ),
    ] = None,
    detect_size: DetectSize = None,
    device: Device = "cpu",
    by: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COLUMN",
            help="Column of the manifest; adds figures for each of its values. A,B: both and their "
            "crossing. May be repeated",
        ),
    ] = None,
    by_range: Annotated[
        bool, typer.Option("--by-range", help="Add figures for five ranges of the labels")
    ] = False,
    compare: Annotated[
        str | None,
        typer.Option(
            metavar="RUN|SCORER|TABLE",
            help="Another run, scorer or table; adds paired differences",
        ),
    ] = None,
    path_column: PathColumn = None,
    score_column: ScoreColumn = None,
    lower_better: LowerBetter = False,
    face: Face = "0",
    join: Join = "path",
    label_name: Annotated[str, typer.Option(help="Name of the labels in the output")] = "label",
    output: Output = None,
    overwrite: Overwrite = False,
) -> None:
    """Evaluate a run, a scorer or a table: correlations and errors with bootstrap 95 % intervals.

    PLCC fitted is computed after a four-parameter logistic, which is fitted to one half of the
    pictures and applied to the other. Each member of an ensemble's run folder has its own column.
    Scores of another scale than the labels' get the RMSE and the residuals of the fitted scores; so
    do both sides of --compare if one of them has another scale.

    A table is joined to the manifest; its pictures need not be there. Rows without a partner,
    listed twice, without a score or with one that is not finite are counted and named.
    """
    from facegauge.data.groups import groupings
    from facegauge.data.manifests import load_manifest
    from facegauge.evaluation.evaluate import report
    from facegauge.evaluation.predictions import faces_read, predictions_of
    from facegauge.evaluation.table_scores import TableOptions, is_table

    check_output(output, [subject, compare, data], (".json",), overwrite=overwrite)
    options = TableOptions(path_column, score_column, lower_better, face, join)
    subjects = [subject] if compare is None else [subject, compare]
    labels = scale_of(scale)
    must_exist = not all(map(is_table, subjects))
    manifest = load_manifest(data, scale=labels, must_exist=must_exist)
    manifest.labels()
    groupings(manifest.group, by or ())  # refused before anything is scored
    split = split or ("all" if manifest.splits is None else "val")
    chosen = manifest.take(manifest.in_split(split))
    predicted = [
        predictions_of(
            one,
            manifest,
            split,
            faces=faces,
            detect_size=detect_size,
            device=device,
            options=options,
        )
        for one in subjects
    ]
    found = report(
        chosen,
        predicted[0],
        label_name=label_name,
        by=by or (),
        by_range=by_range,
        other=predicted[1] if compare is not None else None,
    )

    read = faces_read(subject, faces)
    _print(found, subject, f"{data.name}, split {split}", compare)
    if len(chosen) < len(manifest):
        tell(f"{split} rows: {len(chosen)} of {len(manifest)}; --split all takes every row")
    if read is not None:
        tell(f"faces: {read}{MEANINGS.get(read, '')}")
    about = {"subject": subject, "data": str(data), "split": split, "faces": read}
    limit = {} if detect_size is None else {"detect_size": detect_size}
    ends = {} if labels.is_unit else {"label_scale": [labels.low, labels.high]}
    write_json(output, {**about, **ends, **limit, "by": by, "compare": compare, **found.to_dict()})


def _print(found: Report, subject: str, data: str, compare: str | None) -> None:
    n = next(iter(found.figures.values())).n
    tell(f"{subject} on {data}: {with_noun(n, 'picture')}, against the {found.label_name}")
    rows = [
        [title, *(interval(getattr(figures, key)) for figures in found.figures.values())]
        for key, title in COLUMNS.items()
    ]
    print_table(["", *found.figures], rows)
    for note in dict.fromkeys(note for one in found.figures.values() for note in one.notes):
        tell(f"note: {note}")
    for by, gaps in found.groups.items():
        heads = [f"/{by}", ">n", f"mean of score - {found.label_name}", "SRCC"]
        print_table(
            heads,
            [
                [gap.name, str(gap.n), interval(gap.residual, "+"), interval(gap.srcc)]
                for gap in gaps
            ],
        )
    if found.differences:
        count = next(iter(found.differences.values())).n
        titles = {**COLUMNS, **({"rmse": "RMSE, both fitted"} if found.fitted else {})}
        differences = [[titles[key], interval(i, "+")] for key, i in found.differences.items()]
        tell(f"{subject} - {compare}, {with_noun(count, 'picture')}:")
        print_table(["", "difference"], differences)
    print_left_out(found.unscored, found.ignored)
