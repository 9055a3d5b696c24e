"""The teacher cache of a run: what recipes with a student have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from facegauge.faces.spec import PreprocessSpec
from facegauge.nn.regressor import Regressor
from facegauge.training.cache_files import TeacherCache
from facegauge.training.context import TrainingContext
from facegauge.training.rehearsal import BATCHES, current
from facegauge.training.settings import Pairs, TeacherCacheConfig
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
    folder, rehearsal = context.out / "teacher_cache", current()
    make = partial(
        make_teacher_cache,
        folder,
        context.maker,
        teachers=teachers,
        taps=sorted({theirs for _, theirs in pairs}),
        teacher_spec=teacher_spec,
        workers=context.config.workers,
    )
    if rehearsal is None:
        return make(config)
    with rehearsal.cache(folder, config.batches):
        return make(replace(config, batches=min(config.batches, BATCHES)))
