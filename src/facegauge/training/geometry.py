"""The settings of a network's input: size, framing, how a frame becomes the input, sampling."""

from __future__ import annotations

from dataclasses import asdict, is_dataclass, replace
from typing import Annotated, Any, Literal

from pydantic import Field

from facegauge.data.framing import Framing
from facegauge.faces.spec import PreprocessSpec
from facegauge.training.config import setting, table
from facegauge.training.numbers import AboveZero, Positive, Share, Weight

SPEC = PreprocessSpec()


@table
class InputConfig:
    """What a network sees of a face: size, framing and normalisation; see `PreprocessSpec`."""

    width: Positive = setting("Width of the network's input, in pixels")
    height: Positive = setting("Height of the network's input, in pixels")
    face_width: AboveZero = setting(
        "Width of the face box, as a share of the frame's", default=SPEC.face_width
    )
    face_height: AboveZero = setting(
        "Height of the face box, as a share of the frame's", default=SPEC.face_height
    )
    center_x: Share = setting(
        "Where the face box's centre lies across the frame", default=SPEC.center_x
    )
    center_y: Share = setting(
        "Where the face box's centre lies down the frame", default=SPEC.center_y
    )
    framed_tolerance: Weight = setting(
        "A picture counts as framed already if its border lies this close to the face's frame, as "
        "a share of the frame's size",
        default=SPEC.framed_tolerance,
    )
    aspect: Annotated[float, Field(ge=0, le=10)] = setting(
        "Width over height of the frame around a face; 0: that of the input", default=SPEC.aspect
    )
    crop_mode: Literal["squash", "crop"] = setting(
        "How a frame becomes the input: stretched to it, which changes shapes if its aspect ratio "
        "is another; or resized until it covers the input, which is cut out of it: in training at "
        "a random place, in scoring in the middle",
        default=SPEC.crop_mode,
    )
    crop_pct: Annotated[float, Field(ge=0.1, le=1)] = setting(
        "Size of the input over that of the resized frame that it is cut out of",
        default=SPEC.crop_pct,
    )
    interpolation: Literal["bicubic", "bilinear"] = setting(
        "How pixels are interpolated", default="bicubic"
    )
    antialias: bool = setting(
        "Shrink with a filter that grows with the factor, instead of sampling points",
        default=SPEC.antialias,
    )
    mean: tuple[float, float, float] = setting(
        "Mean per RGB channel, subtracted from pixels in 0..1", default=SPEC.mean
    )
    std: tuple[AboveZero, AboveZero, AboveZero] = setting(
        "Standard deviation per RGB channel, by which pixels are divided",
        default=SPEC.std,
    )
    crops: Positive = setting(
        "Crops over which a score is averaged: of a large face, or of every face with a crop_pct "
        "below 1, at fixed places",
        default=SPEC.crops,
    )

    def __post_init__(self) -> None:
        if self.crop_pct < 1 and self.crop_mode != "crop":
            raise ValueError(
                f"expected crop_mode crop with a crop_pct below 1, got {self.crop_mode}"
            )

    @property
    def spec(self) -> PreprocessSpec:
        return PreprocessSpec(**vars(self))


def with_framing(config: Any, framing: Framing) -> Any:
    """Settings whose networks see faces as a data set frames them: every input, of all tables.

    Args:
        config: the settings of a method.
        framing: measured, see `data.framing`.
    """
    if isinstance(config, InputConfig):
        return replace(config, **asdict(framing))
    if isinstance(config, dict):
        return {name: with_framing(each, framing) for name, each in config.items()}
    if not (is_dataclass(config) and hasattr(type(config), "__pydantic_fields__")):
        return config
    changed = {name: with_framing(value, framing) for name, value in vars(config).items()}
    return replace(config, **changed)  # type: ignore[type-var]
