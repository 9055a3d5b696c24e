"""Five points as a vector: hand-worked places and the mirror."""

from __future__ import annotations

import numpy as np
import pytest

from facegauge.errors import UsageError
from facegauge.faces.landmarks import landmark_vector, mirror_landmarks
from facegauge.results import Box

POINTS = ((110.0, 60.0), (140.0, 62.0), (126.0, 75.0), (112.0, 90.0), (139.0, 91.0))
FRAME = Box(100, 50, 150, 110)


def test_five_points_are_places_in_the_frame() -> None:
    vector = landmark_vector(POINTS, FRAME)
    assert vector.dtype == np.float32
    first, nose = (-0.6, -1 + 20 / 60), (26 / 25 - 1, -1 + 50 / 60)
    assert vector[:2].tolist() == pytest.approx(first)
    assert vector[4:6].tolist() == pytest.approx(nose)
    assert landmark_vector([(150, 110)] * 5, FRAME).tolist() == [1.0] * 10
    assert landmark_vector([(175, 50)] * 5, FRAME).tolist() == [2.0, -1.0] * 5


def test_no_points_are_zeros_and_four_are_refused() -> None:
    assert landmark_vector((), FRAME).tolist() == [0.0] * 10
    with pytest.raises(UsageError, match="five points or none, got 4"):
        landmark_vector(POINTS[:4], FRAME)


def test_the_mirrored_vector_is_that_of_the_mirrored_face() -> None:
    width = 640
    swapped = [POINTS[k] for k in (1, 0, 2, 4, 3)]
    there = [(width - x, y) for x, y in swapped]
    frame = Box(width - FRAME.right, FRAME.top, width - FRAME.left, FRAME.bottom)
    assert mirror_landmarks(landmark_vector(POINTS, FRAME)) == pytest.approx(
        landmark_vector(there, frame)
    )
    none = mirror_landmarks(np.zeros(10, np.float32))
    assert none.tolist() == [0.0] * 10 and not np.signbit(none).any()
