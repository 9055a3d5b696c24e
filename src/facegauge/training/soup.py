"""Model soups: one network from several runs, with the mean of their weights (arXiv 2203.05482).

Runs that were fine-tuned from one set of weights, with other learning rates, losses or pictures,
often lie so close together that the mean of their weights is better than each of them, at the cost
of one network. Runs with different first weights give a useless mean: evaluate the soup on val.
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
from facegauge.outputs import check_new_folder

MIN_RUNS = 2
KEPT = ("command", "commit")  # of each ingredient's settings


def make_soup(runs: Sequence[Run], out: Path, size: tuple[int, int] | None = None) -> None:
    """Write the run folder `out` with the mean of the runs' weights, all weighted equally.

    Running means and variances are averaged too; integers, such as batch counts, are the first
    run's. The settings record the command and the commit of each run, and the data of all.

    Args:
        runs: the ingredients, fine-tuned from the same weights.
        out: run folder to write; new or empty.
        size: width and height of the soup's input, in pixels, for runs whose input sizes differ;
            None: the runs' own.

    Raises:
        UsageError: fewer than two runs, the networks or inputs differ, or `out` is in use.
    """
    if len(runs) < MIN_RUNS:
        raise UsageError(f"a soup needs two runs or more, got {len(runs)}")
    first = runs[0]
    specs = [replace(run.spec, width=size[0], height=size[1]) if size else run.spec for run in runs]
    for run, spec in zip(runs[1:], specs[1:], strict=True):
        if (run.config, spec) != (first.config, specs[0]):
            raise UsageError(
                f"{run.folder} has another network or input than {first.folder}; expected runs "
                "with the same first weights; if only their input sizes differ, give the soup's "
                "with --input"
            )
    check_new_folder(out, "soup")
    first.network.load_state_dict(_mean([run.network.state_dict() for run in runs]))
    save_run(
        out,
        system=first.system,
        network=first.network,
        config=first.config,
        spec=specs[0],
        settings={
            "soup": [
                {key: run.settings[key] for key in KEPT if key in run.settings} for run in runs
            ],
            "data": _data(runs),
            **provenance(),
        },
    )


def _mean(states: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    return {
        name: torch.stack([state[name] for state in states]).mean(0)
        if value.is_floating_point()
        else value
        for name, value in states[0].items()
    }


def _data(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """Each manifest that a run was trained on, with the largest number of its pictures."""
    most: dict[str, int] = {}
    for run in runs:
        for row in run.settings.get("data", ()):
            most[row["manifest"]] = max(row["pictures"], most.get(row["manifest"], 0))
    return [{"manifest": name, "pictures": count} for name, count in most.items()]
