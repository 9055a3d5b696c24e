"""Settings of training views: how they are made, and how many of which kind a batch holds."""

from __future__ import annotations

from typing import ClassVar

from facegauge.training.config import setting, table
from facegauge.training.numbers import Count, Severity, Share


@table
class ViewsConfig:
    """How far a training view may depart from its picture."""

    RENAMED: ClassVar[dict[str, str]] = {
        "exact": "integer_shift_prob",
        "degraded": "degraded_fraction",
        "twice": "second_degradation_prob",
        "mixed": "mix_prob",
        "rising": "severity_range",
    }

    shift: Share = setting("Largest shift of the frame, as a share of its size", default=0.05)
    zoom: Share = setting("Largest change of the frame's size, as a share of it", default=0.06)
    mirror_prob: Share = setting("Probability that a view is mirrored", default=0.5)
    integer_shift_prob: Share = setting(
        "Probability that a view is moved by whole pixels only, so that a picture of the input's "
        "size is not resampled and keeps its hard pixel steps",
        default=0.6,
    )
    degraded_fraction: Share = setting("Share of distilled views that are degraded", default=0.5)
    second_degradation_prob: Share = setting(
        "Probability that a degraded view is degraded a second time", default=0.3
    )
    mix_prob: Share = setting(
        "Probability that a distilled view is mixed with another (mixup or CutMix)", default=0.0
    )
    severity_range: tuple[Severity, Severity] = setting(
        "Least and largest severity of the degraded copies in an ordered group", default=(0.5, 5.0)
    )

    def __post_init__(self) -> None:
        low, high = self.severity_range
        if low > high:
            raise ValueError(f"severity_range runs from {low} down to {high}; expected it to rise")


@table
class BatchPlan:
    """How many views of which kind a batch holds."""

    RENAMED: ClassVar[dict[str, str]] = {
        "free": "distilled",
        "best": "top_quartile_share",
        "portraits": "portrait_share",
    }

    labelled: Count = setting(
        "Labelled views, drawn without replacement within a pass over the labels", default=0
    )
    distilled: Count = setting("Views for the teacher to score, of all pictures", default=0)
    groups: Count = setting("Ordered groups of degraded copies, of all pictures", default=0)
    copies: Count = setting("Copies in an ordered group, the clean one among them", default=3)
    portrait_share: Share = setting(
        "Share of distilled views and groups drawn from pictures that are larger than the "
        "network's input; they are few and would otherwise hardly be seen",
        default=0.25,
    )
    top_quartile_share: Share = setting(
        "Share of the others drawn from the quarter of the labelled pictures with the highest "
        "labels, which are rare",
        default=0.0,
    )

    def __post_init__(self) -> None:
        if self.copies < 2 and (self.groups or self.copies):
            raise ValueError(
                f"expected copies of 2 or more, as one alone has no order, got {self.copies} in "
                f"{self.groups} groups"
            )
        if not self.views:
            raise ValueError("a batch would hold no views; expected labelled, distilled or groups")

    @property
    def views(self) -> int:
        """Views in a batch, of all kinds."""
        return self.labelled + self.distilled + self.groups * self.copies
