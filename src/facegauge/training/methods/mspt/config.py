"""The settings of MSPT; `mspt.toml` has its presets."""

from __future__ import annotations

from typing import ClassVar

from facegauge.data.degradations import DEGRADATIONS
from facegauge.training.config import setting, table
from facegauge.training.config_errors import either
from facegauge.training.geometry import InputConfig
from facegauge.training.numbers import Count, Positive, Severity, Share
from facegauge.training.settings import (
    FitConfig,
    MethodConfig,
    NetworkConfig,
    PseudoLabelConfig,
    ScoreLossConfig,
    SeverityRankConfig,
)


@table
class SourceCounts:
    """A number for each source of pictures."""

    labelled: Count = setting("Of labelled pictures", default=0)
    unlabelled: Count = setting("Of faces from other sources, with pseudo-labels", default=0)
    portraits: Count = setting("Of faces cut out of large portraits, with pseudo-labels", default=0)

    def __getitem__(self, source: str) -> int:
        count: int = getattr(self, source)
        return count

    @property
    def total(self) -> int:
        return sum(self[source] for source in SOURCES)


SOURCES = tuple(SourceCounts.__annotations__)


@table
class StageConfig:
    """One stage; it continues from the last one's best weights."""

    input: InputConfig = setting("What the network sees in this stage")
    views: SourceCounts = setting("Labelled views of each source in a batch")
    groups: SourceCounts = setting(
        "Ordered groups of degraded copies of each source in a batch", default=SourceCounts()
    )
    fit: FitConfig = setting("Optimisation; with 0 steps the stage is left out")

    def __post_init__(self) -> None:
        if not self.views.total:
            raise ValueError(f"a stage needs views; expected some of {either(SOURCES)}, got none")

    def pixels(self, copies: int) -> int:
        """The pixels that training this stage shows to the network: its cost.

        Args:
            copies: in an ordered group.
        """
        views = self.views.total + copies * self.groups.total
        return self.fit.steps * views * self.input.width * self.input.height


@table
class PortraitsConfig:
    """How portraits become training pictures: the face is cut out, and degraded copies are made."""

    RENAMED: ClassVar[dict[str, str]] = {"severity": "severity_range", "width": "max_width"}

    copies: Count = setting("Degraded copies of each face, each of another kind", default=3)
    kinds: tuple[str, ...] = setting(
        "Degradations to draw from, see `facegauge degrade`", default=tuple(DEGRADATIONS)
    )
    severity_range: tuple[Severity, Severity] = setting(
        "Least and largest severity of a copy", default=(0.5, 5.0)
    )
    max_width: Positive = setting("Width in pixels to which wider faces are shrunk first")
    seed: Count = setting("Seed of kinds, severities and noise", default=0)

    def __post_init__(self) -> None:
        unknown = sorted(set(self.kinds) - set(DEGRADATIONS))
        if unknown:
            raise ValueError(f"expected kinds to be of {either(DEGRADATIONS)}, got {unknown[0]!r}")
        if self.copies > len(set(self.kinds)):
            raise ValueError(
                f"expected at least {self.copies} kinds for {self.copies} copies, got "
                f"{len(set(self.kinds))}"
            )
        low, high = self.severity_range
        if low > high:
            raise ValueError(f"severity_range runs from {low} down to {high}; expected it to rise")


@table
class ObjectiveConfig(ScoreLossConfig, SeverityRankConfig):
    """What every stage learns."""

    RENAMED: ClassVar[dict[str, str]] = {"large": "portrait_share"}

    copies: Positive = setting("Copies in an ordered group, the clean one among them", default=3)
    portrait_share: Share = setting(
        "Fraction of the groups drawn from pictures that are larger than the network's input, "
        "where there are any",
        default=0.7,
    )

    def __post_init__(self) -> None:
        if self.severity_rank_weight and self.copies < 2:
            raise ValueError(
                "expected copies of 2 or more with a severity_rank_weight, as one alone has no "
                f"order, got {self.copies}"
            )


@table
class MsptConfig(MethodConfig):
    """The settings of MSPT (arXiv 2508.07590)."""

    method: ClassVar[str] = "mspt"
    RENAMED: ClassVar[dict[str, str]] = {"single": "single_stage", "held_out": "max_held_out"}

    replay: bool = setting(
        "Every stage also sees the earlier stages' sources; false is a baseline", default=True
    )
    single_stage: bool = setting(
        "Baseline: one stage, all sources at the last input size, at the cost of all stages",
        default=False,
    )
    max_held_out: Positive = setting(
        "Held-out pictures of a source, at most, on which weights are chosen", default=1000
    )
    label: PseudoLabelConfig = setting(
        "How the teacher labels pictures", default=PseudoLabelConfig()
    )
    portraits: PortraitsConfig = setting("How portraits become training pictures")
    network: NetworkConfig = setting("The network")
    objective: ObjectiveConfig = setting("What every stage learns")
    stages: dict[str, StageConfig] = setting("The stages by name, in the order in which they run")

    def __post_init__(self) -> None:
        if not any(stage.fit.trains for stage in self.stages.values()):
            raise ValueError("expected one or more stages with fit.steps or fit.epochs, got none")
        if self.single_stage and any(stage.fit.epochs for stage in self.stages.values()):
            raise ValueError(
                "expected fit.steps in every stage with single_stage, which counts their cost, got "
                "fit.epochs"
            )
