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
from functools import partial
from pathlib import Path

from torch import nn
from torch.utils.data import Dataset

from facegauge.data.manifests import Manifest
from facegauge.nn.ensemble import Ensemble
from facegauge.nn.regressor import Regressor
from facegauge.training.context import Job, Settings, open_job, score_loss
from facegauge.training.distillation import check_names, check_pairs, distilled, fill_pool
from facegauge.training.inputs.views import Batch, BatchPlan, ViewBatches
from facegauge.training.objectives import Supervised
from facegauge.training.teacher_cache import Pool, PoolBatches

SYSTEM = "ensemble"


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
    _check(settings)
    job = open_job(settings, data, unlabelled, out, resume=resume, say=say)
    pool = None
    if "teachers" in settings:
        teachers = [train_teacher(job, name) for name in settings["pool"]["teachers"]]
        pool = fill_pool(job, teachers, list(settings["members"].values()))
    members = {name: train_member(job, name, pool) for name in settings["members"]}
    figures = {name: job.validate(member)["criterion"] for name, member in members.items()}
    network = Ensemble(dict(members), flip=settings["flip"]).eval()
    configs = {name: member.config for name, member in members.items()}
    job.save(
        "", SYSTEM, network, {"kind": "ensemble", "members": configs, "flip": settings["flip"]}
    )
    figures["ensemble"] = job.validate(network)["criterion"]
    for name, value in figures.items():
        job.say(f"{name}: (SRCC + PLCC) / 2 on val {value:.4f}")
    return figures


def _check(settings: Settings) -> None:
    """Refuse now what would be found out after the teachers."""
    if "teachers" not in settings:
        return
    names = settings["pool"]["teachers"]
    check_names("pool.teachers", names, settings["teachers"])
    for backbone, member in settings["members"].items():
        numbers = {"backbone": backbone, **settings["student"], **member}
        check_pairs(numbers, settings["teachers"][names[0]]["backbone"])


def train_teacher(job: Job, name: str) -> Regressor:
    """Step 1: labels, and the order of degraded copies; with 0 steps, a finished teacher as is."""
    numbers = job.settings["teachers"][name]
    teacher = job.begun(numbers)
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


def train_member(job: Job, name: str, pool: Pool | None) -> Regressor:
    """Step 3: one light network, from the pool, or from labels alone."""
    numbers = {"backbone": name, **job.settings["student"], **job.settings["members"][name]}
    student = job.begun(numbers)
    objective: nn.Module
    batches: Callable[..., Dataset[Batch]]
    if pool is None:
        objective = Supervised(job.maker.spec, score_loss(numbers), order_weight=0, margin=0)
        batches = partial(ViewBatches, job.maker, BatchPlan(**numbers["plan"]))
    else:
        objective = distilled(job, pool, student, numbers)
        batches = partial(PoolBatches, pool)
    job.fit(name, student, objective, batches, system="ensemble member", numbers=numbers["fit"])
    return student.eval()
