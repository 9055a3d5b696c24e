"""The light ensemble: MobileNetV3-Small and ShuffleNetV2, trained apart, averaged.

Source: arXiv 2509.10114. The abstract gives the two networks, the plain average and the loss, MSE
plus a Pearson term; sizes, schedule and augmentation are our choice, and so is the teacher, which
stands in for ImageNet weights that the two light networks do not have offline.

In order:
1. teachers (ImageNet start) learn the labels, and that a degraded copy scores lower;
2. views are cached with the teachers' mean score and the first one's feature maps;
3. each light network learns from the cache, from the labels and from the order of degraded copies;
4. the two are averaged.
Without teachers, as in the `paper` preset, steps 1 and 2 are left out and step 3 is labels alone.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from torch import nn
from torch.utils.data import Dataset

from facegauge.data.manifests import Manifest
from facegauge.nn.ensemble import Ensemble
from facegauge.nn.regressor import Regressor
from facegauge.training.begin import begin_run
from facegauge.training.cache_files import TeacherCache
from facegauge.training.context import TrainingContext
from facegauge.training.distillation import cache_teachers
from facegauge.training.held_out import refuse_unused
from facegauge.training.inputs.views import Batch, ViewBatches
from facegauge.training.methods.light_ensemble.config import (
    LightEnsembleConfig,
    MemberConfig,
    StudentConfig,
    TeacherConfig,
)
from facegauge.training.objectives import Distilled, Supervised, score_loss
from facegauge.training.settings import NetworkConfig
from facegauge.training.teacher_cache import CacheBatches

SYSTEM = "ensemble"

logger = logging.getLogger(__name__)


def run(
    config: LightEnsembleConfig,
    data: Manifest,
    unlabelled: Sequence[Manifest],
    out: Path,
    *,
    resume: bool = False,
    allow_leakage: bool = False,
) -> dict[str, float]:
    """Train the ensemble into the run folder `out`.

    Args:
        config: a preset, with overrides; see `training.config.load_preset`.
        data: labelled pictures, framed as the labels saw them, with splits train and val.
        unlabelled: more faces, for the teacher to score; with a split column, only its train rows.
        resume: continue with what `out` holds.
        allow_leakage: train although splits share pictures or people, and on unlabelled pictures
            that val has too. Otherwise the first are refused and the second left out.

    Returns:
        (SRCC + PLCC) / 2 on val of every member and of the average.

    Raises:
        UsageError: leaks between the splits, no train or val rows, `out` is in use and `resume` is
            off, or a network to start from is not there.
    """
    refuse_unused(
        unlabelled,
        config.scores_unlabelled,
        "no teacher scores pictures without labels; leave them out, or take the preset cpu",
    )
    context = begin_run(
        config,
        data,
        unlabelled,
        out,
        spec=config.input.spec,
        resume=resume,
        allow_leakage=allow_leakage,
    )
    cache = None
    if config.teacher_cache:
        names = config.teacher_cache.teachers
        teachers = [train_teacher(context, name, config.teachers[name]) for name in names]
        pairs = tuple(pair for member in config.members.values() for pair in member.pairs)
        cache = cache_teachers(context, config.teacher_cache, teachers, pairs)
    members = {
        name: train_member(context, name, config.student, member, cache)
        for name, member in config.members.items()
    }
    network = Ensemble(dict(members), flip=config.flip).eval()
    context.save("", SYSTEM, network)
    figures = {
        name: context.validate(one)["val_score"]
        for name, one in {**members, "ensemble": network}.items()
    }
    for name, value in figures.items():
        logger.info("%s: (SRCC + PLCC) / 2 on val %.4f", name, value)
    return figures


def train_teacher(context: TrainingContext, name: str, config: TeacherConfig) -> Regressor:
    """Step 1: labels, and the order of degraded copies; with 0 steps, a finished teacher as is."""
    teacher = context.build_network(config, seed=config.fit.seed)
    objective = Supervised(
        context.maker.spec,
        score_loss(config, config.label_rank_weight),
        config.severity_rank_weight,
        config.margin,
    )
    batches = partial(ViewBatches, context.maker, config.plan)
    context.fit(
        f"teachers/{name}", teacher, objective, batches, config.fit, system="ensemble teacher"
    )
    return teacher


def train_member(
    context: TrainingContext,
    name: str,
    config: StudentConfig,
    member: MemberConfig,
    cache: TeacherCache | None,
) -> Regressor:
    """Step 3: one light network, from the cache, or from labels alone."""
    start = NetworkConfig(
        backbone=name, depths=config.depths, head=config.head, init_from=config.init_from
    )
    student = context.build_network(start, seed=member.fit.seed)
    objective: nn.Module
    batches: Callable[..., Dataset[Batch]]
    if cache is None:
        loss = score_loss(config, config.label_rank_weight)
        objective = Supervised(context.maker.spec, loss, severity_rank_weight=0, margin=0)
        batches = partial(ViewBatches, context.maker, config.plan)
    else:
        objective = Distilled(context.maker.spec, cache.channels, student, config, member.pairs)
        batches = partial(CacheBatches, cache, context.maker.config.mirror_prob)
    context.fit(name, student, objective, batches, member.fit, system="ensemble member")
    return student.eval()
