"""Judges: a shipped scorer, a scorer folder or a run folder, as one thing that scores faces."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from facegauge import zoo
from facegauge.arrays import FloatArray
from facegauge.errors import UsageError
from facegauge.evaluation.evaluate import is_run, open_run
from facegauge.faces.spec import PreprocessSpec
from facegauge.scorer import default_threads
from facegauge.zoo.onnx_model import Model

if TYPE_CHECKING:
    from torch import nn

Scores = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Judge:
    """A network that scores faces.

    Attributes:
        name: for people and for the column `scorer`.
        sha256: of the weights; a table is only resumed with the same ones.
        spec: how a face becomes the network's input.
        score: (n, 3, height, width) normalised float32 -> (n,), as the network gives them.
    """

    name: str
    sha256: str
    spec: PreprocessSpec
    score: Callable[[FloatArray], Scores]


def open_judge(name_or_folder: str | os.PathLike[str]) -> Judge:
    """A shipped scorer (by name), a scorer folder, or a run folder.

    A folder with a card is run as it ships, by onnxruntime; a run folder by torch.

    Raises:
        UsageError, ScorerError: there is neither, or landmarks guide the network.
        MissingExtra: a run folder without torch.
    """
    if is_run(name_or_folder):
        run = open_run(name_or_folder)
        return network_judge(run.folder.resolve().name, run.network, run.spec)
    folder = zoo.open_folder(name_or_folder)
    card, model = zoo.load_card(folder), Model(folder, default_threads())
    _refuse_guided(card.name, model.guided)
    return Judge(card.name, card.sha256, model.spec, model)


def network_judge(name: str, network: nn.Module, spec: PreprocessSpec) -> Judge:
    """A torch network as a judge, on the device that it is on; scoring puts it in eval mode.

    Raises:
        UsageError: landmarks guide the network.
    """
    import torch

    _refuse_guided(name, bool(getattr(network, "guided", False)))
    device = next(network.parameters()).device
    digest = sha256(spec.to_json().encode())
    for key, value in sorted(network.state_dict().items()):
        digest.update(key.encode())
        digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())

    def score(images: FloatArray) -> Scores:
        network.eval()
        views = torch.from_numpy(images).to(device)
        with torch.inference_mode():
            views = views.contiguous(memory_format=torch.channels_last)  # faster on a CPU
            scores = network(views).float().cpu().numpy()
        return np.asarray(scores, np.float64)

    return Judge(name, digest.hexdigest(), spec, score)


def _refuse_guided(name: str, guided: bool) -> None:
    """A judge sees faces alone; without their landmarks such a network would say something else."""
    if guided:
        raise UsageError(
            f"{name} cannot label pictures: it is guided by landmarks, which labelling does not "
            "look for; train it with --set core.landmarks=0"
        )
