"""The context of recipes whose settings are not typed yet; see `context.py` for the others."""

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

from facegauge.arrays import FloatArray, Pixels
from facegauge.data.manifests import Manifest
from facegauge.errors import UsageError
from facegauge.evaluation.metrics import plcc, srcc
from facegauge.faces.detection import Detector
from facegauge.faces.detection_cache import CachedDetector
from facegauge.faces.landmarks import landmark_vector
from facegauge.faces.spec import PreprocessSpec
from facegauge.labelling.label import label_into
from facegauge.labelling.label_table import load_labels
from facegauge.nn.checkpoints import provenance, save_run
from facegauge.nn.losses import LOSSES, ranking_loss
from facegauge.nn.normalise import Normalise
from facegauge.nn.regressor import Regressor
from facegauge.predictors import Predictor
from facegauge.training.config import from_dict
from facegauge.training.context import describe, load_pretrained
from facegauge.training.devices import log_from_main_process, this_process
from facegauge.training.fit import Validate, fit
from facegauge.training.inputs.pictures import load_framed, sampled
from facegauge.training.inputs.views import Batch, Framed, ViewMaker
from facegauge.training.objectives import ScoreLoss
from facegauge.training.settings import BatchPlan, FitConfig, ViewsConfig

Settings = dict[str, Any]
Trainable = Any


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
        """The same job for the network `name`, at its size and, if given, on other pictures."""
        spec = self.spec(name)
        maker = ViewMaker(
            self.maker.pictures if pictures is None else pictures, spec, self.maker.config
        )
        same = spec == self.maker.spec
        return replace(
            self, maker=maker, validate=self.validate if same else make_validation(self.val, spec)
        )

    def spec(self, name: str) -> PreprocessSpec:
        """What the network `name` sees: by the settings' `<name>.input`, if any, or `input`."""
        return PreprocessSpec(**self.settings[name].get("input", self.settings["input"]))

    def begun(self, numbers: Settings, member: str = "") -> Regressor:
        """A network before its training: with random weights, a backbone's, or an earlier one.

        Args:
            numbers: `backbone`, `depths`, `head` if not linear, `weights` (see
                `Regressor.start_from`), `start` (see `earlier`) and `fit`. An earlier network keeps
                its own depths and head.
            member: its name, if it belongs to an ensemble.
        """
        torch.manual_seed(numbers["fit"]["seed"])
        if numbers["start"]:
            return earlier(numbers["start"], numbers["backbone"], member)
        head = numbers.get("head", "linear")
        network = Regressor(numbers["backbone"], numbers["depths"], self.mean_label, head)
        if numbers["weights"]:
            network.load_pretrained(numbers["weights"])
        return network

    def fit(
        self,
        name: str,
        network: Trainable,
        objective: nn.Module,
        batches: Callable[..., Dataset[Batch]],
        *,
        system: str,
        numbers: Settings,
    ) -> None:
        """Train into the run folder `out/name`; a finished part is loaded and left as it is.

        With 0 steps the network stays as it is, and there is no folder. Either way it is then on
        the run's device, where the next step wants it.
        """
        network.to(this_process().device)
        if not numbers["steps"]:
            return
        folder = self.out / name
        fit(
            network,
            objective,
            batches,
            validate=self.validate,
            folder=folder,
            config=fit_config(numbers),
            workers=self.settings["workers"],
        )
        if not (folder / "run.json").exists():
            self.save(name, system, network, network.config)

    def pseudo_labelled(
        self, table: Path, judge: Predictor, pictures: Manifest, faces: str
    ) -> tuple[list[Framed], tuple[Path, ...]]:
        """Pictures with what a judge says of them, and their files; gone on from, if begun.

        Of several processes the main one labels, and the others wait. The settings' `label` says
        how many views are scored, and whether labels whose scores spread over the views count for
        less.

        Args:
            table: the pseudo-labels are kept there; on the labels' scale by a curve fitted to val.
            faces: as for `load_framed`.
        """
        numbers = self.settings["label"]
        if this_process().is_main_process:
            label_into(
                table,
                judge,
                pictures,
                faces=faces,
                views=numbers["views"],
                held_out=self.val,
                detector=CachedDetector(self.out),
                resume=True,
            )
        this_process().wait_for_everyone()
        labelled, weights = load_labels(table)
        found = self.load(labelled, faces)
        if numbers["weighted"]:
            found = [
                replace(one, sample_weight=float(w)) for one, w in zip(found, weights, strict=True)
            ]
        return found, labelled.paths

    def load(self, pictures: Manifest, faces: str, *, points: bool = False) -> list[Framed]:
        """The pictures in memory, see `load_framed`; faces found earlier are not searched again."""
        found = CachedDetector(self.out)
        return load_framed(pictures, self.maker.spec, faces, points=points, detector=found)

    def save(self, name: str, system: str, network: nn.Module, config: Settings) -> None:
        if this_process().is_main_process:
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
    points: bool = False,
) -> Job:
    """Read the pictures and take the run folder into use.

    Args:
        data: labelled pictures, framed as the labels saw them, with splits train and val.
        unlabelled: more faces, whose scores, if they have any, are left aside; with a split column,
            only their train rows.
        points: find the labelled faces' five points, for networks that landmarks guide.

    Raises:
        UsageError: no train or val rows, `out` is in use and `resume` is off, or a number is not
            what it can be.
    """
    _check(settings)
    if out.exists() and any(out.iterdir()) and not resume:
        raise UsageError(f"{out} is not empty; choose another folder, or go on with --resume")
    out.mkdir(parents=True, exist_ok=True)
    this_process().wait_for_everyone()  # or a late one would find what the others have written
    spec = PreprocessSpec(**settings["input"])
    if not this_process().is_main_process:
        say = _silent
    log_from_main_process()
    say("reading pictures")
    train = data.where(split="train")
    detector = CachedDetector(out)
    read = partial(load_framed, spec=spec, detector=detector)
    pictures = read(train, faces="whole", points=points)
    mean_label = float(np.mean([p.score for p in pictures if p.score is not None]))
    more = [part if part.splits is None else part.where(split="train") for part in unlabelled]
    for manifest in more:
        pictures += read(replace(manifest, scores=None), faces="auto")
    val = data.where(split="val")
    return Job(
        settings={**settings, **provenance(), "data": describe([train, *more])},
        maker=ViewMaker(
            pictures, spec, from_dict(ViewsConfig, _renamed(ViewsConfig, settings["views"]))
        ),
        val=val,
        validate=make_validation(val, spec, points=points, detector=detector),
        mean_label=mean_label,
        out=out,
        say=say,
    )


