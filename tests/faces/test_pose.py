"""The turn of a face by its five points."""

from __future__ import annotations

import math

import numpy as np
import pytest

from facegauge.faces.pose import UPRIGHT, is_upright, pose


def turned(degrees: float, scale: float = 60.0) -> np.ndarray:
    """Points of a face that is turned clockwise in a picture, whose y points down."""
    turn = math.radians(degrees)
    matrix = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    return 100 + scale * UPRIGHT @ matrix.T


@pytest.mark.parametrize(
    ("degrees", "quarters", "tilt"),
    [(0, 0, 0), (20, 0, 20), (-44, 0, -44), (50, 1, -40), (90, 1, 0), (179, 2, -1), (-90, 3, 0)],
)
def test_any_turn_is_told(degrees: float, quarters: int, tilt: float) -> None:
    found = pose(turned(degrees))
    assert found.angle == pytest.approx(degrees) and found.misfit == pytest.approx(0, abs=1e-9)
    assert found.quarter_turns == quarters and found.tilt == pytest.approx(tilt)
    assert is_upright(50, 60, turned(degrees)) == (abs(degrees) <= 35)


def test_clockwise_means_that_the_eyes_are_at_the_right() -> None:
    points = turned(90)
    assert (points[:2, 0] > points[3:, 0]).all()


def test_points_that_are_no_face_turn_nothing() -> None:
    mirrored = turned(90)[::-1] * (1, -1)
    for points in (mirrored, np.full((5, 2), 7.0)):
        found = pose(points)
        assert not found.fits and found.quarter_turns == 0
        assert not is_upright(50, 60, points)


def test_a_face_without_points_is_taken_as_upright() -> None:
    assert pose(()) == (0, 0)
    assert is_upright(50, 60, ()) and not is_upright(80, 60, ())
