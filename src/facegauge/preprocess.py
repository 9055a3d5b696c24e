"""How a face becomes a tensor: the spec that travels with a scorer, and its one implementation."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from facegauge.errors import UsageError
from facegauge.results import Box, Face, Point

Pixels = npt.NDArray[np.uint8]
Tensor = npt.NDArray[np.float32]
Vector = npt.NDArray[np.float32]
Crop = tuple[Pixels, Vector]  # a face as the network sees it, and where its five points lie in it

FIVE = 10  # numbers in the vector of five points
LARGE = 1.5  # a frame that is this many times the input's size is scored in several crops, if asked
REACH = 0.03  # the most that a crop is moved, as a share of the frame


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


def frame_around(face: Face, spec: PreprocessSpec) -> Box:
    """The head-and-shoulders rectangle around a face, with the aspect ratio of the input.

    Its size is the geometric mean of what the face box's width and height ask for. It may reach
    beyond the picture; `sample` repeats the border there.
    """
    box = face.box
    by_width = box.width / spec.face_width / spec.width
    by_height = box.height / spec.face_height / spec.height
    scale = (by_width * by_height) ** 0.5
    width, height = spec.width * scale, spec.height * scale
    left = (box.left + box.right) / 2 - spec.center_x * width
    top = (box.top + box.bottom) / 2 - spec.center_y * height
    return Box(left, top, left + width, top + height)


def is_framed(frame: Box, width: int, height: int, spec: PreprocessSpec) -> bool:
    """Whether a picture of this size already is, within the tolerance, the frame."""
    near = spec.framed_tolerance
    return (
        max(abs(frame.left), abs(frame.right - width)) <= near * frame.width
        and max(abs(frame.top), abs(frame.bottom - height)) <= near * frame.height
    )


def main_frame(largest: Face, width: int, height: int, spec: PreprocessSpec) -> Box:
    """The frame of a picture's largest face: the whole picture when it is framed already."""
    frame = frame_around(largest, spec)
    return Box(0, 0, width, height) if is_framed(frame, width, height, spec) else frame


def crop_frames(frame: Box, spec: PreprocessSpec) -> tuple[Box, ...]:
    """What of a face is scored: its frame; of a large face the frame moved a little, several times.

    Sampling without anti-aliasing reads a few of a large face's pixels, so that its score depends
    on which. DSL-FIQA (arXiv 2406.09622) averages over 20 crops at random places; here they are
    fixed shares of the frame's size, so that the same picture always has the same score, and the
    first is the frame itself (our choice).

    Returns:
        `spec.crops` frames where the frame is at least `LARGE` times the input's size, else one.
    """
    if spec.crops == 1 or frame.width < LARGE * spec.width or frame.height < LARGE * spec.height:
        return (frame,)
    places = (0.5 + np.outer(np.arange(spec.crops), (0.75487767, 0.56984029))) % 1  # spread evenly
    moves = (2 * places - 1) * REACH * (frame.width, frame.height)
    return tuple(
        Box(frame.left + x, frame.top + y, frame.right + x, frame.bottom + y)
        for x, y in moves.tolist()
    )


def sample(pixels: Pixels, frame: Box, spec: PreprocessSpec) -> Pixels:
    """Bicubic interpolation of the frame at the input's size.

    Args:
        pixels: (H, W, 3), RGB.
        frame: in the picture's pixel coordinates; beyond the border the border is repeated.
        spec: size and anti-aliasing.

    Returns:
        (spec.height, spec.width, 3) uint8. A frame of exactly the input's size at whole pixels
        comes back unchanged.
    """
    rows = _taps(frame.top, frame.bottom, spec.height, pixels.shape[0], spec.antialias)
    columns = _taps(frame.left, frame.right, spec.width, pixels.shape[1], spec.antialias)
    first, last = columns[0].min(), columns[0].max() + 1
    strip = _weigh(pixels[:, first:last], *rows)
    out = _weigh(strip.swapaxes(0, 1), columns[0] - first, columns[1]).swapaxes(0, 1)
    return np.clip(np.rint(out), 0, 255).astype(np.uint8)


def to_tensor(sampled: Pixels, spec: PreprocessSpec) -> Tensor:
    """(H, W, 3) uint8 to the normalised (3, H, W) float32 that the network reads."""
    mean = np.asarray(spec.mean, np.float32) * 255
    std = np.asarray(spec.std, np.float32) * 255
    return np.ascontiguousarray(((sampled.astype(np.float32) - mean) / std).transpose(2, 0, 1))


def five_points(points: Sequence[Point], frame: Box) -> Vector:
    """Where five points lie in a frame.

    Args:
        points: of a `Face`, in the picture's pixels; or none.
        frame: what the network sees, in the same pixels.

    Returns:
        (10,) x and y of each point: -1 at the left and upper edge of the frame, 1 at the right and
        lower one, beyond that outside. Zeros when there are no points.

    Raises:
        UsageError: there are some, but not five.
    """
    if not len(points):
        return np.zeros(FIVE, np.float32)
    if len(points) != 5:
        raise UsageError(f"expected five points or none, got {len(points)}")
    places = np.asarray(points, float) - (frame.left, frame.top)
    return (2 * places / (frame.width, frame.height) - 1).astype(np.float32).reshape(FIVE)


def face_crops(
    pixels: Pixels, frame: Box, points: Sequence[Point], spec: PreprocessSpec
) -> tuple[Crop, ...]:
    """What the network sees of one face: a crop for each of its `crop_frames`."""
    return tuple(
        (sample(pixels, crop, spec), five_points(points, crop)) for crop in crop_frames(frame, spec)
    )


def _taps(
    start: float, stop: float, count: int, limit: int, antialias: bool
) -> tuple[npt.NDArray[np.intp], Tensor]:
    """Source indices (count, k) and weights (count, k) of cubic interpolation along one axis."""
    scale = (stop - start) / count
    stretch = max(1.0, scale) if antialias else 1.0
    centers = start + (np.arange(count) + 0.5) * scale - 0.5
    reach = int(np.ceil(2 * stretch))
    indices = np.floor(centers).astype(np.intp)[:, None] + np.arange(1 - reach, reach + 1)
    weights = _cubic(np.abs(centers[:, None] - indices) / stretch)
    weights /= weights.sum(1, keepdims=True)
    return np.clip(indices, 0, limit - 1), weights.astype(np.float32)


def _cubic(x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Keys' cubic kernel with a = -0.75, as OpenCV and torch use it."""
    a = -0.75
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
    return np.where(x <= 1, near, np.where(x < 2, far, 0.0))


def _weigh(pixels: npt.NDArray[Any], indices: npt.NDArray[np.intp], weights: Tensor) -> Tensor:
    """Weighted sums along the first axis: (N, ...) -> (count, ...)."""
    total = np.zeros((len(indices), *pixels.shape[1:]), np.float32)
    for tap in np.flatnonzero(weights.any(0)):  # one of them where nothing is resampled
        total += pixels[indices[:, tap]] * weights[:, tap].reshape(-1, *[1] * (pixels.ndim - 1))
    return total
