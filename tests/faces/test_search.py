"""Coarse-to-fine search, on a fake detector that sees known faces by their input pixels."""

from __future__ import annotations

import math

import numpy as np
import pytest

from facegauge.faces.search import TILE, Candidate, finest_size, merge_passes, search

Rectangle = tuple[float, float, float, float]


class Eyes:
    """Sees a face surely from 12 input pixels on, unsurely from 6 on; remembers its input sizes.

    Faces are marked in the pixels themselves: (x, y) of the picture is stored in every pixel, so
    that a tile knows where it lies.
    """

    def __init__(self, width: int, height: int, faces: list[Rectangle]) -> None:
        self.pixels = np.zeros((height, width, 3), np.uint8)
        self.base = self.pixels.ctypes.data
        self.faces, self.sizes = faces, []

    def __call__(self, pixels: np.ndarray, size: int, minimum: float) -> list[Candidate]:
        start = (pixels.ctypes.data - self.base) // 3
        top, left = divmod(start, self.pixels.shape[1])
        scale = size / max(pixels.shape[:2])
        self.sizes.append(size)
        found = []
        for face in self.faces:
            box = np.array(face) - (left, top, left, top)
            clipped = np.clip(box, 0, [pixels.shape[1], pixels.shape[0]] * 2)
            side = float((face[2] - face[0]) * scale)
            confidence = 0.9 if side >= 12 else 0.3 if side >= 6 else 0.0
            if (clipped[2:] > clipped[:2]).all() and confidence >= minimum:
                found.append(Candidate(clipped, confidence, np.tile(clipped[:2], (5, 1))))
        return found

    def search(self, min_face: float = 24, limit: int | None = None) -> list[list[int]]:
        height, width = self.pixels.shape[:2]
        finest, retry = finest_size(width, height, 320, min_face, limit), min(640, limit or 640)
        found = search(self.pixels, self, first=320, finest=finest, retry=retry, threshold=0.5)
        sure = [one for one in found if one.confidence >= 0.5]
        return sorted([round(edge) for edge in one.box] for one in sure)


def square(x: int, y: int, side: int) -> Rectangle:
    return x, y, x + side, y + side


def as_lists(faces: list[Rectangle]) -> list[list[int]]:
    return sorted(list(map(int, face)) for face in faces)


@pytest.mark.parametrize("side", [26, 40, 60, 80, 100, 400, 2000])
def test_a_single_face_is_found_at_any_size(side: int) -> None:
    eyes = Eyes(6000, 4000, [square(3700, 1300, side)])
    assert eyes.search() == as_lists(eyes.faces)


def test_faces_below_the_minimum_are_not_searched_for() -> None:
    eyes = Eyes(6000, 4000, [square(3700, 1300, 100)])
    assert eyes.search(min_face=300) == []
    assert max(eyes.sizes) <= 640 and finest_size(6000, 4000, 320, 300, None) == 320


def test_a_near_face_hides_no_distant_ones() -> None:
    crowd = [square(2300 + i % 4 * 430, 500 + i // 4 * 900, 150) for i in range(12)]
    eyes = Eyes(4000, 3000, [square(500, 1000, 900), *crowd])
    assert eyes.search() == as_lists(eyes.faces)


def test_a_portrait_takes_one_pass() -> None:
    eyes = Eyes(900, 1200, [square(200, 300, 450)])
    assert eyes.search() == as_lists(eyes.faces) and eyes.sizes == [320]
    eyes = Eyes(178, 218, [square(50, 60, 86)])
    assert eyes.search() == as_lists(eyes.faces) and eyes.sizes == [320]


def test_an_uncertain_face_beside_a_sure_one_is_looked_at_again() -> None:
    faces = [square(300, 300, 400), square(1500, 900, 30)]  # 0.16 input pixels per pixel: 4.8
    eyes = Eyes(2000, 1500, faces)
    eyes.faces.append(square(1000, 200, 50))  # 8 input pixels: uncertain
    found = eyes.search()
    assert [1000, 200, 1050, 250] in found and [300, 300, 700, 700] in found


def test_no_input_is_larger_than_a_tile_and_none_is_doubled_where_tiles_overlap() -> None:
    faces = [square(x, y, 30) for x in range(50, 5900, 450) for y in range(50, 3900, 330)]
    faces += [square(0, 0, 30), square(5970, 3970, 30)]  # at the border, which cuts no tile
    eyes = Eyes(6000, 4000, faces)
    assert eyes.search() == as_lists(faces)
    assert max(eyes.sizes) <= TILE


def test_a_limit_saves_passes() -> None:
    eyes = Eyes(6000, 4000, [square(3700, 1300, 60)])
    assert eyes.search(limit=640) == [] and max(eyes.sizes) == 640


def test_an_empty_picture_is_searched_down_to_the_minimum() -> None:
    eyes = Eyes(4000, 3000, [])
    assert eyes.search() == []
    assert math.isclose(finest_size(4000, 3000, 320, 24, None), 2000)
    assert finest_size(4000, 3000, 320, 0, None) == 4000  # never enlarged


def test_finer_passes_add_faces_and_change_none() -> None:
    def candidate(x: float, side: float, confidence: float) -> Candidate:
        box = np.array([x, 0, x + side, side])
        return Candidate(box, confidence, np.zeros((5, 2)))

    known = [candidate(0, 100, 0.6), candidate(300, 40, 0.2)]
    new = [candidate(2, 100, 0.9), candidate(301, 40, 0.8), candidate(600, 20, 0.7)]
    merged = merge_passes(known, new, 0.5)
    assert sorted((one.box[0], one.confidence) for one in merged) == [
        (0, 0.6),
        (301, 0.8),
        (600, 0.7),
    ]
    inside = candidate(30, 30, 0.95)  # a part of a known face is no second one
    assert len(merge_passes(known, [inside], 0.5)) == 2
