"""Where the faces of a batch are: given, searched outside the graph, or whole pictures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from facegauge.errors import PictureError, UsageError
from facegauge.faces.detection import MIN_FACE, Detector
from facegauge.faces.extraction import FaceExtractor
from facegauge.faces.located import Located
from facegauge.faces.policy import ExtractionPolicy
from facegauge.faces.spec import PreprocessSpec
from facegauge.faces.turning import turned_box, turned_marks
from facegauge.results import Box, Face, Point, Status

Boxes: TypeAlias = Tensor | np.ndarray[Any, Any] | Sequence[Face | None]
"""(N, 4) left, top, right and bottom of a face in each picture, in pixels, with nan for none; or
what `find_faces` returns."""

FACES = ("largest", "whole")
EXPECTED_BOXES = "boxes (N, 4) or a list of N faces, as find_faces returns it"


@dataclass(frozen=True, slots=True)
class Place:
    """Where the face of one picture is.

    Attributes:
        turn: by how many quarters the picture is turned counterclockwise, for an upright face.
        frame: the head-and-shoulders rectangle, in pixels of the turned picture.
        points: the five points, or none, in pixels of the turned picture.
    """

    turn: int
    frame: Box
    points: tuple[Point, ...]


class FaceFinder:
    """Frames one face of each picture, as `Scorer(faces="largest")` or `faces="whole"` does.

    Args:
        spec: the framing.
        faces: "largest" or "whole".
        landmarks: whether the five points are needed of whole pictures too.
        detector: finds the faces in (H, W, 3) uint8 RGB pixels; CenterFace by default.
        min_face: faces whose box's shorter side has fewer pixels are left out.

    Raises:
        UsageError: a value that is not one of these.
    """

    def __init__(
        self,
        spec: PreprocessSpec,
        *,
        faces: str = "largest",
        landmarks: bool = False,
        detector: Detector | None = None,
        min_face: float = MIN_FACE,
    ) -> None:
        if faces not in FACES:
            raise UsageError(f"expected faces to be {' or '.join(FACES)}, got {faces!r}")
        policy = ExtractionPolicy(faces, min_face, landmarks=landmarks)
        self._extractor = FaceExtractor(spec, policy, detector)
        self._searches = faces != "whole" or landmarks

    def places(self, images: Tensor, boxes: Boxes | None = None) -> list[Place | None]:
        """The place of each picture's face, None where there is none.

        Args:
            images: (N, 3, H, W) floats in 0..1, on any device.
            boxes: of the faces, in place of a search.

        Raises:
            UsageError: boxes of another shape or number.
        """
        if boxes is None and self._searches:
            located = self.search(images)
        else:
            given = [None] * len(images) if boxes is None else _faces_of(boxes, len(images))
            height, width = images.shape[2:]
            empty = Located("", width=width, height=height)
            located = [self._extractor.frame(empty, [face] if face else []) for face in given]
        return [_place(one) for one in located]

    def search(self, images: Tensor) -> list[Located]:
        """The pictures with their faces, searched in their 8-bit pixels; they keep no pixels.

        Raises:
            PictureError: the search has failed, as a detector of one's own may.
        """
        levels = (images.detach().float().clamp(0, 1) * 255).round().to(torch.uint8)
        pixels = levels.permute(0, 2, 3, 1).cpu().numpy()
        located = list(self._extractor.map(pixels, lambda one: replace(one, pixels=None)))
        for one in located:
            if one.status not in (Status.OK, Status.NO_FACE, Status.TOO_SMALL):
                raise PictureError(f"{one.name}: {one.message}", one.status.value)
        return located


def find_faces(
    images: Tensor, *, detector: Detector | None = None, min_face: float = MIN_FACE
) -> list[Face | None]:
    """The largest face of each picture, to be given as `boxes`.

    Faces found in reference pictures keep the frames of restored pictures still, and save the
    search in every step of a loop.

    Args:
        images: (N, 3, H, W) floats in 0..1, on any device.
        detector: finds the faces in (H, W, 3) uint8 RGB pixels; CenterFace by default.
        min_face: faces whose box's shorter side has fewer pixels are left out.

    Returns:
        N faces, None where none was found.

    Raises:
        UsageError: images of another shape, type or range.
    """
    check_images(images)
    finder = FaceFinder(PreprocessSpec(), detector=detector, min_face=min_face)
    return [one.faces[0] if one.faces else None for one in finder.search(images)]


def check_images(images: Tensor) -> None:
    """Refuse what is no batch of pictures with values in 0..1.

    Values a little outside are accepted: a network may give them, and saving a picture clips them.

    Raises:
        UsageError: says what was expected.
    """
    expected = "expected images (N, 3, H, W), floats in 0..1"
    if not isinstance(images, Tensor):
        raise UsageError(f"{expected}, got {type(images).__name__}")
    if images.ndim != 4 or images.shape[1] != 3 or 0 in images.shape[2:]:
        raise UsageError(f"{expected}, got a tensor of shape {tuple(images.shape)}")
    if not images.is_floating_point():
        raise UsageError(f"{expected}, got {images.dtype}; divide 8-bit pixels by 255")
    low, high = (float(end) for end in images.detach().aminmax()) if len(images) else (0.0, 1.0)
    if not -1 <= low <= high <= 2:  # nan too
        raise UsageError(f"{expected}, got values from {low:g} to {high:g}")


def _faces_of(boxes: Boxes, count: int) -> list[Face | None]:
    """Given boxes as faces."""
    if isinstance(boxes, Tensor | np.ndarray):
        if tuple(boxes.shape) != (count, 4):
            raise UsageError(
                f"expected {EXPECTED_BOXES}, for {count} pictures; got {tuple(boxes.shape)}"
            )
        edges: Iterable[list[float]] = boxes.tolist()
        return [None if np.isnan(four).any() else _face(four) for four in edges]
    faces = list(boxes)
    if len(faces) != count or not all(isinstance(face, Face | None) for face in faces):
        raise UsageError(f"expected {EXPECTED_BOXES}, for {count} pictures; got {len(faces)} items")
    return faces


def _face(edges: list[float]) -> Face:
    try:
        return Face(Box(*edges), 1.0)
    except ValueError as error:
        raise UsageError(f"expected {EXPECTED_BOXES}; {error}") from error


def _place(located: Located) -> Place | None:
    """The first face of a picture, upright."""
    if located.status is not Status.OK:
        return None
    turn, size = located.turns[0], (located.width, located.height)
    frame = turned_box(located.frames[0], turn, size)
    return Place(turn, frame, turned_marks(located.points[0], turn, size))
