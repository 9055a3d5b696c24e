"""Landmark vectors: hand-worked places, slow loops, and the mirror."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facegauge.errors import UsageError
from facegauge.preprocess import five_points
from facegauge.results import Box
from facegauge.training.landmarks import (
    IBUG,
    landmark_file,
    load_points,
    mirrored,
    mirrored_points,
    numbers_inside,
)

POINTS = ((110.0, 60.0), (140.0, 62.0), (126.0, 75.0), (112.0, 90.0), (139.0, 91.0))
FRAME = Box(100, 50, 150, 110)


def test_five_points_are_places_in_the_frame() -> None:
    vector = five_points(POINTS, FRAME)
    assert vector.dtype == np.float32
    first, nose = (-0.6, -1 + 20 / 60), (26 / 25 - 1, -1 + 50 / 60)
    assert vector[:2].tolist() == pytest.approx(first)
    assert vector[4:6].tolist() == pytest.approx(nose)
    assert five_points([(150, 110)] * 5, FRAME).tolist() == [1.0] * 10
    assert five_points([(175, 50)] * 5, FRAME).tolist() == [2.0, -1.0] * 5


def test_no_points_are_zeros_and_four_are_refused() -> None:
    assert five_points((), FRAME).tolist() == [0.0] * 10
    with pytest.raises(UsageError, match="five points or none, got 4"):
        five_points(POINTS[:4], FRAME)


def test_the_mirrored_vector_is_that_of_the_mirrored_face() -> None:
    width = 640
    swapped = [POINTS[k] for k in (1, 0, 2, 4, 3)]
    there = [(width - x, y) for x, y in swapped]
    frame = Box(width - FRAME.right, FRAME.top, width - FRAME.left, FRAME.bottom)
    assert mirrored(five_points(POINTS, FRAME)) == pytest.approx(five_points(there, frame))
    none = mirrored(np.zeros(10, np.float32))
    assert none.tolist() == [0.0] * 10 and not np.signbit(none).any()


def slow_numbers(points: np.ndarray, crop: Box, count: int) -> list[float]:
    numbers = []
    for number, (x, y) in enumerate(points):
        if crop.left <= x <= crop.right and crop.top <= y <= crop.bottom:
            numbers.append(number)
    while len(numbers) < count:
        numbers.append(len(points) + 1)
    low, high = min(numbers), max(numbers)
    return [(number - low) / (high - low + 1e-6) * 2 - 1 for number in numbers]


@pytest.mark.parametrize("count", [60, 500])
def test_numbers_are_the_slow_loops(count: int) -> None:
    points = np.random.default_rng(0).uniform(0, 512, (68, 2))
    points[3] = (100, 484)  # on the border
    crop = Box(100, 100, 484, 484)
    got = numbers_inside(points, crop, count)
    assert got.shape == (count,)
    assert got.tolist() == pytest.approx(slow_numbers(points, crop, count), abs=1e-6)


def test_of_too_many_numbers_the_same_ones_are_drawn() -> None:
    points = np.random.default_rng(0).uniform(0, 100, (1313, 2))
    crop = Box(0, 0, 100, 100)
    got = numbers_inside(points, crop)
    numbers = np.rint((got.astype(float) + 1) / 2 * 1312)
    assert len(set(numbers)) == 500 and (np.diff(got) > 0).all()
    assert (got.min(), got.max()) == pytest.approx((-1, 1), abs=1e-6)
    assert np.array_equal(numbers_inside(points, crop), got)
    assert not np.array_equal(numbers_inside(points, crop, seed=1), got)


def test_a_crop_without_landmarks() -> None:
    assert numbers_inside(np.full((68, 2), 9.0), Box(20, 20, 30, 30), 4).tolist() == [-1.0] * 4


def test_dense_points_change_sides_in_the_mirror() -> None:
    points = np.random.default_rng(0).uniform(0, 512, (68, 2))
    there = mirrored_points(points, 512)
    for one, other in ((0, 16), (17, 26), (36, 45), (37, 44), (39, 42), (40, 47), (41, 46),
                       (48, 54), (49, 53), (55, 59), (60, 64), (65, 67)):  # fmt: skip
        assert there[one].tolist() == [512 - points[other, 0], points[other, 1]]
        assert there[other].tolist() == [512 - points[one, 0], points[one, 1]]
    for middle in (8, 27, 30, 33, 51, 57, 62, 66):
        assert there[middle].tolist() == [512 - points[middle, 0], points[middle, 1]]
    assert sorted(IBUG) == list(range(68)) and np.allclose(mirrored_points(there, 512), points)
    few = mirrored_points(points[:3], 512, (1, 0, 2))
    assert few[:, 1].tolist() == points[[1, 0, 2], 1].tolist()
    assert mirrored_points(points[:3], 512)[:, 1].tolist() == points[:3, 1].tolist()


def test_landmark_files(tmp_path: Path) -> None:
    picture = tmp_path / "train" / "img" / "7_0.png"
    file = landmark_file(picture)
    assert file == tmp_path / "train" / "landmark" / "7_0.npy"
    file.parent.mkdir(parents=True)
    np.save(file, np.array([[1, 2], [3, 4]]))
    assert load_points(file).tolist() == [[1.0, 2.0], [3.0, 4.0]]
    for wrong in (np.zeros((3, 3)), np.array([[1.0, np.nan]]), np.array(["a"])):
        np.save(file, wrong)
        with pytest.raises(UsageError, match=r"no landmarks: expected finite \(N, 2\)"):
            load_points(file)
    np.save(file, np.array([[1, {}]], object), allow_pickle=True)
    with pytest.raises(UsageError, match="cannot read landmarks"):
        load_points(file)
    file.write_bytes(b"")
    with pytest.raises(UsageError, match="cannot read landmarks"):
        load_points(file)
