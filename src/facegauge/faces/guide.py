"""What a network may be told of a face beside its pixels: its five points and its size."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from facegauge.arrays import FloatArray, Pixels
from facegauge.faces.dense_landmarks import dense_vector
from facegauge.faces.landmarks import LANDMARK_SIZE, landmark_vector, mirror_landmarks
from facegauge.faces.spec import PreprocessSpec
from facegauge.results import Box, Point


def guide_vector(
    points: Sequence[Point], frame: Box, spec: PreprocessSpec, *, whole: bool = False
) -> FloatArray:
    """What is told of a face's landmarks, see `landmarks_in`, then its size.

    Args:
        points: five, or dense landmarks where the spec asks for them; or none.
        frame: the part of the picture that the network gets, in the picture's pixels.
        spec: its width is the unit of the size.
        whole: the picture is a framed crop, which may have been shrunken from an original of
            unknown size.

    Returns:
        (L + 1,) float32: the landmarks (L,), 10 numbers unless they are dense, then the size, see
        `octaves`; nan if it is unknown.

    Raises:
        UsageError: as `landmark_vector`.
    """
    size = np.nan if whole else octaves(frame, spec)
    return np.append(landmarks_in(points, frame, spec), size).astype(np.float32)


def landmarks_in(points: Sequence[Point], frame: Box, spec: PreprocessSpec) -> FloatArray:
    """A face's landmarks in a frame: `landmark_vector`, or `dense_vector` if the spec asks for it.

    Args:
        points, frame, spec: as for `guide_vector`.
    """
    if spec.dense_landmarks:
        return dense_vector(points, frame, spec.dense_landmarks)
    return landmark_vector(points, frame)


def mirrored_landmarks(landmarks: FloatArray) -> FloatArray:
    """Landmarks (L,) of the mirrored picture; numbers of dense ones stay as they are."""
    return mirror_landmarks(landmarks) if len(landmarks) == LANDMARK_SIZE else landmarks


def octaves(frame: Box, spec: PreprocessSpec) -> float:
    """The size of a face: log2 of the frame's width over that of the network's input.

    0 for a frame as wide as the input, 1 for one twice as wide, negative for one that is enlarged.
    """
    return float(np.log2(frame.width / spec.width))


def is_whole(frame: Box, pixels: Pixels) -> bool:
    """Whether a frame is the picture, (H, W, 3), as a whole."""
    return frame == Box(0, 0, pixels.shape[1], pixels.shape[0])


def mirror_guide(guide: FloatArray) -> FloatArray:
    """The guide (L + 1,) of the horizontally mirrored picture."""
    return np.append(mirrored_landmarks(guide[:-1]), guide[-1:]).astype(np.float32)


def landmarks_of(guides: FloatArray) -> FloatArray:
    """The landmarks (n, L) in guides (n, L + 1)."""
    return guides[:, :-1]


def sizes_of(guides: FloatArray) -> FloatArray:
    """The sizes (n, 1), in octaves, in guides (n, L + 1)."""
    return guides[:, -1:]
