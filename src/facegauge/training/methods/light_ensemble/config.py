"""The settings of the light ensemble; `light_ensemble.toml` has its presets."""

from __future__ import annotations

from typing import ClassVar

from facegauge.training.config import setting, table
from facegauge.training.geometry import InputConfig
from facegauge.training.settings import (
    Backbone,
    DistillationConfig,
    FitConfig,
    HeadConfig,
    InitConfig,
    MethodConfig,
    NetworkConfig,
    Pairs,
    ScoreLossConfig,
    SeverityRankConfig,
    TeacherCacheConfig,
    check_names,
    check_pairs,
)
from facegauge.training.view_settings import BatchPlan


@table
class TeacherConfig(NetworkConfig, ScoreLossConfig, SeverityRankConfig):
    """One teacher: it learns the labels and the order of degraded copies."""

    plan: BatchPlan = setting("What a batch holds")
    fit: FitConfig = setting("Its optimisation; with 0 steps it is taken as it starts")


@table
class CacheConfig(TeacherCacheConfig):
    """The views that the teachers score once, and the members learn from."""

    teachers: tuple[str, ...] = setting(
        "Names in [teachers]: their scores are averaged; the maps are the first one's"
    )


@table
class StudentConfig(InitConfig, HeadConfig, DistillationConfig):
    """What the members have in common."""

    plan: BatchPlan = setting(
        "What a batch holds, without teachers; with them, the plan is the cache's",
        default=BatchPlan(labelled=64),
    )


@table
class MemberConfig:
    """One light network."""

    pairs: Pairs = setting(
        "Which map of the member imitates which map of the first teacher, of equal stride",
        default=(),
    )
    fit: FitConfig = setting("Its optimisation")


@table
class LightEnsembleConfig(MethodConfig):
    """The settings of the light ensemble (arXiv 2509.10114)."""

    method: ClassVar[str] = "light_ensemble"

    input: InputConfig = setting("What every network sees")
    flip: bool = setting("Also score the mirrored picture; doubles the cost", default=False)
    teachers: dict[str, TeacherConfig] = setting("Teachers, by name; without, labels alone teach",
                                                 default={})  # fmt: skip
    teacher_cache: CacheConfig | None = setting("Needed with teachers", default=None)
    student: StudentConfig = setting("What the members have in common")
    members: dict[Backbone, MemberConfig] = setting("The light networks, by their backbone's name")

    @property
    def scores_unlabelled(self) -> bool:
        """Whether a teacher, or the order of degraded copies, needs no labels of some views."""
        plans = [] if self.teacher_cache is None else [self.teacher_cache.plan]
        plans += [teacher.plan for teacher in self.teachers.values() if teacher.fit.trains]
        return any(plan.distilled or plan.groups for plan in plans)

    def __post_init__(self) -> None:
        if not self.members:
            raise ValueError("expected one or more [members], got none")
        if bool(self.teachers) != (self.teacher_cache is not None):
            raise ValueError("expected both teachers and teacher_cache, or neither of them")
        if self.teacher_cache is None:
            return
        names = self.teacher_cache.teachers
        check_names("teacher_cache.teachers", names, self.teachers)
        for name, member in self.members.items():
            backbone = self.teachers[names[0]].backbone
            check_pairs(f"members.{name}.pairs", member.pairs, name, backbone)
