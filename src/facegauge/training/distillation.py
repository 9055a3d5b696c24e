"""From teachers to a light student by way of a pool: what the recipes that distil share."""

from __future__ import annotations

from collections.abc import Sequence

from facegauge.errors import UsageError
from facegauge.faces.spec import PreprocessSpec
from facegauge.nn.backbones import TAPS
from facegauge.nn.regressor import Regressor
from facegauge.training.context import Job, Settings, score_loss
from facegauge.training.inputs.views import BatchPlan
from facegauge.training.objectives import Distilled
from facegauge.training.teacher_cache import Pool, make_pool


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


def check_names(what: str, names: Sequence[str], there: Settings) -> None:
    """Refuse a list of teachers that is empty or has a name without numbers.

    Raises:
        UsageError: it is one.
    """
    if not names or not set(names) <= set(there):
        raise UsageError(f"expected {what} to name some of {', '.join(there)}, got {list(names)}")


def check_pairs(student: Settings, teacher: str) -> None:
    """Refuse `pairs` of maps that student or teacher do not have.

    Args:
        student: its numbers, with `backbone` and `pairs`.
        teacher: the backbone of the one whose maps are imitated.

    Raises:
        UsageError: a backbone is not known, or a pair is not one of their maps.
    """
    for backbone in (student["backbone"], teacher):
        if backbone not in TAPS:
            raise UsageError(f"unknown backbone {backbone!r}; there are {', '.join(TAPS)}")
    ours, theirs = TAPS[student["backbone"]], TAPS[teacher]
    for pair in student["pairs"]:
        if len(pair) != 2 or pair[0] not in ours or pair[1] not in theirs:
            raise UsageError(
                f"expected pairs of a map of {student['backbone']} ({', '.join(ours)}) and one of "
                f"{teacher} ({', '.join(theirs)}), got {pair}"
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
