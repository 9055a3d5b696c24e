"""Efficient-FIQA: a teacher, self-training and distillation into a small student.

Source: arXiv 2507.15709. The paper's steps, in order:
1. the teacher T learns the labelled faces;
2. T labels set A, unlabelled faces;
3. the teacher goes on, now as T+, on the labelled faces and A;
4. T+ labels set B, other unlabelled faces;
5. the student learns the labelled faces, A with T's scores and B with T+'s.

Each step is a folder or a table in the run folder, and a killed run goes on where it was. The
paper's teacher is one network; ours is a committee of one or more that learn apart, and its score
is their mean. The paper's student learns scores alone. With a [pool] table, as in the `cpu` preset,
ours also learns from what T+ says of degraded views, and imitates the feature maps of T+'s first
member: our choice, for a student without ImageNet weights. For comparison, `student.learns` can
stop short of B or of both sets.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from functools import partial
from pathlib import Path

from torch import nn
from torch.utils.data import Dataset

from facegauge.data.manifests import Manifest
from facegauge.errors import UsageError
from facegauge.nn.ensemble import Ensemble
from facegauge.nn.predictor import TorchPredictor
from facegauge.nn.regressor import Regressor
from facegauge.training.context import Job, Settings, describe, open_job, score_loss
from facegauge.training.distillation import check_names, check_pairs, distilled, fill_pool
from facegauge.training.inputs.views import Batch, BatchPlan, Framed, ViewBatches
from facegauge.training.objectives import Supervised
from facegauge.training.teacher_cache import PoolBatches

SYSTEM = "efficient"
FACES = "auto"  # in sets A and B: the largest face is searched
LESSONS = ("labels", "a", "b")  # what a student can stop at


def run(
    settings: Settings,
    data: Manifest,
    a: Manifest,
    b: Manifest,
    out: Path,
    *,
    resume: bool = False,
    say: Callable[[str], None] = print,
) -> dict[str, float]:
    """Train teacher, teacher+ and student into the run folder `out`; it becomes the student's.

    Args:
        settings: a preset of `efficient.toml`, with overrides.
        data: labelled pictures, framed as the labels saw them, with splits train and val. The
            curve from score to label is fitted on val.
        a, b: unlabelled faces, without a picture in common with each other or with val.
        resume: go on with what `out` holds.

    Returns:
        (SRCC + PLCC) / 2 on val of T, T+ and the student.

    Raises:
        UsageError: no train or val rows, `out` is in use and `resume` is off, or a number is not
            what it can be.
    """
    _check(settings)
    job = open_job(settings, data, [], out, resume=resume, say=say)
    job = replace(
        job, settings={**job.settings, "data": describe([data.where(split="train"), a, b])}
    )
    labelled = list(job.maker.pictures)

    teacher = train_teacher(job, "teacher", labelled, None)
    set_a = pseudo_label(job, "a", teacher, a)
    plus = train_teacher(job, "teacher_plus", [*labelled, *set_a], teacher)
    set_b = pseudo_label(job, "b", plus, b)
    lessons = {
        "labels": (labelled, None),
        "a": ([*labelled, *set_a], teacher),
        "b": ([*labelled, *set_a, *set_b], plus),
    }
    student = train_student(job, *lessons[settings["student"]["learns"]])

    figures = {
        "teacher": job.at("teacher").validate(teacher)["criterion"],
        "teacher_plus": job.at("teacher").validate(plus)["criterion"],
        "student": job.validate(student)["criterion"],
    }
    for name, value in figures.items():
        job.say(f"{name}: (SRCC + PLCC) / 2 on val {value:.4f}")
    return figures


def train_teacher(job: Job, name: str, pictures: list[Framed], before: Ensemble | None) -> Ensemble:
    """Steps 1 and 3: every member by itself, from the one `before`; their mean is the teacher."""
    job = job.at("teacher", pictures)
    names = job.settings["teacher"]["members"]
    members = {member: train_member(job, name, member, before) for member in names}
    teacher = Ensemble(dict(members)).eval()
    configs = {member: network.config for member, network in members.items()}
    config = {"kind": "ensemble", "members": configs, "flip": False}
    job.save(name, f"{SYSTEM} {name.replace('_', ' ')}", teacher, config)
    return teacher


def train_member(job: Job, name: str, member: str, before: Ensemble | None) -> Regressor:
    """Labels, and, where the plan asks for groups, the order of degraded copies."""
    settings = job.settings
    numbers = {**settings["teacher"], **settings["teachers"][member]}
    if before is not None:
        place = settings["teacher"]["members"].index(member)
        numbers |= {**settings[name], "weights": ""}
        numbers["fit"] = {**numbers["fit"], "seed": numbers["fit"]["seed"] + place}
    if before is None or numbers["start"]:
        network = job.begun(numbers, member)
    else:
        network = deepcopy(_members(before)[place])
    batches = partial(ViewBatches, job.maker, BatchPlan(**numbers["plan"]))
    job.fit(
        f"{name}/{member}",
        network,
        _labels(job, numbers),
        batches,
        system=f"{SYSTEM} {name.replace('_', ' ')} member",
        numbers=numbers["fit"],
    )
    return network.eval()


def pseudo_label(job: Job, name: str, teacher: Ensemble, pictures: Manifest) -> list[Framed]:
    """Steps 2 and 4: the table `labels_<name>.csv`, and its pictures with their new labels."""
    spec = job.at("teacher").maker.spec
    predictor = TorchPredictor(f"teacher of {name}", teacher, spec)
    found, _ = job.pseudo_labelled(job.out / f"labels_{name}.csv", predictor, pictures, FACES)
    return found


def train_student(job: Job, pictures: list[Framed], guide: Ensemble | None) -> Regressor:
    """Step 5: labels and pseudo-labels; with a pool and a guide, also what that says of views."""
    numbers = job.settings["student"]
    job = job.at("student", pictures)
    pool = None
    if guide is not None and "pool" in job.settings:
        pool = fill_pool(job, _members(guide), [numbers], job.spec("teacher"))
    student = job.begun(numbers)  # which seeds what follows, so the pool is filled before
    objective: nn.Module
    batches: Callable[..., Dataset[Batch]]
    if pool is None:
        objective = _labels(job, numbers)
        batches = partial(ViewBatches, job.maker, BatchPlan(**numbers["plan"]))
    else:
        objective = distilled(job, pool, student, numbers)
        batches = partial(PoolBatches, pool)
    job.fit("", student, objective, batches, system=SYSTEM, numbers=numbers["fit"])
    return student.eval()


def _check(settings: Settings) -> None:
    """Refuse now what would be found out after the teachers."""
    student, members = settings["student"], settings["teacher"]["members"]
    if student["learns"] not in LESSONS:
        raise UsageError(
            f"expected student.learns to be {' or '.join(LESSONS)}, got {student['learns']!r}"
        )
    check_names("teacher.members", members, settings["teachers"])
    if "pool" in settings and student["learns"] != "labels":
        check_pairs(student, settings["teachers"][members[0]]["backbone"])


def _members(committee: Ensemble) -> list[Regressor]:
    return [member for member in committee.members.values() if isinstance(member, Regressor)]


def _labels(job: Job, numbers: Settings) -> Supervised:
    return Supervised(
        job.maker.spec, score_loss(numbers), numbers["order_weight"], numbers["margin"]
    )
