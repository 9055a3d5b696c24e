"""From teachers to a light student by way of a pool: what the recipes that distil share."""

from __future__ import annotations

from collections.abc import Sequence

from facegauge.preprocess import PreprocessSpec
from facegauge.training.job import Job, Settings, score_loss
from facegauge.training.networks.regressor import Regressor
from facegauge.training.objectives import Distilled
from facegauge.training.pool import Pool, make_pool
from facegauge.training.views import BatchPlan


def fill_pool(
    job: Job,
    teachers: Sequence[Regressor],
    students: Sequence[Settings],
    size: PreprocessSpec | None = None,
) -> Pool:
    """Views of the job's pictures, what the teachers score them, and the maps to be imitated.

    Args:
        teachers: their scores are averaged; the maps are the first one's.
        students: the numbers of those who will learn from the pool; their `pairs` name the maps.
        size: of the views that the teachers look at; the students' unless given.
    """
    numbers = job.settings["pool"]
    return make_pool(
        job.out / "pool",
        job.maker,
        BatchPlan(**numbers["plan"]),
        batches=numbers["batches"],
        seed=numbers["seed"],
        teachers=teachers,
        taps=sorted({theirs for student in students for _, theirs in student["pairs"]}),
        size=size,
        workers=job.settings["workers"],
        say=job.say,
    )


def distilled(job: Job, pool: Pool, student: Regressor, numbers: Settings) -> Distilled:
    """What a student learns from a pool, by its numbers."""
    return Distilled(
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
