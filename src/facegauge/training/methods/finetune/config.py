"""The settings of fine-tuning; `finetune.toml` has its preset."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from facegauge.data.label_scale import LabelScale
from facegauge.training.config import setting, table
from facegauge.training.init_from import Earlier
from facegauge.training.numbers import Count, Positive
from facegauge.training.settings import FitConfig, MethodConfig, ScoreLossConfig, SeverityRankConfig
from facegauge.training.view_settings import BatchPlan

PartOf = Annotated[float, Field(gt=0, lt=1)]


@table
class LabelsConfig:
    """The labels' own scale, for the card; lists are read with it."""

    low: float = setting("Label that became 0", default=0.0)
    high: float = setting("Label that became 1", default=1.0)
    name: str = setting("What the labels are called, such as MOS", default="label")

    @property
    def scale(self) -> LabelScale:
        return LabelScale(self.low, self.high, self.name)


@table
class SplitConfig:
    """How a list without a split column is divided."""

    val: PartOf = setting("Share of the people, or of the pictures, that become val", default=0.2)
    seed: Count = setting("Seed of the split", default=0)


@table
class FrozenConfig:
    """The head, trained on features that are computed once."""

    views: Positive = setting(
        "Views of a picture whose features are kept: as it is, mirrored, then shifted ones"
    )
    folds: Annotated[int, Field(ge=2)] = setting(
        "Parts of the training pictures, each of which judges a penalty once", default=5
    )


@table
class FinetuneConfig(MethodConfig, ScoreLossConfig, SeverityRankConfig):
    """Fine-tuning of a finished scorer with other labels."""

    method: ClassVar[str] = "finetune"

    start: Earlier = setting("Whose network is taken: a shipped scorer, or a scorer or run folder")
    labels: LabelsConfig = setting("The labels' own scale", default=LabelsConfig())
    faces: Literal["auto", "whole"] = setting(
        "auto: the largest face is searched, and a picture is taken whole where it is framed "
        "already, as scoring does; whole: every picture is a framed face",
        default="auto",
    )
    split: SplitConfig = setting("For lists without a split column", default=SplitConfig())
    frozen: FrozenConfig = setting("The head, while all other layers stay as they are")
    plan: BatchPlan = setting("What a batch holds while all layers learn")
    passes: Positive = setting(
        "Passes over the labelled pictures at most; every pass ends with a validation"
    )
    steady_norms: bool = setting(
        "Batch norms keep the statistics of the start instead of taking those of each batch",
        default=True,
    )
    fit: FitConfig = setting(
        "Optimisation of all layers; at most these steps, and `validate_every` follows from the "
        "passes"
    )

    def __post_init__(self) -> None:
        if not self.start:
            raise ValueError("expected start to name a scorer or a run folder, got nothing")
        if self.fit.epochs:
            raise ValueError("expected passes in place of fit.epochs")
        if not self.plan.labelled:
            raise ValueError("expected labelled views in the plan, got none")
