"""`facegauge profile`: measures the cost of a run or a scorer."""

from __future__ import annotations

from typing import Annotated

import typer


def profile(
    subject: Annotated[
        str,
        typer.Argument(
            metavar="RUN|SCORER", help="Run folder, scorer folder or name of a shipped scorer"
        ),
    ],
) -> None:
    """Show parameters, multiply-adds and latency for one face, and the challenge's limits.

    A run folder is measured in torch. A scorer is timed in onnxruntime, and its parameters and
    GFLOPs are those of its card. GFLOPs are counted by fvcore, for all views of a face.
    """
    from facegauge.errors import require
    from facegauge.evaluation.profile import MAX_GFLOPS, MAX_PARAMETERS, profile_scorer
    from facegauge.predictors import is_run

    if is_run(subject):
        require("torch", "profiling a run folder", "train")
        from facegauge.nn.profile import profile_run

        found = profile_run(subject)
    else:
        found = profile_scorer(subject)
    fits = "yes" if found.fits_challenge else "no"
    limits = f"{MAX_PARAMETERS / 1e6:g} M parameters, {MAX_GFLOPS:g} GFLOPs"
    rows = {
        "input": f"{found.width} x {found.height}",
        "parameters": f"{found.parameters:,}",
        "GFLOPs": f"{found.gflops:.4f} (fvcore)",
        "latency": f"{found.latency_ms:.1f} ms per face on one thread (median)",
        "fits the challenge": f"{fits} (at most {limits})",
    }
    for label, value in rows.items():
        typer.echo(f"{label:20}{value}")
