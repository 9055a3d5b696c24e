"""`facegauge convert`: published weights to a run folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from facegauge.cli.terminal import tell
from facegauge.errors import UsageError, require

EXPECTED = (
    "expected one file of Efficient-FIQA, of its teacher or its student, or both DE.pt and IQA.pt "
    "of DSL-FIQA"
)


def convert(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE",
            help="Weights of Efficient-FIQA's teacher or student; or DE.pt and IQA.pt of DSL-FIQA",
        ),
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
    from facegauge.outputs import check_new_folder
    from facegauge.training.config import apply_overrides, load_preset
    from facegauge.training.methods.dsl_fiqa import reference as dsl
    from facegauge.training.methods.efficient_fiqa import reference as efficient
    from facegauge.training.reference import read_weights

    check_new_folder(output, "run")
    states = [read_weights(file) for file in files]
    encoders = [one for one in states if dsl.is_encoder(one)]
    cores = [one for one in states if dsl.is_core(one)]
    part = efficient.part_of_weights(states[0])
    if len(states) == 1 and part is not None:
        settings = load_preset("efficient_fiqa", "paper")
        spec = (settings.teacher_input if part == "teacher" else settings.input).spec
        system = f"efficient {part}, published"
        network: Any = efficient.network_of(states[0], part)
    elif len(states) == 2 and encoders and cores:
        dense = f"core.landmarks={dsl.SETTINGS.landmarks}"
        spec = apply_overrides(load_preset("dsl_fiqa", "paper"), [dense]).spec
        system, network = "dsl, published", dsl.network_of(encoders[0], cores[0])
    else:
        raise UsageError(f"cannot tell whose weights these are; {EXPECTED}")
    save_run(
        output,
        system=system,
        network=network,
        config=network.config,
        spec=spec,
        settings={"published": [file.name for file in files], **provenance()},
    )
    tell(f"{output}: {system}, {spec.width}x{spec.height}")
