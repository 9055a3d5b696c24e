"""`facegauge sheet`: a contact sheet of the worst and best faces of a score table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from facegauge.cli.outputs import Overwrite
from facegauge.cli.terminal import tell
from facegauge.errors import UsageError
from facegauge.outputs import check_output, replacing

SUFFIXES = (".png", ".jpg", ".jpeg")
ScoreTable = Annotated[
    Path, typer.Argument(metavar="TABLE", help="Score table, as facegauge score -o writes it")
]


def sheet(
    table: ScoreTable,
    *,
    output: Annotated[Path, typer.Option("--output", "-o", help="Picture to write: .png or .jpg")],
    faces: Annotated[int, typer.Option("--faces", "-n", min=1, help="Faces of each")] = 24,
    columns: Annotated[int, typer.Option(min=1, help="Faces in a row")] = 8,
    size: Annotated[
        int, typer.Option(min=32, metavar="PX", help="Side of a face on the sheet")
    ] = 128,
    overwrite: Overwrite = False,
) -> None:
    """Draw the worst and the best faces of a score table on one sheet."""
    from facegauge.tables.faces import read_faces
    from facegauge.visual.sheet import contact_sheet

    check_output(output, [table], SUFFIXES, overwrite=overwrite)
    drawn = contact_sheet(read_faces(table), faces, columns=columns, cell=size)
    kind = "PNG" if output.suffix.lower() == ".png" else "JPEG"
    try:
        with replacing(output) as fresh, fresh.open("wb") as file:
            drawn.save(file, kind, quality=92)
    except (OSError, ValueError) as error:  # ValueError: too wide for a JPEG
        raise UsageError(f"cannot write {output}: {error}") from error
    tell(f"{output}: {drawn.width} x {drawn.height} pixels")
