"""`facegauge data framing`: where faces lie in the pictures of a list."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from facegauge.cli.outputs import Overwrite
from facegauge.cli.terminal import print_table, say, tell
from facegauge.outputs import check_output


def framing(
    manifest: Annotated[
        Path, typer.Argument(metavar="LIST|FOLDER", help="Pictures as labels saw them")
    ],
    *,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="TOML file to write"),
    ] = None,
    n: Annotated[int, typer.Option("--n", min=1, help="Pictures to read at most")] = 500,
    overwrite: Overwrite = False,
) -> None:
    """Measure how a data set frames its faces, for train --framing.

    The largest face of evenly spaced pictures is searched. A scorer that is trained with the file
    cuts the faces of new photos out as these pictures were.
    """
    from facegauge.data.framing import measure_framing, write_framing
    from facegauge.data.manifests import load_manifest

    check_output(output, [manifest], overwrite=overwrite)
    whole = load_manifest(manifest)
    measured = measure_framing(whole, count=n)
    values, quartiles = asdict(measured.framing), measured.quartiles
    rows = [
        [name, f"{value:g}", " to ".join(f"{end:.3f}" for end in quartiles.get(name, ()))]
        for name, value in values.items()
    ]
    print_table(["setting", ">value", "middle half of the pictures"], rows)
    tell(f"{measured.faces} of {measured.pictures} pictures have an upright face")
    if measured.is_loose:
        say(
            "faces are at many places and sizes: these are photos rather than crops, and no one "
            "framing fits them"
        )
    if output is not None:
        write_framing(measured, whole.name, output)
        say(f"{output}: for training, add --framing {output}")
