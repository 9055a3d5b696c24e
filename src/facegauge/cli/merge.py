"""`facegauge merge`: joins the tables of all shards."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from facegauge.cli.outputs import Overwrite
from facegauge.cli.terminal import say, with_noun


def merge(
    out: Annotated[
        Path,
        typer.Argument(metavar="OUT", help="Table to write: .csv, .jsonl or .parquet"),
    ],
    parts: Annotated[
        list[Path],
        typer.Argument(
            metavar="PART",
            help="Finished tables of score --shard or label --shard, one of each shard, in any "
            "order",
        ),
    ],
    *,
    overwrite: Overwrite = False,
) -> None:
    """Join the tables of all shards to the table of one run.

    A shard that is missing, there twice, not finished, of another list or made with other settings
    is named, and nothing is written.
    """
    from facegauge.tables.merging import merge as join

    merged = join(out, parts, overwrite=overwrite)
    say(
        f"{out}: {with_noun(merged.parts, 'shard')}, {with_noun(merged.pictures, 'picture')}, "
        f"{with_noun(merged.rows, 'row')}"
    )
