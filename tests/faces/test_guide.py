"""What networks are told beside the pixels: hand-worked guides and the mirror."""

from __future__ import annotations

import numpy as np
import pytest

from facegauge.errors import UsageError
from facegauge.faces.guide import guide_vector, landmarks_of, mirror_guide, octaves, sizes_of
from facegauge.faces.landmarks import landmark_vector
from facegauge.faces.sampling import face_crops
from facegauge.faces.spec import PreprocessSpec
from facegauge.results import Box

POINTS = ((110.0, 60.0), (140.0, 62.0), (126.0, 75.0), (112.0, 90.0), (139.0, 91.0))
FRAME = Box(100, 50, 150, 110)


@pytest.mark.parametrize(
    ("width", "expected"), [(50, 0.0), (25, 1.0), (200, -2.0), (100, -1.0), (40, 0.321928)]
)
def test_a_size_is_in_octaves_of_the_inputs_width(width: int, expected: float) -> None:
    spec = PreprocessSpec(width=width, height=60)
    assert octaves(FRAME, spec) == pytest.approx(expected, abs=1e-6)
    guide = guide_vector(POINTS, FRAME, spec)
    assert guide.shape == (11,) and guide.dtype == np.float32
    assert guide[:10].tolist() == landmark_vector(POINTS, FRAME).tolist()
    assert guide[0] == pytest.approx(-0.6) and guide[10] == pytest.approx(expected, abs=1e-6)


def test_a_face_without_points_has_a_size_and_four_points_are_refused() -> None:
    spec = PreprocessSpec(width=25, height=30)
    assert guide_vector((), FRAME, spec).tolist() == [0.0] * 10 + [1.0]
    with pytest.raises(UsageError, match="five points or none, got 4"):
        guide_vector(POINTS[:4], FRAME, spec)


def test_the_mirrored_guide_is_that_of_the_mirrored_face() -> None:
    width, spec = 640, PreprocessSpec(width=20, height=24)
    there = [(width - x, y) for x, y in (POINTS[k] for k in (1, 0, 2, 4, 3))]
    frame = Box(width - FRAME.right, FRAME.top, width - FRAME.left, FRAME.bottom)
    found = mirror_guide(guide_vector(POINTS, FRAME, spec))
    assert found.dtype == np.float32
    assert found == pytest.approx(guide_vector(there, frame, spec), abs=1e-6)


def test_guides_are_divided_into_landmarks_and_sizes() -> None:
    guides = np.arange(22, dtype=np.float32).reshape(2, 11)
    assert landmarks_of(guides).tolist() == [list(range(10)), list(range(11, 21))]
    assert sizes_of(guides).tolist() == [[10.0], [21.0]]


def test_every_crop_of_a_large_face_carries_its_guide() -> None:
    spec = PreprocessSpec(width=16, height=20, crops=3)
    pixels = np.zeros((130, 160, 3), np.uint8)
    crops = face_crops(pixels, FRAME, POINTS, spec)
    assert len(crops) == 3
    assert all(guide.shape == (11,) for _, guide in crops)
    assert [guide[10] for _, guide in crops] == pytest.approx([np.log2(50 / 16)] * 3)
    assert crops[0][1][0] != crops[1][1][0]  # a shifted crop has other landmarks
