"""From teachers to a light student by way of a teacher cache, as several recipes do."""

from __future__ import annotations

from collections.abc import Sequence

from facegauge.faces.spec import PreprocessSpec
from facegauge.nn.regressor import Regressor
from facegauge.training.cache_files import TeacherCache
from facegauge.training.context import TrainingContext
from facegauge.training.objectives import Distilled, score_loss
from facegauge.training.settings import DistillationConfig, Pairs, TeacherCacheConfig
from facegauge.training.teacher_cache import make_teacher_cache


def cache_teachers(
    context: TrainingContext,
    config: TeacherCacheConfig,
    teachers: Sequence[Regressor],
    pairs: Pairs,
    teacher_spec: PreprocessSpec | None = None,
) -> TeacherCache:
    """Views of the run's pictures, the teachers' scores of them, and the maps to be imitated.

    Args:
        teachers: their scores are averaged; the maps are the first one's.
        pairs: (student map, teacher map), of all students.
        teacher_spec: of the views that the teachers see; the students' unless given.
    """
    return make_teacher_cache(
        context.out / "teacher_cache",
        context.maker,
        config,
        teachers=teachers,
        taps=sorted({theirs for _, theirs in pairs}),
        teacher_spec=teacher_spec,
        workers=context.config.workers,
    )


def distillation_loss(
    spec: PreprocessSpec,
    cache: TeacherCache,
    student: Regressor,
    config: DistillationConfig,
    pairs: Pairs,
) -> Distilled:
    """What a student learns from a teacher cache."""
    return Distilled(
        spec,
        cache.channels,
        student,
        pairs=list(pairs),
        loss=score_loss(config, config.label_rank_weight),
        score_weight=config.score_weight,
        feature_weight=config.feature_weight,
        label_share=config.label_share,
        severity_rank_weight=config.severity_rank_weight,
        margin=config.margin,
    )
