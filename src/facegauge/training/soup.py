"""One network from several runs that began alike: their weights averaged.

Runs that went on from one set of weights, with other rates, losses or pictures, often lie so near
each other that the mean of their weights is a better network than each, at the cost of one (model
soups, arXiv 2203.05482). Runs that began apart give nonsense: judge the mean on val.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from facegauge.errors import UsageError
from facegauge.nn.checkpoints import Run, provenance, save_run

FEWEST = 2
KEPT = ("command", "commit")  # of every run, in the record


def average_runs(runs: Sequence[Run], out: Path, size: tuple[int, int] | None = None) -> None:
    """Write the run folder `out` with the mean of the runs' weights, each counting alike.

    Running means and variances are averaged too; what is not a floating number is the first run's.
    The record keeps how every run was made, and all that they learned from.

    Args:
        size: width and height of the average's input, in pixels; the runs may then differ in
            theirs, as those of a run that went on at another size do.

    Raises:
        UsageError: fewer than two runs, other networks or inputs than the first one's, or `out` is
            in use.
    """
    if len(runs) < FEWEST:
        raise UsageError(f"an average needs two runs or more, got {len(runs)}")
    first = runs[0]
    specs = [replace(run.spec, width=size[0], height=size[1]) if size else run.spec for run in runs]
    for run, spec in zip(runs[1:], specs[1:], strict=True):
        if (run.config, spec) != (first.config, specs[0]):
            raise UsageError(
                f"{run.folder} has another network or input than {first.folder}; only runs that "
                "began alike can be averaged, and where their input sizes differ, it takes the "
                "average's (--input)"
            )
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out} is in use; choose a new folder for the average")
    first.network.load_state_dict(_mean([run.network.state_dict() for run in runs]))
    save_run(
        out,
        system=first.system,
        network=first.network,
        config=first.config,
        spec=specs[0],
        settings={
            "averaged": [_made(run) for run in runs],
            "data": _learned(runs),
            **provenance(),
        },
    )


def _made(run: Run) -> dict[str, Any]:
    return {key: run.settings[key] for key in KEPT if key in run.settings}


def _mean(states: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    return {
        name: torch.stack([state[name] for state in states]).mean(0)
        if value.is_floating_point()
        else value
        for name, value in states[0].items()
    }


def _learned(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """Every list that a run learned from, with the most pictures that one took from it."""
    most: dict[str, int] = {}
    for run in runs:
        for row in run.settings.get("data", ()):
            most[row["manifest"]] = max(row["pictures"], most.get(row["manifest"], 0))
    return [{"manifest": name, "pictures": count} for name, count in most.items()]
