"""`facegauge soup`: run folders in, one run folder out."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from facegauge.cli.terminal import printable
from facegauge.errors import MissingExtra, UsageError


def soup(
    runs: Annotated[
        list[str],
        typer.Argument(metavar="RUN...", help="Run folders or shipped scorers, two or more"),
    ],
    *,
    output: Annotated[Path, typer.Option("--output", "-o", help="Run folder to write; new")],
    size: Annotated[
        str | None,
        typer.Option(
            "--input",
            metavar="WIDTHxHEIGHT",
            help="The average's input size, for runs whose sizes differ; default: the runs' own",
        ),
    ] = None,
) -> None:
    """Average the weights of runs that began alike, into a run that costs what one does.

    Whether the average is better than its runs, 'facegauge evaluate' says.
    """
    from importlib.util import find_spec

    if find_spec("torch") is None:
        raise MissingExtra("averaging", "train")
    from facegauge.nn.checkpoints import find_run
    from facegauge.training.soup import average_runs

    average_runs(
        [find_run(run) for run in runs],
        output,
        None if size is None else _size(size),
    )
    typer.echo(printable(f"{output}: the average of {len(runs)} runs"))


def _size(text: str) -> tuple[int, int]:
    """ "208x255" to (208, 255)."""
    found = re.fullmatch(r"([1-9]\d*)x([1-9]\d*)", text)
    if found is None:
        raise UsageError(f"expected --input to be WIDTHxHEIGHT in pixels, as 208x255, got {text!r}")
    return int(found[1]), int(found[2])
