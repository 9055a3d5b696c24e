"""The light ensemble: MobileNetV3-Small and ShuffleNetV2, trained apart, averaged.

Source: arXiv 2509.10114. The abstract gives the two networks, the plain average and the loss, MSE
plus a Pearson term; sizes, schedule and augmentation are our choice, and so is the teacher, which
stands in for ImageNet weights that the two light networks do not have offline.

In order:
1. a teacher (ImageNet start) learns the labels, and that a degraded copy scores lower;
2. each light network learns from the teacher's scores and feature maps on freshly made views,
   from the labels, and from the order of degraded copies;
3. the two are averaged.
Without a [teacher] table, as in the `paper` preset, step 1 is left out and step 2 is labels alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from facegauge.errors import UsageError
from facegauge.metrics import plcc, srcc
from facegauge.preprocess import Pixels, PreprocessSpec
from facegauge.training.fit import FitSettings, Validate, fit
from facegauge.training.losses import LOSSES
from facegauge.training.manifests import Manifest
from facegauge.training.networks.ensemble import Ensemble
from facegauge.training.networks.regressor import Regressor
from facegauge.training.objectives import Distilled, Normalise, ScoreLoss, Supervised
from facegauge.training.pictures import load_framed, sampled
from facegauge.training.runs import load_run, provenance, save_run
from facegauge.training.views import BatchPlan, ViewMaker, ViewSettings

SYSTEM = "ensemble"
Settings = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Job:
    """What every step needs: the numbers, the pictures, the judge and the place."""

    settings: Settings
    maker: ViewMaker
    validate: Validate
    mean_label: float
    out: Path
    say: Callable[[str], None]

    def save(self, name: str, system: str, network: nn.Module, config: Settings) -> None:
        save_run(
            self.out / name,
            system=system,
            network=network,
            config=config,
            spec=self.maker.spec,
            settings=self.settings,
        )

    def fit(self, name: str, network: nn.Module, objective: nn.Module, numbers: Settings) -> None:
        """Train into the fit folder `out/name`; other seeds see other views."""
        fit(
            network,
            objective,
            self.maker,
            plan=BatchPlan(**numbers["plan"]),
            validate=self.validate,
            folder=self.out / name,
            settings=FitSettings(**numbers["fit"], workers=self.settings["workers"]),
            say=self.say,
        )


def run(
    settings: Settings,
    data: Manifest,
    unlabelled: list[Manifest],
    out: Path,
    *,
    resume: bool = False,
    say: Callable[[str], None] = print,
) -> dict[str, float]:
    """Train the ensemble into the run folder `out`.

    Args:
        settings: a preset of `ensemble.toml`, with overrides.
        data: labelled pictures, framed as the labels saw them, with splits train and val.
        unlabelled: more faces, for the teacher to score; with a split column, only its train rows.
        resume: go on with what `out` holds.

    Returns:
        (SRCC + PLCC) / 2 on val of every member and of the average.

    Raises:
        UsageError: no train or val rows, or `out` is in use and `resume` is off.
    """
    if out.exists() and any(out.iterdir()) and not resume:
        raise UsageError(f"{out} is not empty; choose another folder, or go on with --resume")
    spec = PreprocessSpec(**settings["input"])
    say("reading pictures")
    train = data.where(split="train")
    pictures = load_framed(train, spec, "whole", say)
    mean_label = float(np.mean([p.score for p in pictures if p.score is not None]))
    more = [part if part.splits is None else part.where(split="train") for part in unlabelled]
    for manifest in more:
        pictures += load_framed(manifest, spec, "auto", say)
    job = Job(
        settings={**settings, **provenance(), "data": _describe([train, *more])},
        maker=ViewMaker(pictures, spec, ViewSettings(**settings["views"])),
        validate=make_validation(data.where(split="val"), spec),
        mean_label=mean_label,
        out=out,
        say=say,
    )

    teacher = train_teacher(job) if "teacher" in settings else None
    members: dict[str, nn.Module] = {}
    configs, figures = {}, {}
    for name in settings["members"]:
        members[name], configs[name] = train_member(job, name, teacher)
        figures[name] = job.validate(members[name])["criterion"]
    network = Ensemble(members, flip=settings["flip"]).eval()
    job.save(
        "", SYSTEM, network, {"kind": "ensemble", "members": configs, "flip": settings["flip"]}
    )
    figures["ensemble"] = job.validate(network)["criterion"]
    for name, value in figures.items():
        say(f"{name}: (SRCC + PLCC) / 2 on val {value:.4f}")
    return figures


def train_teacher(job: Job) -> Regressor:
    """Step 1: labels, and the order of degraded copies."""
    numbers = job.settings["teacher"]
    config = {
        "backbone": numbers["backbone"],
        "depths": numbers["depths"],
        "bias": job.mean_label,
    }
    torch.manual_seed(numbers["fit"]["seed"])
    teacher = Regressor(**config)
    if numbers["weights"]:
        teacher.start_from(numbers["weights"])
    objective = Supervised(
        job.maker.spec, score_loss(numbers), numbers["order_weight"], numbers["margin"]
    )
    job.fit("teacher", teacher, objective, numbers)
    job.save("teacher", "ensemble teacher", teacher, {"kind": "regressor", **config})
    return teacher


def train_member(job: Job, name: str, teacher: Regressor | None) -> tuple[Regressor, Settings]:
    """Step 2: one light network, from the teacher and the labels, or from labels alone."""
    numbers = {**job.settings["student"], **job.settings["members"][name]}
    config = {"backbone": name, "depths": numbers["depths"], "bias": job.mean_label}
    torch.manual_seed(numbers["fit"]["seed"])
    student = Regressor(**config)
    if numbers["weights"]:
        student.start_from(numbers["weights"])
    if numbers["start"]:
        student.load_state_dict(member_of(numbers["start"], name).state_dict())
    objective: nn.Module
    if teacher is None:
        objective = Supervised(job.maker.spec, score_loss(numbers), order_weight=0, margin=0)
    else:
        objective = Distilled(
            job.maker.spec,
            teacher,
            student,
            pairs=[(ours, theirs) for ours, theirs in numbers["pairs"]],
            loss=score_loss(numbers),
            score_weight=numbers["score_weight"],
            feature_weight=numbers["feature_weight"],
            label_share=numbers["label_share"],
            order_weight=numbers["order_weight"],
            margin=numbers["margin"],
        )
    job.fit(name, student, objective, numbers)
    config = {"kind": "regressor", **config}
    job.save(name, "ensemble member", student, config)
    return student.eval(), config


def member_of(folder: str, name: str) -> nn.Module:
    """A member of an earlier ensemble, for fine-tuning: from a run folder or a scorer folder.

    Raises:
        UsageError: there is no such member.
    """
    members = load_run(folder).members
    if name not in members:
        there = ", ".join(members) or "none"
        raise UsageError(f"{folder} has no member {name} to start from; its members: {there}")
    return members[name]


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
