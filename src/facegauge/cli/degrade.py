"""`facegauge degrade`: a picture under the degradations that training knows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facegauge.cli.terminal import say
from facegauge.errors import PictureError, UsageError

if TYPE_CHECKING:
    from facegauge.arrays import Pixels

CELL = 224  # px, the longer side of a cell
SHEETS = (".png", ".jpg", ".jpeg", ".webp")
MANIFEST = "manifest.csv"


def degrade(
    picture: Annotated[Path, typer.Argument(metavar="PICTURE", help="The picture to degrade")],
    *,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="SHEET",
            help="Contact sheet to write, a row a kind, a column a severity: .png, .jpg, .webp",
        ),
    ] = None,
    into: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help=f"Folder for the degraded copies, at full size, and {MANIFEST}"
        ),
    ] = None,
    kind: Annotated[
        list[str] | None, typer.Option("--kind", help="A degradation; may be repeated  [all]")
    ] = None,
    severities: Annotated[
        str, typer.Option(help="Numbers from 0, untouched, to 5, severe; with commas between")
    ] = "1,2,3,4,5",
    size: Annotated[
        int | None,
        typer.Option(
            min=16,
            metavar="PX",
            show_default=False,
            help=f"Longer side of the sheet's cells, by default {CELL}; a larger picture is "
            "shrunk before it is degraded, so that a cell shows its degradation pixel for pixel",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of noise, directions and places")] = 0,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace files that are there")
    ] = False,
) -> None:
    """Degrade a picture, to look at or to test with: blur, noise, light, compression.

    At least one of --output and --into is needed.
    """
    from facegauge.data.degradations import DEGRADATIONS
    from facegauge.data.degradations.sheet import contact_sheet, shrunk
    from facegauge.images.loading import open_picture

    if output is None and into is None:
        raise UsageError("nothing to write: give a sheet with -o or a folder with --into")
    if size and output is None:
        raise UsageError("--size is of a sheet's cells, and the copies of --into have full size")
    kinds = list(dict.fromkeys(kind or DEGRADATIONS))
    unknown = [name for name in kinds if name not in DEGRADATIONS]
    if unknown:
        raise UsageError(f"unknown degradation {unknown[0]!r}; there are {', '.join(DEGRADATIONS)}")
    steps = _numbers(severities)
    targets = [output] if output else []
    if output and output.suffix.lower() not in SHEETS:
        raise UsageError(f"{output}: expected a sheet's name to end in {', '.join(SHEETS)}")
    if into:
        copies = {
            (name, step): into / f"{picture.stem}-{name}-{step:g}.png"
            for name in kinds
            for step in steps
        }
        targets += [into / MANIFEST, *copies.values()]
    taken = next((path for path in targets if path.exists()), None)
    if taken and not overwrite:
        raise UsageError(f"{taken} exists: choose another name, or replace it with --overwrite")
    try:
        pixels = open_picture(picture)
    except PictureError as error:
        raise UsageError(f"cannot degrade {picture}: {error}") from error
    try:
        if output:
            contact_sheet(shrunk(pixels, size or CELL), kinds, steps, seed).save(output)
            say(f"{output}: {len(kinds)} kinds at {len(steps)} severities")
        if into:
            _write_copies(pixels, picture, into, copies, seed)
            say(f"{into}: {len(copies)} pictures and {MANIFEST}")
    except OSError as error:
        raise UsageError(
            f"cannot write {error.filename or output or into}: {error.strerror or error}"
        ) from error


def _numbers(severities: str) -> list[float]:
    """The severities of the command line, in their order, none twice.

    Raises:
        UsageError: one is not a number from 0 to 5.
    """
    numbers = []
    for word in severities.split(","):
        try:
            number = float(word)
        except ValueError:
            number = -1
        if not 0 <= number <= 5:
            raise UsageError(
                f"severities are numbers from 0 to 5 with commas between, such as 1,2.5,5; "
                f"got {word.strip()!r} in {severities!r}"
            )
        numbers.append(number)
    return list(dict.fromkeys(numbers))


def _write_copies(
    pixels: Pixels, source: Path, folder: Path, copies: dict[tuple[str, float], Path], seed: int
) -> None:
    """Write every copy, and the manifest last: image, kind, severity, source."""
    import csv

    import numpy as np
    from PIL import Image

    from facegauge.data.degradations import degrade as degraded

    folder.mkdir(parents=True, exist_ok=True)
    for (kind, severity), path in copies.items():
        copy = degraded(pixels, kind, severity, np.random.default_rng(seed))
        Image.fromarray(copy).save(path)
    manifest = folder / MANIFEST
    with manifest.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
        writer = csv.writer(file)
        writer.writerow(("image", "kind", "severity", "source"))
        writer.writerows(
            (path.name, kind, f"{severity:g}", source) for (kind, severity), path in copies.items()
        )
