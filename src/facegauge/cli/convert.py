"""`facegauge convert`: published weights to a run folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from facegauge.cli.terminal import printable
from facegauge.errors import UsageError, require

EXPECTED = "expected a file of Efficient-FIQA, of its teacher or its student"


def convert(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="Weights of Efficient-FIQA's teacher or student"),
    ],
    *,
    output: Annotated[Path, typer.Option("--output", "-o", help="Run folder to create")],
) -> None:
    """Make a run folder of the weights that a paper's authors published.

    The folder is evaluated, exported and trained further as any other. What the weights are is read
    from the names of their tensors; their files are not downloaded.
    """
    require("torch", "converting weights", "train")
    from facegauge.nn.checkpoints import provenance, save_run
    from facegauge.training.config import load_preset
    from facegauge.training.methods.efficient_fiqa import reference as efficient
    from facegauge.training.reference import read_weights

    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise UsageError(f"{output} is in use; choose a new folder for the run")
    state = read_weights(file)
    part = efficient.part_of_weights(state)
    if part is None:
        raise UsageError(f"cannot tell whose weights {file} holds; {EXPECTED}")
    settings = load_preset("efficient_fiqa", "paper")
    spec = (settings.teacher_input if part == "teacher" else settings.input).spec
    system, network = f"efficient {part}, published", efficient.network_of(state, part)
    save_run(
        output,
        system=system,
        network=network,
        config=network.config,
        spec=spec,
        settings={"published": file.name, **provenance()},
    )
    typer.echo(printable(f"{output}: {system}, {spec.width}x{spec.height}"))
