"""The preprocessing spec that travels with a scorer: framing, sampling and normalisation."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from facegauge.errors import UsageError


@dataclass(frozen=True, slots=True)
class PreprocessSpec:
    """Framing, sampling and normalisation of a scorer's input.

    The framing defaults are medians measured with the built-in detector on the labelled CelebA
    crops of the VQualA 2025 challenge. Those crops were sampled from their originals without
    anti-aliasing, and a scorer trained on them reads resolution from the hard pixel steps that
    this leaves; so sampling is a part of the spec and not a detail.

    Attributes:
        width, height: of the network's input, in pixels.
        face_width, face_height: the face box's share of the frame's width and height.
        center_x, center_y: where the face box's centre lies in the frame, 0..1.
        framed_tolerance: a picture whose border lies this close to the frame around its only
            face, as a share of the frame's size on every side, counts as already framed.
        antialias: shrink with a filter that grows with the factor (True), or sample points (False).
        mean, std: per RGB channel, for pixels scaled to 0..1.
        crops: a large face's score is the mean over so many crops, see `crop_frames`.

    Raises:
        UsageError: crops below 1.
    """

    width: int = 178
    height: int = 218
    face_width: float = 0.485
    face_height: float = 0.536
    center_x: float = 0.508
    center_y: float = 0.579
    framed_tolerance: float = 0.15
    antialias: bool = False
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    crops: int = 1

    def __post_init__(self) -> None:
        if self.crops < 1:
            raise UsageError(f"expected crops to be 1 or more, got {self.crops}")
        for name in ("mean", "std"):  # lists where they come from JSON or TOML
            object.__setattr__(self, name, tuple(getattr(self, name)))

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> PreprocessSpec:
        return cls(**json.loads(text))
