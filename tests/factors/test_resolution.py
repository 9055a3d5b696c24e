"""The factor `resolution`: sizes in pixels of known faces."""

from __future__ import annotations

import numpy as np
import pytest

from facegauge.faces.spec import PreprocessSpec
from facegauge.factors.resolution import Resolution
from facegauge.results import Box, Face

PIXELS = np.zeros((200, 300, 3), np.uint8)
POINTS = ((40.0, 50.0), (70.0, 90.0), (55.0, 80.0), (40.0, 100.0), (70.0, 100.0))


def test_sizes_are_those_of_the_face_and_its_frame() -> None:
    factor = Resolution(PreprocessSpec(width=178, height=218))
    face = Face(Box(20, 30, 100.5, 140), 0.9, POINTS)
    measured = factor.measure(PIXELS, face, Box(-10, 0, 346, 436))
    assert measured == {
        "face_width": 80.5,
        "face_height": 110,
        "eye_distance": pytest.approx(50),
        "upscale": 0.5,
    }
    assert set(measured) == {column.name for column in factor.columns}


def test_what_is_not_known_is_none() -> None:
    factor = Resolution(PreprocessSpec(width=178, height=218))
    whole = factor.measure(PIXELS, None, Box(0, 0, 89, 109))
    assert whole == {"face_width": None, "face_height": None, "eye_distance": None, "upscale": 2}
    no_points = factor.measure(PIXELS, Face(Box(0, 0, 9, 9), 1.0), Box(0, 0, 89, 109))
    assert no_points["face_width"] == 9 and no_points["eye_distance"] is None
