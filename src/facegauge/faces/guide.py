"""What a network may be told of a face beside its pixels: its five points and its size."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from facegauge.arrays import FloatArray, Pixels
from facegauge.faces.landmarks import LANDMARK_SIZE, landmark_vector, mirror_landmarks
from facegauge.faces.spec import PreprocessSpec
from facegauge.results import Box, Point


def guide_vector(
    points: Sequence[Point], frame: Box, spec: PreprocessSpec, *, whole: bool = False
) -> FloatArray:
    """The landmark vector of a face, then its size.

    Args:
        points: as for `landmark_vector`.
        frame: the part of the picture that the network gets, in the picture's pixels.
        spec: its width is the unit of the size.
        whole: the picture is a framed crop, which may have been shrunken from an original of
            unknown size.

    Returns:
        (11,) float32: the landmarks (10,), then the size, see `octaves`; nan if it is unknown.

    Raises:
        UsageError: as `landmark_vector`.
    """
    size = np.nan if whole else octaves(frame, spec)
    return np.append(landmark_vector(points, frame), size).astype(np.float32)


def octaves(frame: Box, spec: PreprocessSpec) -> float:
    """The size of a face: log2 of the frame's width over that of the network's input.

    0 for a frame as wide as the input, 1 for one twice as wide, negative for one that is enlarged.
    """
    return float(np.log2(frame.width / spec.width))


def is_whole(frame: Box, pixels: Pixels) -> bool:
    """Whether a frame is the picture, (H, W, 3), as a whole."""
    return frame == Box(0, 0, pixels.shape[1], pixels.shape[0])


def mirror_guide(guide: FloatArray) -> FloatArray:
    """The guide (11,) of the horizontally mirrored picture."""
    landmarks = mirror_landmarks(guide[:LANDMARK_SIZE])
    return np.append(landmarks, guide[LANDMARK_SIZE:]).astype(np.float32)


def landmarks_of(guides: FloatArray) -> FloatArray:
    """The landmarks (n, 10) in guides (n, 11)."""
    return guides[:, :LANDMARK_SIZE]


def sizes_of(guides: FloatArray) -> FloatArray:
    """The sizes (n, 1), in octaves, in guides (n, 11)."""
    return guides[:, LANDMARK_SIZE:]
