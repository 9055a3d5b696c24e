"""The light ensemble: MobileNetV3-Small and ShuffleNetV2, trained apart, averaged.

Source: arXiv 2509.10114. The abstract gives the two networks, the plain average and the loss, MSE
plus a Pearson term; sizes, schedule and augmentation are our choice, and so is the teacher, which
stands in for ImageNet weights that the two light networks do not have offline.

In order:
1. teachers (ImageNet start) learn the labels, and that a degraded copy scores lower;
2. a pool of views is made, with the teachers' mean score and the first one's feature maps;
3. each light network learns from the pool, from the labels and from the order of degraded copies;
4. the two are averaged.
Without teachers, as in the `paper` preset, steps 1 and 2 are left out and step 3 is labels alone.
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
from torch.utils.data import Dataset

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
from facegauge.training.pool import Pool, PoolBatches, make_pool
from facegauge.training.runs import load_run, provenance, save_run
from facegauge.training.views import Batch, BatchPlan, ViewBatches, ViewMaker, ViewSettings

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
        """Train into the run folder `out/name`; a finished part is loaded and left as it is."""
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

    pool = None
    if "teachers" in settings:
        teachers = [train_teacher(job, name) for name in settings["pool"]["teachers"]]
        pool = fill_pool(job, teachers)
    members = {name: train_member(job, name, pool) for name in settings["members"]}
    figures = {name: job.validate(member)["criterion"] for name, member in members.items()}
    network = Ensemble(dict(members), flip=settings["flip"]).eval()
    configs = {name: member.config for name, member in members.items()}
    job.save(
        "", SYSTEM, network, {"kind": "ensemble", "members": configs, "flip": settings["flip"]}
    )
    figures["ensemble"] = job.validate(network)["criterion"]
    for name, value in figures.items():
        say(f"{name}: (SRCC + PLCC) / 2 on val {value:.4f}")
    return figures


def train_teacher(job: Job, name: str) -> Regressor:
    """Step 1: labels, and the order of degraded copies; with 0 steps, a finished teacher as is."""
    numbers = job.settings["teachers"][name]
    torch.manual_seed(numbers["fit"]["seed"])
    if numbers["start"]:
        teacher = earlier(numbers["start"])
    else:
        teacher = Regressor(numbers["backbone"], numbers["depths"], job.mean_label)
    if numbers["weights"]:
        teacher.start_from(numbers["weights"])
    if not numbers["fit"]["steps"]:
        return teacher
    objective = Supervised(
        job.maker.spec, score_loss(numbers), numbers["order_weight"], numbers["margin"]
    )
    batches = partial(ViewBatches, job.maker, BatchPlan(**numbers["plan"]))
    job.fit(
        f"teachers/{name}",
        teacher,
        objective,
        batches,
        system="ensemble teacher",
        numbers=numbers["fit"],
    )
    return teacher


def fill_pool(job: Job, teachers: list[Regressor]) -> Pool:
    """Step 2: views, what the teachers score them, and the maps that the members imitate."""
    numbers = job.settings["pool"]
    pairs = [pair for member in job.settings["members"].values() for pair in member["pairs"]]
    return make_pool(
        job.out / "pool",
        job.maker,
        BatchPlan(**numbers["plan"]),
        batches=numbers["batches"],
        seed=numbers["seed"],
        teachers=teachers,
        taps=sorted({theirs for _, theirs in pairs}),
        workers=job.settings["workers"],
        say=job.say,
    )


def train_member(job: Job, name: str, pool: Pool | None) -> Regressor:
    """Step 3: one light network, from the pool, or from labels alone."""
    numbers = {**job.settings["student"], **job.settings["members"][name]}
    torch.manual_seed(numbers["fit"]["seed"])
    student = Regressor(name, numbers["depths"], job.mean_label)
    if numbers["weights"]:
        student.start_from(numbers["weights"])
    if numbers["start"]:
        student.load_state_dict(member_of(numbers["start"], name).state_dict())
    objective: nn.Module
    batches: Callable[..., Dataset[Batch]]
    if pool is None:
        objective = Supervised(job.maker.spec, score_loss(numbers), order_weight=0, margin=0)
        batches = partial(ViewBatches, job.maker, BatchPlan(**numbers["plan"]))
    else:
        objective = Distilled(
            job.maker.spec,
            pool.channels,
            student,
            pairs=[(ours, theirs) for ours, theirs in numbers["pairs"]],
            loss=score_loss(numbers),
            score_weight=numbers["score_weight"],
            feature_weight=numbers["feature_weight"],
            label_share=numbers["label_share"],
            order_weight=numbers["order_weight"],
            margin=numbers["margin"],
        )
        batches = partial(PoolBatches, pool)
    job.fit(name, student, objective, batches, system="ensemble member", numbers=numbers["fit"])
    return student.eval()


def earlier(folder: str) -> Regressor:
    """A teacher that was trained before, from a run folder or a scorer folder.

    Raises:
        UsageError: it is not a single network with feature maps.
    """
    network = load_run(folder).network
    if not isinstance(network, Regressor):
        raise UsageError(f"{folder} holds an ensemble; a teacher must be a single network")
    return network


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
