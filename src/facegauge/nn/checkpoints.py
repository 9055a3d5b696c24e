"""Run folders: the weights, the spec and the settings that a training run leaves."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from facegauge import zoo
from facegauge.errors import UsageError
from facegauge.faces.spec import PreprocessSpec
from facegauge.nn.build import build

PACKAGE = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Run:
    """A trained network and what is needed to use it, judge it or go on from it.

    Attributes:
        network: (N, 3, H, W) normalised float32 -> (N,) scores; in eval mode.
        members: the parts of an ensemble by name; empty for a single network.
        config: what `nn.build.build` makes the network from.
        settings: the resolved recipe settings, the command and the commit.
    """

    folder: Path
    system: str
    network: nn.Module
    config: dict[str, Any]
    spec: PreprocessSpec
    settings: dict[str, Any]

    @property
    def members(self) -> Mapping[str, nn.Module]:
        return dict(getattr(self.network, "members", {}).items())


def save_run(
    folder: Path,
    *,
    system: str,
    network: nn.Module,
    config: dict[str, Any],
    spec: PreprocessSpec,
    settings: dict[str, Any],
) -> None:
    """Write `model.safetensors` and `run.json`."""
    from safetensors.torch import save

    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: value.contiguous().cpu() for name, value in network.state_dict().items()}
    # save_file would make a file that others cannot read
    (folder / "model.safetensors").write_bytes(save(weights))
    described = {
        "system": system,
        "network": config,
        "spec": json.loads(spec.to_json()),
        "settings": settings,
    }
    (folder / "run.json").write_text(json.dumps(described, indent=1) + "\n")


def load_run(folder: str | os.PathLike[str]) -> Run:
    """Open a run folder, or a scorer folder that holds weights for fine-tuning.

    Raises:
        UsageError: a file is missing, or the weights are not those of the described network.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    folder = Path(folder)
    description, weights = folder / "run.json", folder / "model.safetensors"
    for file in (description, weights):
        if not file.is_file():
            raise UsageError(f"{folder} is not a run folder: {file.name} is missing")
    try:
        described = json.loads(description.read_text())
        network = build(described["network"])
        network.load_state_dict(load_file(weights))
        spec = PreprocessSpec.from_json(json.dumps(described["spec"]))
        system, settings = described["system"], described["settings"]
    except KeyError as error:
        raise UsageError(f"cannot load the run in {folder}: {error} is missing") from error
    except (OSError, TypeError, ValueError, RuntimeError, SafetensorError) as error:
        raise UsageError(f"cannot load the run in {folder}: {error}") from error
    return Run(folder, system, network.eval(), described["network"], spec, settings)


def find_run(name_or_folder: str) -> Run:
    """The run of a shipped scorer, by its name, or in a run or scorer folder; see `load_run`."""
    shipped = name_or_folder in zoo.names()
    return load_run(zoo.open_folder(name_or_folder) if shipped else name_or_folder)


def provenance() -> dict[str, str]:
    """The command line that is running and the commit of the code, for cards."""
    command = shlex.join(["facegauge", *sys.argv[1:]])
    if not _git("ls-files", "--", __file__):  # the package lies in somebody else's repository
        return {"command": command, "commit": "unknown"}
    commit = _git("rev-parse", "--short=12", "HEAD") or "unknown"
    changed = _git("status", "--porcelain", "--untracked-files=no", "--", str(PACKAGE))
    return {"command": command, "commit": f"{commit}-dirty" if changed else commit}


def _git(*words: str) -> str:
    """What git says in the package's folder; nothing where there is no git."""
    try:
        said = subprocess.run(
            ["git", *words], cwd=PACKAGE, capture_output=True, text=True, check=False
        )
    except OSError:
        return ""
    return said.stdout.strip()
