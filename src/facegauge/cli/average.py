"""`facegauge average`: run folders in, one run folder out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def average(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run folders, two or more")],
    *,
    output: Annotated[Path, typer.Option("--output", "-o", help="Run folder to write; new")],
) -> None:
    """Average the weights of runs that began alike, into a run that costs what one does.

    Whether the average is better than its runs, 'facegauge evaluate' says.
    """
    from importlib.util import find_spec

    from facegauge.errors import MissingExtra

    if find_spec("torch") is None:
        raise MissingExtra("averaging", "train")
    from facegauge.training.averaging import average_runs
    from facegauge.training.runs import load_run

    average_runs([load_run(run) for run in runs], output)
    typer.echo(f"{output}: the average of {len(runs)} runs")