def _check(settings: Settings) -> None:
    """Refuse now what the last of several steps would refuse hours later."""
    for name, value in settings.items():
        if name == "fit":
            fit_config(value)
        elif name == "loss" and value not in LOSSES:
            raise UsageError(f"expected loss to be one of {', '.join(LOSSES)}, got {value!r}")
        elif name == "batches" and value < 1:
            raise UsageError(f"expected a pool of 1 batch or more, got {value}")
        elif isinstance(value, dict):
            _check(value)


def _silent(line: str) -> None:
    """What processes beside the main one say."""


earlier = load_pretrained


def fit_config(old: Settings) -> FitConfig:
    precision = {"no": "fp32"}.get(old["precision"], old["precision"])
    return from_dict(FitConfig, _renamed(FitConfig, {**old, "precision": precision}))


def batch_plan(old: Settings) -> BatchPlan:
    return from_dict(BatchPlan, _renamed(BatchPlan, old))


def _renamed(cls: Any, old: Settings) -> Settings:
    return {cls.RENAMED.get(name, name): value for name, value in old.items()}


def score_loss(numbers: Settings) -> ScoreLoss:
    """The settings' `loss`, with `rank_weight` of `losses.ranking_loss` beside it."""
    loss: ScoreLoss = partial(LOSSES[numbers["loss"]], weight=numbers["corr_weight"])
    weight: float = numbers["rank_weight"]

    def both(prediction: Tensor, target: Tensor, sample_weight: Tensor | None = None) -> Tensor:
        closeness: Tensor = loss(prediction, target, sample_weight=sample_weight)
        return closeness + weight * ranking_loss(prediction, target)

    return both if weight else loss


def make_validation(
    data: Manifest,
    spec: PreprocessSpec,
    batch: int = 64,
    *,
    points: bool = False,
    detector: Detector | None = None,
) -> Validate:
    """SRCC, PLCC and their mean on val, the criterion by which weights are kept.

    Args:
        points: whether the network is also told where the faces' five points lie.
        detector: finds them, as for `load_framed`.
    """
    pictures = load_framed(data, spec, "whole", points=points, detector=detector)
    views, labels = sampled(pictures, spec), np.array([p.score for p in pictures])
    marks = np.stack([landmark_vector(p.points, p.frame) for p in pictures]) if points else None
    normalise = Normalise(spec)

    def validate(network: nn.Module) -> dict[str, float]:
        scores = predict(network, views, normalise, batch, marks)
        figures = {"srcc": srcc(scores, labels), "plcc": plcc(scores, labels)}
        return {**figures, "val_score": (figures["srcc"] + figures["plcc"]) / 2}

    return validate


@torch.inference_mode()
def predict(
    network: nn.Module,
    views: Pixels,
    normalise: Normalise,
    batch: int,
    marks: FloatArray | None = None,
) -> npt.NDArray[np.float32]:
    """(N, H, W, 3) uint8 to scores (N,), with the network in eval mode.

    Args:
        marks: (N, 10) from `faces.landmarks.landmark_vector`, for a network that they guide.
    """
    network.eval()
    device = next(network.parameters()).device
    normalise = normalise.to(device)
    scores: list[Tensor] = []
    for start in range(0, len(views), batch):
        rows = slice(start, start + batch)
        guides = () if marks is None else (torch.from_numpy(marks[rows]).to(device),)
        scores.append(network(normalise(torch.from_numpy(views[rows]).to(device)), *guides))
    array: npt.NDArray[np.float32] = torch.cat(scores).float().cpu().numpy()
    return array
