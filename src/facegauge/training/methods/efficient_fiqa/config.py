"""The settings of Efficient-FIQA; `efficient_fiqa.toml` has its presets."""

from __future__ import annotations

from typing import ClassVar, Literal

from facegauge.training.config import setting, table
from facegauge.training.geometry import InputConfig
from facegauge.training.init_from import Earlier
from facegauge.training.numbers import Weight
from facegauge.training.settings import (
    BackboneConfig,
    DistillationConfig,
    FitConfig,
    HeadConfig,
    LossConfig,
    MethodConfig,
    NetworkConfig,
    Pairs,
    PseudoLabelConfig,
    SeverityRankConfig,
    TeacherCacheConfig,
    check_names,
    check_pairs,
)
from facegauge.training.view_settings import BatchPlan


@table
class TeacherConfig(HeadConfig, LossConfig, SeverityRankConfig):
    """The teacher T: what its members have in common."""

    members: tuple[str, ...] = setting("Names in [teachers]; their scores are averaged")
    input: InputConfig | None = setting("What the teacher sees; the run's input unless given",
                                        default=None)  # fmt: skip
    plan: BatchPlan = setting("What a batch holds")


@table
class TeacherMemberConfig(BackboneConfig):
    """One member of the teacher."""

    RENAMED: ClassVar[dict[str, str]] = {"rank_weight": "label_rank_weight"}

    label_rank_weight: Weight = setting(
        "Weight of a loss on the order of every pair of labels", default=0.0
    )
    fit: FitConfig = setting("Its optimisation; with 0 steps it is taken as it starts")


@table
class TeacherPlusConfig:
    """The retrained teacher T+: every member of T continues."""

    RENAMED: ClassVar[dict[str, str]] = {"start": "init_from"}

    init_from: Earlier = setting(
        'An earlier T+, whose members are taken by name: a scorer or run folder; "" for T',
        default="",
    )
    plan: BatchPlan = setting("What a batch holds")
    fit: FitConfig = setting("Optimisation; the members' seeds count up from this one")


@table
class StudentConfig(NetworkConfig, DistillationConfig):
    """The student."""

    learns: Literal["labels", "a", "b"] = setting(
        "Labels alone; labels and set A; or labels and both sets", default="b"
    )
    pairs: Pairs = setting(
        "Which map of the student imitates which map of the teacher's first member, of equal "
        "stride",
        default=(),
    )
    plan: BatchPlan = setting("What a batch holds, where there is no teacher cache")
    fit: FitConfig = setting("Optimisation")


@table
class EfficientFiqaConfig(MethodConfig):
    """The settings of Efficient-FIQA (arXiv 2507.15709)."""

    method: ClassVar[str] = "efficient_fiqa"

    input: InputConfig = setting("What the student sees")
    label: PseudoLabelConfig = setting("How sets A and B are labelled", default=PseudoLabelConfig())
    teacher: TeacherConfig = setting("The teacher T")
    teachers: dict[str, TeacherMemberConfig] = setting("Networks that can be members of T, by name")
    teacher_plus: TeacherPlusConfig = setting("The retrained teacher T+")
    teacher_cache: TeacherCacheConfig | None = setting(
        "The views that T+ scores once, and the student learns from; without, the student learns "
        "labels and pseudo-labels alone",
        default=None,
    )
    student: StudentConfig = setting("The student")

    @property
    def teacher_input(self) -> InputConfig:
        """What the teacher sees."""
        return self.teacher.input or self.input

    def __post_init__(self) -> None:
        members = self.teacher.members
        check_names("teacher.members", members, self.teachers)
        if self.teacher_cache and self.student.learns != "labels":
            first, student = self.teachers[members[0]].backbone, self.student
            check_pairs("student.pairs", student.pairs, student.backbone, first)
