"""The preprocessing spec that is stored with a scorer: framing, sampling and normalisation."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from facegauge.errors import UsageError

RANGES: dict[str, tuple[Any, float, float]] = {
    "width": (int, 1, 4096),
    "height": (int, 1, 4096),
    "face_width": (int | float, 0.01, 1),
    "face_height": (int | float, 0.01, 1),
    "center_x": (int | float, 0, 1),
    "center_y": (int | float, 0, 1),
    "framed_tolerance": (int | float, 0, 1),
    "crops": (int, 1, 100),
    "aspect": (int | float, 0, 10),
    "crop_pct": (int | float, 0.1, 1),
    "dense_landmarks": (int, 0, 5000),
}
INTERPOLATIONS = ("bicubic", "bilinear")
CROP_MODES = ("squash", "crop")
# fields that facegauge 0.2 does not have
LATER = ("interpolation", "aspect", "crop_mode", "crop_pct", "dense_landmarks")
MAX_NORM, MIN_STD = 1000.0, 1e-6


@dataclass(frozen=True, slots=True)
class PreprocessSpec:
    """Framing, sampling and normalisation of a scorer's input.

    The framing defaults are medians, measured with the built-in detector on the labelled CelebA
    crops of the VQualA 2025 challenge. Those crops were sampled from their originals without
    anti-aliasing, and a scorer trained on them uses the resulting pixel steps as a sign of
    resolution. So the sampling must be the same in training and scoring, and is part of the spec.

    Attributes:
        width: of the network's input, in pixels, 1..4096.
        height: of the network's input, in pixels, 1..4096.
        face_width: width of the face box as a fraction of the frame's width, 0.01..1.
        face_height: height of the face box as a fraction of the frame's height, 0.01..1.
        center_x: horizontal position of the face box's centre in the frame, 0..1.
        center_y: vertical position of the face box's centre in the frame, 0..1.
        framed_tolerance: a picture counts as already framed if each of its edges lies at most
            this far from the frame around its largest face, as a fraction 0..1 of the frame's size.
        interpolation: "bicubic" or "bilinear".
        antialias: True: shrink with a filter as wide as the factor; False: sample points.
        mean: per RGB channel, of pixels in 0..1.
        std: per RGB channel, of pixels in 0..1; positive.
        crops: number of crops that a score is averaged over, 1..100: of large faces, or of all
            with a `crop_pct` below 1; see `crop_frames`.
        aspect: width over height of the frame around a face, 0..10; 0: that of the input.
        crop_mode: how a frame becomes the input, with the names of timm. "squash": it is stretched
            to the input, so that shapes change if its aspect ratio is another. "crop": it is
            resized until it covers the input, which is then cut out of it; shapes stay.
        crop_pct: with "crop", the input's size over that of the resized frame, 0.1..1: at 384 / 512
            an input of 384 x 384 is cut out of a square frame at 512 x 512.
        dense_landmarks: length of the vector of dense landmarks that the network is told of each
            crop, 0..5000, see `dense_landmarks.dense_vector`; 0: the five points, if any.

    Raises:
        UsageError: a value is of another type or out of its range.
    """

    width: int = 178
    height: int = 218
    face_width: float = 0.485
    face_height: float = 0.536
    center_x: float = 0.508
    center_y: float = 0.579
    framed_tolerance: float = 0.15
    interpolation: str = "bicubic"
    antialias: bool = False
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    crops: int = 1
    aspect: float = 0.0
    crop_mode: str = "squash"
    crop_pct: float = 1.0
    dense_landmarks: int = 0

    def __post_init__(self) -> None:
        for name, (kind, low, high) in RANGES.items():
            value = getattr(self, name)
            if not isinstance(value, kind) or isinstance(value, bool) or not low <= value <= high:
                number = "a whole number" if kind is int else "a number"
                raise UsageError(
                    f"expected {name} to be {number} from {low} to {high}, got {_shown(value)}"
                )
        for name, names in (("interpolation", INTERPOLATIONS), ("crop_mode", CROP_MODES)):
            if getattr(self, name) not in names:
                raise UsageError(
                    f"expected {name} to be {' or '.join(names)}, got {_shown(getattr(self, name))}"
                )
        if self.crop_pct < 1 and self.crop_mode != "crop":
            raise UsageError(
                f"a crop_pct of {self.crop_pct:g} needs the crop_mode crop, got {self.crop_mode}"
            )
        if not isinstance(self.antialias, bool):
            raise UsageError(f"expected antialias to be true or false, got {self.antialias!r:.40}")
        for name, low in (("mean", -MAX_NORM), ("std", MIN_STD)):
            values = getattr(self, name)
            if (
                not isinstance(values, list | tuple)
                or len(values) != 3
                or not all(isinstance(v, int | float) and low <= v <= MAX_NORM for v in values)
            ):
                raise UsageError(
                    f"expected {name} to be three numbers from {low:g} to {MAX_NORM:g}, got "
                    f"{_shown(values)}"
                )
            object.__setattr__(self, name, tuple(values))  # JSON and TOML give lists

    def to_json(self) -> str:
        """The spec as one line of JSON.

        Fields of later versions are left out at their default, so that a network's fingerprint,
        which covers this text, is what it was.
        """
        fields = asdict(self)
        for name in LATER:
            if fields[name] == getattr(type(self)(), name):
                del fields[name]
        return json.dumps(fields)

    @classmethod
    def from_json(cls, text: str) -> PreprocessSpec:
        """Read a spec written by `to_json`; missing fields get their defaults.

        Raises:
            ValueError: the text is not JSON.
            TypeError: a field is unknown.
            UsageError: a value is of another type or out of its range.
        """
        return cls(**json.loads(text))


def _shown(value: object) -> str:
    """A value on one short line."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
