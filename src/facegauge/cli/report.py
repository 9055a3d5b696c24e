"""`facegauge report`: a report on a score table, as one HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from facegauge.cli.label_scale import Scale, scale_of
from facegauge.cli.outputs import Overwrite
from facegauge.cli.sheet import ScoreTable
from facegauge.cli.table_options import Face, Join, print_left_out
from facegauge.cli.terminal import tell, with_noun
from facegauge.outputs import check_output


def report(
    table: ScoreTable,
    *,
    output: Annotated[Path, typer.Option("--output", "-o", help="HTML file to write")],
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="LIST",
            help="List of the pictures with labels (column score), or with columns of groups",
            show_default=False,
        ),
    ] = None,
    by: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COLUMNS",
            help="Column of the list to show groups by; with commas, crossings too; may be "
            "repeated",
            show_default=False,
        ),
    ] = None,
    scale: Scale = None,
    face: Face = "0",
    join: Join = "path",
    no_thumbnails: Annotated[
        bool, typer.Option("--no-thumbnails", help="Leave out the pictures of faces")
    ] = False,
    figures: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Folder for the plots as PDF and SVG files", show_default=False
        ),
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Write a report on a score table: one HTML file, which fetches nothing.

    It shows how the scores are distributed, the worst and the best faces, problems by factor where
    the table has them, and what failed; with a list also groups, and the agreement with its labels.
    """
    from facegauge.evaluation.table_scores import TableOptions
    from facegauge.report.page import write_report

    check_output(output, [table, data], (".html", ".htm"), overwrite=overwrite)
    options = TableOptions(face=face, join=join)
    found = write_report(
        table,
        output,
        data=data,
        by=by or (),
        scale=scale_of(scale),
        options=options,
        pictures=not no_thumbnails,
        figures=figures,
        overwrite=overwrite,
    )
    size = output.stat().st_size / 1e6
    pictures, faces = with_noun(found.table.pictures, "picture"), len(found.table.faces)
    tell(f"{output}: {pictures}, {with_noun(faces, 'face')}, {size:.1f} MB")
    print_left_out({}, found.partners)
