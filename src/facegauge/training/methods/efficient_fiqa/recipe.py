"""Efficient-FIQA: a teacher, self-training and distillation into a small student.

Source: arXiv 2507.15709. The paper's steps, in order:
1. the teacher T learns the labelled faces;
2. T labels set A, unlabelled faces;
3. the teacher is trained on, now as T+, on the labelled faces and A;
4. T+ labels set B, other unlabelled faces;
5. the student learns the labelled faces, A with T's scores and B with T+'s.

Each step is a folder or a table in the run folder, and a killed run resumes where it was. The
paper's teacher is one network; ours is a committee of one or more that learn apart, and its score
is their mean. The paper's student learns scores alone. With a [teacher_cache] table, as in the
`cpu` preset, ours also learns from T+'s scores of degraded views, and imitates the feature maps of
T+'s first member: our choice, for a student without ImageNet weights. For comparison,
`student.learns` can stop short of B or of both sets.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from functools import partial
from pathlib import Path

from torch import nn
from torch.utils.data import Dataset

from facegauge.data.leakage import without_leaks
from facegauge.data.manifests import Manifest
from facegauge.nn.ensemble import Ensemble
from facegauge.nn.predictor import TorchPredictor
from facegauge.nn.regressor import Regressor
from facegauge.training.begin import begin_run, describe
from facegauge.training.context import TrainingContext
from facegauge.training.distillation import cache_teachers
from facegauge.training.inputs.views import Batch, Framed, ViewBatches
from facegauge.training.methods.efficient_fiqa.config import EfficientFiqaConfig
from facegauge.training.objectives import Distilled, Supervised, score_loss
from facegauge.training.settings import FitConfig, NetworkConfig
from facegauge.training.teacher_cache import CacheBatches
from facegauge.training.view_settings import BatchPlan

SYSTEM = "efficient"
FACES = "auto"  # in sets A and B: the largest face is searched

logger = logging.getLogger(__name__)


def run(
    config: EfficientFiqaConfig,
    data: Manifest,
    unlabelled_a: Manifest,
    unlabelled_b: Manifest,
    out: Path,
    *,
    resume: bool = False,
    allow_leakage: bool = False,
) -> dict[str, float]:
    """Train teacher, teacher+ and student into the run folder `out`; it becomes the student's.

    Args:
        config: a preset, with overrides; see `training.config.load_preset`.
        data: labelled pictures, framed as the labels saw them, with splits train and val. The
            curve from score to label is fitted on val.
        unlabelled_a: unlabelled faces that T labels, set A.
        unlabelled_b: unlabelled faces that T+ labels, set B.
        resume: continue with what `out` holds.
        allow_leakage: train although splits share pictures or people, on pictures of A that are
            labelled too, and on pictures of B that are labelled or in A. Otherwise the first are
            refused and the others left out.

    Returns:
        (SRCC + PLCC) / 2 on val of T, T+ and the student.

    Raises:
        UsageError: leaks between the splits, no train or val rows, `out` is in use and `resume` is
            off, or a network to start from is not there.
    """
    context = begin_run(
        config, data, [], out, spec=config.input.spec, resume=resume, allow_leakage=allow_leakage
    )
    a, b = unlabelled_a, unlabelled_b
    if not allow_leakage:
        a = without_leaks(a, [data])
        b = without_leaks(b, [data, a])
    labelled = list(context.maker.pictures)
    train = data.where(split="train")
    with_a = context.recorded(data=describe([train, a]))
    with_both = context.recorded(data=describe([train, a, b]))

    teacher = train_teacher(context, config, labelled)
    set_a = pseudo_label(context, config, "a", teacher, a)
    plus = retrain_teacher(with_a, config, [*labelled, *set_a], teacher)
    set_b = pseudo_label(context, config, "b", plus, b)
    lessons = {
        "labels": (context, labelled, None),
        "a": (with_a, [*labelled, *set_a], teacher),
        "b": (with_both, [*labelled, *set_a, *set_b], plus),
    }
    learns, pictures, taught_by = lessons[config.student.learns]
    student = train_student(learns, config, pictures, taught_by)

    validate = context.for_network(config.teacher_input.spec).validate
    figures = {
        "teacher": validate(teacher)["val_score"],
        "teacher_plus": validate(plus)["val_score"],
        "student": context.validate(student)["val_score"],
    }
    for name, value in figures.items():
        logger.info("%s: (SRCC + PLCC) / 2 on val %.4f", name, value)
    return figures


def train_teacher(
    context: TrainingContext, config: EfficientFiqaConfig, pictures: list[Framed]
) -> Ensemble:
    """Step 1: every member learns by itself; their mean is the teacher."""
    context = context.for_network(config.teacher_input.spec, pictures)
    members = {}
    for name in config.teacher.members:
        member = config.teachers[name]
        start = _network(config, name, member.init_from)
        network = context.build_network(start, seed=member.fit.seed, member=name)
        part = ("teacher", name)
        fit_member(context, config, part, network, plan=config.teacher.plan, fit=member.fit)
        members[name] = network
    return _saved(context, "teacher", members)


def retrain_teacher(
    context: TrainingContext, config: EfficientFiqaConfig, pictures: list[Framed], teacher: Ensemble
) -> Ensemble:
    """Step 3: every member is trained on, from T or from an earlier T+."""
    context = context.for_network(config.teacher_input.spec, pictures)
    plus, members = config.teacher_plus, {}
    for place, (name, before) in enumerate(_members(teacher).items()):
        fit = replace(plus.fit, seed=plus.fit.seed + place)
        if plus.init_from:
            start = _network(config, name, plus.init_from)
            network = context.build_network(start, seed=fit.seed, member=name)
        else:
            network = deepcopy(before)
        fit_member(context, config, ("teacher_plus", name), network, plan=plus.plan, fit=fit)
        members[name] = network
    return _saved(context, "teacher_plus", members)


def fit_member(
    context: TrainingContext,
    config: EfficientFiqaConfig,
    part: tuple[str, str],
    network: Regressor,
    *,
    plan: BatchPlan,
    fit: FitConfig,
) -> None:
    """Labels, and, where the plan asks for groups, the order of degraded copies.

    Args:
        part: "teacher" or "teacher_plus", and the member's name.
    """
    which, name = part
    teacher, member = config.teacher, config.teachers[name]
    loss = score_loss(teacher, member.label_rank_weight)
    context.fit(
        f"{which}/{name}",
        network,
        Supervised(context.maker.spec, loss, teacher.severity_rank_weight, teacher.margin),
        partial(ViewBatches, context.maker, plan),
        fit,
        system=f"{SYSTEM} {which.replace('_', ' ')} member",
    )
    network.eval()


def pseudo_label(
    context: TrainingContext,
    config: EfficientFiqaConfig,
    name: str,
    teacher: Ensemble,
    pictures: Manifest,
) -> list[Framed]:
    """Steps 2 and 4: the table `labels_<name>.csv`, and its pictures with their new labels."""
    predictor = TorchPredictor(f"teacher of {name}", teacher, config.teacher_input.spec)
    table = context.out / f"labels_{name}.csv"
    found, _ = context.pseudo_labelled(table, predictor, pictures, FACES, config.label)
    return found


def train_student(
    context: TrainingContext,
    config: EfficientFiqaConfig,
    pictures: list[Framed],
    teacher: Ensemble | None,
) -> Regressor:
    """Step 5: labels and pseudo-labels; with a cache and a teacher, also its scores of views."""
    numbers, spec = config.student, config.input.spec
    context = context.for_network(spec, pictures)
    cache = None
    if teacher is not None and config.teacher_cache:
        teachers = list(_members(teacher).values())
        cache = cache_teachers(
            context, config.teacher_cache, teachers, numbers.pairs, config.teacher_input.spec
        )
    # which seeds what follows, so the cache is made before
    student = context.build_network(numbers, seed=numbers.fit.seed)
    objective: nn.Module
    batches: Callable[..., Dataset[Batch]]
    if cache is None:
        loss = score_loss(numbers, numbers.label_rank_weight)
        objective = Supervised(spec, loss, numbers.severity_rank_weight, numbers.margin)
        batches = partial(ViewBatches, context.maker, numbers.plan)
    else:
        objective = Distilled(spec, cache.channels, student, numbers, numbers.pairs)
        batches = partial(CacheBatches, cache, context.maker.config.mirror_prob)
    context.fit("", student, objective, batches, numbers.fit, system=SYSTEM)
    return student.eval()


def _network(config: EfficientFiqaConfig, name: str, init_from: str) -> NetworkConfig:
    """A member of the teacher, with these first weights."""
    teacher, backbone = config.teacher, config.teachers[name].backbone
    return NetworkConfig(
        backbone=backbone, depths=teacher.depths, head=teacher.head, init_from=init_from
    )


def _saved(context: TrainingContext, part: str, members: dict[str, Regressor]) -> Ensemble:
    teacher = Ensemble(dict(members)).eval()
    context.save(part, f"{SYSTEM} {part.replace('_', ' ')}", teacher)
    return teacher


def _members(teacher: Ensemble) -> dict[str, Regressor]:
    members = teacher.members.items()
    return {name: member for name, member in members if isinstance(member, Regressor)}
