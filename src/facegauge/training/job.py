"""What the steps of every recipe share: the numbers, the pictures, the judge and the run folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from facegauge.errors import UsageError
from facegauge.metrics import plcc, srcc
from facegauge.preprocess import Pixels, PreprocessSpec
from facegauge.training.fit import FitSettings, Validate, fit
from facegauge.training.losses import LOSSES
from facegauge.training.manifests import Manifest
from facegauge.training.networks.regressor import Regressor
from facegauge.training.objectives import Normalise, ScoreLoss
from facegauge.training.pictures import load_framed, sampled
from facegauge.training.runs import load_run, provenance, save_run
from facegauge.training.views import Batch, Framed, ViewMaker, ViewSettings

Settings = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Job:
    """One run of a recipe.

    Attributes:
        settings: a preset with overrides, and the record of what runs on what, for cards.
        maker: views of the labelled pictures, then of the unlabelled ones.
        val: the labelled pictures that choose weights.
        validate: the judge on them.
        mean_label: where every head's bias begins.
        out: the run folder.
    """

    settings: Settings
    maker: ViewMaker
    val: Manifest
    validate: Validate
    mean_label: float
    out: Path
    say: Callable[[str], None]

    def at(self, name: str, pictures: Sequence[Framed] | None = None) -> Job:
        """The same job for the network `name`, at its input size and, if given, on other pictures.

        The size is that of the settings' `<name>.input`, where there is one.
        """
        size = self.settings[name].get("input", self.settings["input"])
        spec = PreprocessSpec(**size)
        maker = ViewMaker(
            self.maker.pictures if pictures is None else pictures, spec, self.maker.settings
        )
        same = spec == self.maker.spec
        return replace(
            self, maker=maker, validate=self.validate if same else make_validation(self.val, spec)
        )

    def begun(self, numbers: Settings) -> Regressor:
        """A network before its training: with random weights, a backbone's or an earlier run's.

        Args:
            numbers: `backbone`, `depths`, `head` if not linear, `weights` (see
                `Regressor.start_from`), `start` (a run or scorer folder) and `fit`.
        """
        torch.manual_seed(numbers["fit"]["seed"])
        if numbers["start"]:
            return earlier(numbers["start"])
        head = numbers.get("head", "linear")
        network = Regressor(numbers["backbone"], numbers["depths"], self.mean_label, head)
        if numbers["weights"]:
            network.start_from(numbers["weights"])
        return network

    def fit(
        self,
        name: str,
        network: Regressor,
        objective: nn.Module,
        batches: Callable[..., Dataset[Batch]],
        *,
        system: str,
        numbers: Settings,
    ) -> None:
        """Train into the run folder `out/name`; a finished part is loaded and left as it is.

        With 0 steps the network stays as it is, and there is no folder.
        """
        if not numbers["steps"]:
            return
        folder = self.out / name
        settings = FitSettings(**numbers, workers=self.settings["workers"])
        fit(
            network,
            objective,
            batches,
            validate=self.validate,
            folder=folder,
            settings=settings,
            say=self.say,
        )
        if not (folder / "run.json").exists():
            self.save(name, system, network, network.config)

    def save(self, name: str, system: str, network: nn.Module, config: Settings) -> None:
        save_run(
            self.out / name,
            system=system,
            network=network,
            config=config,
            spec=self.maker.spec,
            settings=self.settings,
        )


def open_job(
    settings: Settings,
    data: Manifest,
    unlabelled: list[Manifest],
    out: Path,
    *,
    resume: bool,
    say: Callable[[str], None],
) -> Job:
    """Read the pictures and take the run folder into use.

    Args:
        data: labelled pictures, framed as the labels saw them, with splits train and val.
        unlabelled: more faces; with a split column, only their train rows.

    Raises:
        UsageError: no train or val rows, or `out` is in use and `resume` is off.
    """
    if out.exists() and any(out.iterdir()) and not resume:
        raise UsageError(f"{out} is not empty; choose another folder, or go on with --resume")
    out.mkdir(parents=True, exist_ok=True)
    spec = PreprocessSpec(**settings["input"])
    say("reading pictures")
    train = data.where(split="train")
    pictures = load_framed(train, spec, "whole", say)
    mean_label = float(np.mean([p.score for p in pictures if p.score is not None]))
    more = [part if part.splits is None else part.where(split="train") for part in unlabelled]
    for manifest in more:
        pictures += load_framed(manifest, spec, "auto", say)
    val = data.where(split="val")
    return Job(
        settings={**settings, **provenance(), "data": _describe([train, *more])},
        maker=ViewMaker(pictures, spec, ViewSettings(**settings["views"])),
        val=val,
        validate=make_validation(val, spec),
        mean_label=mean_label,
        out=out,
        say=say,
    )


def earlier(folder: str) -> Regressor:
    """A single network that was trained before, from a run folder or a scorer folder.

    Raises:
        UsageError: it is not a single network with feature maps.
    """
    network = load_run(folder).network
    if not isinstance(network, Regressor):
        raise UsageError(f"{folder} holds an ensemble; expected a single network")
    return network


def score_loss(numbers: Settings) -> ScoreLoss:
    return partial(LOSSES[numbers["loss"]], weight=numbers["corr_weight"])


def make_validation(data: Manifest, spec: PreprocessSpec, batch: int = 64) -> Validate:
    """SRCC, PLCC and their mean on val, the criterion by which weights are kept."""
    pictures = load_framed(data, spec, "whole")
    views, labels = sampled(pictures, spec), np.array([p.score for p in pictures])
    normalise = Normalise(spec)

    def validate(network: nn.Module) -> dict[str, float]:
        scores = predict(network, views, normalise, batch)
        figures = {"srcc": srcc(labels, scores), "plcc": plcc(labels, scores)}
        return {**figures, "criterion": (figures["srcc"] + figures["plcc"]) / 2}

    return validate


@torch.inference_mode()
def predict(
    network: nn.Module, views: Pixels, normalise: Normalise, batch: int
) -> npt.NDArray[np.float32]:
    """(N, H, W, 3) uint8 to scores (N,), with the network in eval mode."""
    network.eval()
    device = next(network.parameters()).device
    normalise = normalise.to(device)
    scores: list[Tensor] = [
        network(normalise(torch.from_numpy(views[start : start + batch]).to(device)))
        for start in range(0, len(views), batch)
    ]
    array: npt.NDArray[np.float32] = torch.cat(scores).float().cpu().numpy()
    return array


def _describe(manifests: list[Manifest]) -> list[dict[str, Any]]:
    """What was trained on, for cards."""
    return [
        {"manifest": f"{m.source.parent.name}/{m.source.name}", "pictures": len(m)}
        for m in manifests
    ]
