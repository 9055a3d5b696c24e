"""`facegauge degrade`: writes degraded copies of a picture, or a contact sheet of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from facegauge.cli.outputs import Overwrite
from facegauge.cli.score_options import Excel
from facegauge.cli.terminal import say
from facegauge.errors import PictureError, UsageError
from facegauge.outputs import check_output, replacing

CELL_SIZE = 224  # pixels, longer side of a cell
SHEETS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
SHEET_SUFFIXES = tuple(SHEETS)
MANIFEST = "manifest.csv"


def degrade(
    picture: Annotated[Path, typer.Argument(metavar="PICTURE", help="Picture to degrade")],
    *,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="SHEET",
            help="Contact sheet to write (.png, .jpg or .webp): one row per kind, one column per "
            "severity",
        ),
    ] = None,
    into: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help=f"Folder for the degraded copies, at full size, and {MANIFEST}"
        ),
    ] = None,
    kind: Annotated[
        list[str] | None,
        typer.Option("--kind", help="Kind of degradation; may be repeated  [default: all]"),
    ] = None,
    severities: Annotated[
        str, typer.Option(help="Severities from 0 (no change) to 5 (severe), separated by commas")
    ] = "1,2,3,4,5",
    size: Annotated[
        int | None,
        typer.Option(
            min=16,
            metavar="PX",
            show_default=False,
            help=f"Longer side of the sheet's cells, in pixels  [default: {CELL_SIZE}]; a larger "
            "picture is downscaled before it is degraded",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of noise, directions and positions")] = 0,
    overwrite: Overwrite = False,
    excel: Excel = False,
) -> None:
    """Degrade a picture by blur, noise, light or compression.

    At least one of --output and --into is required. The manifest of a folder keeps the rows of its
    other copies.
    """
    from facegauge.data.degradations import DEGRADATIONS
    from facegauge.data.degradations.contact_sheet import contact_sheet, shrink
    from facegauge.data.degradations.copies import Copies
    from facegauge.images.loading import open_picture

    if output is None and into is None:
        raise UsageError("nothing to write: give a contact sheet with -o or a folder with --into")
    if size and output is None:
        raise UsageError("--size applies to the sheet of -o only; copies of --into have full size")
    if excel and into is None:
        raise UsageError(f"--excel applies to {MANIFEST}, which --into writes")
    kinds = list(dict.fromkeys(kind or DEGRADATIONS))
    unknown = [name for name in kinds if name not in DEGRADATIONS]
    if unknown:
        expected = ", ".join(DEGRADATIONS)
        raise UsageError(f"unknown degradation {unknown[0]!r}; expected one of {expected}")
    levels = _parse_severities(severities)
    check_output(output, [picture], SHEET_SUFFIXES, overwrite=overwrite)
    copies = Copies(into, picture, kinds, levels, overwrite=overwrite) if into else None
    try:
        pixels = open_picture(picture)
    except PictureError as error:
        raise UsageError(f"cannot degrade {picture}: {error}") from error
    try:
        if output:
            sheet = contact_sheet(shrink(pixels, size or CELL_SIZE), kinds, levels, seed)
            with replacing(output) as fresh:
                sheet.save(fresh, SHEETS[output.suffix.lower()])
            say(f"{output}: {len(kinds)} kinds at {len(levels)} severities")
        if copies:
            copies.write(pixels, seed, excel=excel)
            say(f"{into}: {len(copies)} pictures and {MANIFEST}")
    except OSError as error:
        raise UsageError(
            f"cannot write {error.filename or output or into}: {error.strerror or error}"
        ) from error


def _parse_severities(text: str) -> list[float]:
    """The severities in the given order, without duplicates.

    Raises:
        UsageError: one is not a number from 0 to 5.
    """
    severities = []
    for word in text.split(","):
        try:
            severity = float(word)
        except ValueError:
            severity = -1
        if not 0 <= severity <= 5:
            raise UsageError(
                f"expected severities to be numbers from 0 to 5, such as 1,2.5,5; "
                f"got {word.strip()!r} in {text!r}"
            )
        severities.append(severity)
    return list(dict.fromkeys(severities))
