"""The option for labels on another scale than 0 to 1; the scale is `facegauge.data.label_scale`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from facegauge.cli.terminal import say

if TYPE_CHECKING:
    from facegauge.data.label_scale import LabelScale

Scale = Annotated[
    str | None,
    typer.Option(
        "--scale",
        metavar="LOW,HIGH",
        help="Labels that become 0 and 1, such as 1,5  [default: 0,1]",
        show_default=False,
    ),
]


def scale_of(text: str | None) -> LabelScale:
    """The scale that `--scale` gives; of another than 0 to 1 the terminal is told.

    Raises:
        UsageError: it is no scale.
    """
    from facegauge.data.label_scale import UNIT, LabelScale

    return UNIT if text is None else told(LabelScale.parse(text))


def told(scale: LabelScale) -> LabelScale:
    """The same scale; the terminal is told what becomes of labels."""
    if not scale.is_unit:
        say(f"labels from {scale.low:g} to {scale.high:g} become 0 to 1")
    return scale
