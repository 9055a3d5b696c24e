"""`facegauge soup`: averages the weights of runs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from facegauge.cli.terminal import tell
from facegauge.errors import UsageError, require


def soup(
    runs: Annotated[
        list[str],
        typer.Argument(metavar="RUN", help="Run folders or shipped scorers, two or more"),
    ],
    *,
    output: Annotated[Path, typer.Option("--output", "-o", help="Run folder to create")],
    size: Annotated[
        str | None,
        typer.Option(
            "--input",
            metavar="WIDTHxHEIGHT",
            help="Input size of the soup, for runs whose input sizes differ  [default: the runs']",
        ),
    ] = None,
) -> None:
    """Average the weights of runs that started from the same weights (model soup).

    The soup costs as much as one run. Compare it with its runs with 'facegauge evaluate'.
    """
    require("torch", "making a soup", "train")
    from facegauge.nn.checkpoints import find_run
    from facegauge.training.soup import make_soup

    make_soup([find_run(run) for run in runs], output, None if size is None else _size(size))
    tell(f"{output}: the mean of {len(runs)} runs")


def average() -> None:
    """The name that `soup` had in version 0.1."""
    raise UsageError("'average' is now called 'soup': facegauge soup RUN... -o OUTPUT")


def _size(text: str) -> tuple[int, int]:
    """ "208x255" to (208, 255)."""
    found = re.fullmatch(r"([1-9]\d*)x([1-9]\d*)", text)
    if found is None:
        raise UsageError(f"expected --input to be WIDTHxHEIGHT in pixels, as 208x255, got {text!r}")
    return int(found[1]), int(found[2])
