"""Run folders: the weights, the spec and the settings of a training run."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from facegauge import zoo
from facegauge.errors import UsageError
from facegauge.faces.spec import PreprocessSpec
from facegauge.nn.build import build
from facegauge.outputs import replacing
from facegauge.zoo.onnx_model import SPEC_KEY

RUN, WEIGHTS = "run.json", "model.safetensors"
PACKAGE = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Run:
    """A trained network, with all that is needed to use it and to continue its training.

    Attributes:
        folder: the run folder or scorer folder.
        system: the published method that the network follows.
        network: maps (N, 3, H, W) normalised float32 to scores (N,); in eval mode.
        config: the network's description, for `nn.build.build`.
        spec: how a face becomes the network's input.
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
        """The members of an ensemble by name; empty for a single network."""
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
    """Write a run folder: `model.safetensors` (float32) and `run.json`.

    A folder that holds this network already stays as it is, with the settings, the command and the
    commit that made it.

    Args:
        folder: is created if needed.
        system: the published method that the network follows.
        network: any network that `nn.build.build` can build.
        config: the network's description.
        spec: how a face becomes the network's input.
        settings: the resolved recipe settings, in JSON types.
    """
    from safetensors.torch import save

    folder.mkdir(parents=True, exist_ok=True)
    state = {name: value.contiguous().cpu() for name, value in network.state_dict().items()}
    weights = save(state)
    described = {"system": system, "network": config, "spec": json.loads(spec.to_json())}
    described = json.loads(json.dumps(described))  # as it comes back from the file
    if _holds(folder, described, weights):
        return
    # save_file creates a file that other users cannot read
    with replacing(folder / WEIGHTS) as fresh:
        fresh.write_bytes(weights)
    with replacing(folder / RUN) as fresh:
        fresh.write_text(json.dumps({**described, "settings": settings}, indent=1) + "\n")


def _holds(folder: Path, described: dict[str, Any], weights: bytes) -> bool:
    """Whether a run folder is that of this network."""
    try:
        found = json.loads((folder / RUN).read_text())
        same = all(found[key] == value for key, value in described.items())
        return same and (folder / WEIGHTS).read_bytes() == weights
    except (OSError, ValueError, KeyError, TypeError):
        return False


def load_run(folder: str | os.PathLike[str]) -> Run:
    """Load a run folder, or a scorer folder, whose `model.onnx` contains the weights too.

    The weights of a scorer were rounded to half precision at export and are float32 here. From
    scorer folders of facegauge 0.1, which have a second copy in float32, that copy is loaded.

    Args:
        folder: a run folder or a scorer folder.

    Raises:
        UsageError: a file is missing, or the weights do not fit the described network.
        ScorerError: the model is damaged, or is not the one of its card.
    """
    folder = Path(folder)
    if (folder / zoo.MODEL).is_file() and not (folder / RUN).is_file():
        read = _read_scorer
    else:
        read = _read_run
    try:
        return read(folder)
    except KeyError as error:
        raise UsageError(f"cannot load the run in {folder}: {error} is missing") from error
    except (OSError, AttributeError, TypeError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())  # torch lists names in several lines
        raise UsageError(f"cannot load the run in {folder}: {reason}") from error


def _read_run(folder: Path) -> Run:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    for name in (RUN, WEIGHTS):
        if not (folder / name).is_file():
            raise UsageError(
                f"{folder} is neither a run folder nor a scorer folder: {name} is missing"
            )
    described = json.loads((folder / RUN).read_text())
    try:
        state = load_file(folder / WEIGHTS)
    except SafetensorError as error:
        raise ValueError(error) from error
    spec = PreprocessSpec.from_json(json.dumps(described["spec"]))
    return _run(folder, described, spec, lambda network: state)


def _read_scorer(folder: Path) -> Run:
    from facegauge.nn import onnx_state

    model = onnx_state.parse_model(zoo.load_model(folder))
    metadata = onnx_state.metadata(model)
    if any(node.op_type == "DequantizeLinear" for node in model.graph.node):
        raise UsageError(
            f"training and metrics cannot use {folder}: its network is in int8; use the scorer "
            "that it is a copy of"
        )
    if onnx_state.RUN_KEY not in metadata:
        raise UsageError(
            f"training cannot start from {folder}: its {zoo.MODEL} describes no network, and "
            f"there is no {RUN} with {WEIGHTS}; export its run folder again"
        )
    spec = PreprocessSpec.from_json(metadata[SPEC_KEY])
    described = json.loads(metadata[onnx_state.RUN_KEY])
    return _run(folder, described, spec, partial(onnx_state.read_state, model))


def _run(
    folder: Path,
    described: dict[str, Any],
    spec: PreprocessSpec,
    state: Callable[[nn.Module], dict[str, Tensor]],
) -> Run:
    config = described["network"]
    network = build(config)
    network.load_state_dict(state(network))
    return Run(folder, described["system"], network.eval(), config, spec, described["settings"])


def find_run(name_or_folder: str) -> Run:
    """Load the run of a shipped scorer by its name, or of a folder, see `load_run`."""
    shipped = name_or_folder in zoo.names()
    return load_run(zoo.open_folder(name_or_folder) if shipped else name_or_folder)


def provenance() -> dict[str, str]:
    """The current command line and the commit of the code, for cards."""
    command = shlex.join(["facegauge", *sys.argv[1:]])
    if not _git("ls-files", "--", __file__):  # not in a repository, or in one of another project
        return {"command": command, "commit": "unknown"}
    commit = _git("rev-parse", "--short=12", "HEAD") or "unknown"
    changed = _git("status", "--porcelain", "--untracked-files=no", "--", str(PACKAGE))
    return {"command": command, "commit": f"{commit}-dirty" if changed else commit}


def _git(*words: str) -> str:
    """The output of git in the package's folder; empty without git."""
    try:
        result = subprocess.run(
            ["git", *words], cwd=PACKAGE, capture_output=True, text=True, check=False
        )
    except OSError:
        return ""
    return result.stdout.strip()
