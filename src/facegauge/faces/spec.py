"""The preprocessing spec that is stored with a scorer: framing, sampling and normalisation."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from facegauge.errors import UsageError


@dataclass(frozen=True, slots=True)
class PreprocessSpec:
    """Framing, sampling and normalisation of a scorer's input.

    The framing defaults are medians, measured with the built-in detector on the labelled CelebA
    crops of the VQualA 2025 challenge. Those crops were sampled from their originals without
    anti-aliasing, and a scorer trained on them uses the resulting pixel steps as a sign of
    resolution. So the sampling must be the same in training and scoring, and is part of the spec.

    Attributes:
        width: of the network's input, in pixels.
        height: of the network's input, in pixels.
        face_width: width of the face box as a fraction of the frame's width.
        face_height: height of the face box as a fraction of the frame's height.
        center_x: horizontal position of the face box's centre in the frame, 0..1.
        center_y: vertical position of the face box's centre in the frame, 0..1.
        framed_tolerance: a picture counts as already framed if each of its edges lies at most
            this far from the frame around its largest face, as a fraction of the frame's size.
        antialias: True: shrink with a filter as wide as the factor; False: sample points.
        mean: per RGB channel, of pixels in 0..1.
        std: per RGB channel, of pixels in 0..1.
        crops: number of crops that a large face's score is averaged over, see `crop_frames`.

    Raises:
        UsageError: `crops` is below 1.
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
        for name in ("mean", "std"):  # JSON and TOML give lists
            object.__setattr__(self, name, tuple(getattr(self, name)))

    def to_json(self) -> str:
        """The spec as one line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> PreprocessSpec:
        """Read a spec written by `to_json`; missing fields get their defaults.

        Raises:
            ValueError: the text is not JSON.
            TypeError: a field is unknown.
        """
        return cls(**json.loads(text))
