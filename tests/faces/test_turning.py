"""Turned faces are found, and scored as the upright picture would be."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facegauge.arrays import Pixels
from facegauge.faces.detection import CenterFace
from facegauge.faces.extraction import FaceExtractor
from facegauge.faces.framing import frame_around
from facegauge.faces.located import Located
from facegauge.faces.notes import notes_of
from facegauge.faces.policy import ExtractionPolicy
from facegauge.faces.pose import UPRIGHT, pose
from facegauge.faces.sampling import sample
from facegauge.faces.search import Candidate
from facegauge.faces.turning import set_upright, turned_box, turned_face, with_turned
from facegauge.images.loading import open_picture
from facegauge.results import Box, Face, Status
from toys import TOY_SPEC

PORTRAIT = open_picture(Path(__file__).parents[2] / "examples" / "astronaut.jpg")
TURNS = (1, 2, 3)


def clockwise(pixels: Pixels, quarters: int) -> Pixels:
    return np.ascontiguousarray(np.rot90(pixels, -quarters))


def locate(pixels: Pixels, **options: object) -> Located:
    return FaceExtractor(TOY_SPEC, ExtractionPolicy(**options)).locate(pixels)  # type: ignore[arg-type]


def test_boxes_and_points_turn_with_the_pixels() -> None:
    pixels = np.zeros((40, 60, 3), np.uint8)
    pixels[10:15, 20:50] = 9
    box = Box(20, 10, 50, 15)
    for turns in range(-4, 5):
        moved = turned_box(box, turns, (60, 40))
        rows, columns = np.nonzero(np.rot90(pixels, turns)[..., 0])
        assert moved == Box(columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        assert turned_box(moved, -turns, (40, 60) if turns % 2 else (60, 40)) == box


@pytest.mark.parametrize("turns", TURNS)
@pytest.mark.parametrize("size", [(512, 512), (400, 512)])
def test_a_turned_picture_gives_the_crops_of_the_upright_one(
    turns: int, size: tuple[int, int]
) -> None:
    pixels = PORTRAIT[: size[1], : size[0]]
    upright, turned = locate(pixels), locate(clockwise(pixels, turns))
    assert (upright.turns, turned.turns) == ((0,), (turns,))
    noted = (notes_of(one, TOY_SPEC) for one in (upright, turned))
    assert [("turned" in notes) for (notes,) in noted] == [False, True]
    for crop, expected in zip(turned.crops(TOY_SPEC)[0], upright.crops(TOY_SPEC)[0], strict=True):
        assert np.array_equal(crop[0], expected[0])
        np.testing.assert_allclose(crop[1], expected[1], atol=1e-4)
    (before,), (after,) = upright.faces, turned.faces
    assert before is not None and after is not None
    back = turned_box(before.box, -turns, size)
    for edge in ("left", "top", "right", "bottom"):
        assert getattr(after.box, edge) == pytest.approx(getattr(back, edge), abs=1e-3)
    assert pose(after.points).quarter_turns == turns
    ((seen, face, frame, points),) = turned.upright()
    assert np.array_equal(seen, pixels) and face is not None and face.points == points
    again = turned_box(frame, -turns, size)
    assert turned.frames[0].left == pytest.approx(again.left)
    assert turned.frames[0].bottom == pytest.approx(again.bottom)


@pytest.mark.parametrize("turns", TURNS)
def test_a_turned_portrait_that_is_framed_is_taken_whole(turns: int) -> None:
    (face,) = CenterFace()(PORTRAIT)
    frame = frame_around(face, TOY_SPEC)
    wide = replace(TOY_SPEC, width=round(frame.width), height=round(frame.height))
    turned = locate(clockwise(sample(PORTRAIT, frame, wide), turns))
    assert turned.frames == (Box(0, 0, turned.width, turned.height),)
    ((pixels, _, whole, _),) = turned.upright()
    assert whole == Box(0, 0, *pixels.shape[1::-1]) and pixels.shape[0] > pixels.shape[1]


@pytest.mark.parametrize("turns", TURNS)
def test_a_turned_face_beside_an_upright_one(turns: int) -> None:
    pixels = np.full((512, 1040, 3), 150, np.uint8)
    pixels[:, :512], pixels[:, 528:] = PORTRAIT, clockwise(PORTRAIT, turns)
    found = locate(pixels)
    assert sorted(found.turns) == [0, turns]
    alone = locate(PORTRAIT)
    (upright,) = [face for face, turn in zip(found.faces, found.turns, strict=True) if not turn]
    assert upright is not None and alone.faces[0] is not None
    assert upright.box.left == pytest.approx(alone.faces[0].box.left, abs=8)


@pytest.mark.parametrize("policy", ["auto", "all", "largest"])
def test_a_detector_of_ones_own_turns_faces_by_its_points(policy: str) -> None:
    points = tuple((100 + 40 * x, 100 + 40 * y) for x, y in UPRIGHT.tolist())
    face = Face(Box(70, 60, 130, 140), 0.9, points)
    turned = turned_face(face, -1, (200, 300))
    pixels = np.random.default_rng(0).integers(0, 256, (300, 200, 3), np.uint8)
    extractor = FaceExtractor(TOY_SPEC, ExtractionPolicy(policy), lambda _: [turned])
    located = extractor.locate(clockwise(pixels, 1))
    assert located.turns == (1,) and located.faces == (turned,)
    assert np.array_equal(
        extractor.prepare(located).crops[0][0][0],
        FaceExtractor(TOY_SPEC, ExtractionPolicy(policy), lambda _: [face])
        .extract(pixels, extractor.prepare)
        .crops[0][0][0],
    )


def test_whole_pictures_are_never_turned() -> None:
    located = locate(clockwise(PORTRAIT, 1), faces="whole", landmarks=True)
    assert (located.turns, located.message, located.status) == ((0,), "", Status.OK)


class Eyes:
    """Sees what a list holds for a picture of each mean level; remembers the input sizes."""

    def __init__(self, seen: dict[int, Candidate]) -> None:
        self.seen, self.sizes = seen, []

    def __call__(self, pixels: Pixels, size: int, minimum: float) -> list[Candidate]:
        self.sizes.append(size)
        one = self.seen.get(int(pixels[0, 0, 0]))
        return [one] if one is not None and one.confidence >= minimum else []


def candidate(confidence: float, degrees: int = 0) -> Candidate:
    points = np.rot90(np.eye(2), degrees // 90) @ UPRIGHT.T
    return Candidate(np.array([20.0, 10, 80, 90]), confidence, 50 + 50 * points.T)


CORNERS = np.zeros((100, 100, 3), np.uint8)  # the first pixel tells how it is turned
CORNERS[0, 0], CORNERS[0, -1], CORNERS[-1, -1], CORNERS[-1, 0] = 10, 20, 30, 40


def searched(eyes: Eyes, found: list[Candidate]) -> list[Candidate]:
    def again(pixels: Pixels) -> list[Candidate]:
        return eyes(pixels, 999, 0.5)

    return with_turned(CORNERS, found, again, eyes, first=320, threshold=0.5)


def test_a_sure_upright_face_costs_nothing() -> None:
    eyes = Eyes({})
    known = candidate(0.9)
    assert searched(eyes, [known]) == [known] and eyes.sizes == []


def test_an_unsure_face_is_looked_at_from_both_ends() -> None:
    known = candidate(0.6)
    eyes = Eyes({10: candidate(0.9), 30: candidate(0.8)})
    assert searched(eyes, [known]) == [known] and eyes.sizes == [96, 96]
    eyes = Eyes({10: candidate(0.8), 30: candidate(0.9)})
    (found,) = searched(eyes, [known])
    assert pose(found.points).quarter_turns == 2 and eyes.sizes == [96, 96, 999]
    assert searched(Eyes({}), [known]) == [known]  # nobody knows: it stays


def test_an_uncertain_candidate_may_be_a_turned_face() -> None:
    sure = candidate(0.9).moved(500, 0)
    eyes = Eyes({30: candidate(0.9)})
    upright, turned = searched(eyes, [sure, candidate(0.2)])
    assert upright is sure and pose(turned.points).quarter_turns == 2
    assert eyes.sizes == [96, 999]
    assert searched(Eyes({10: candidate(0.9)}), [sure, candidate(0.2)]) == [sure]


def test_an_empty_picture_is_looked_at_in_all_ways() -> None:
    eyes = Eyes({})
    assert searched(eyes, []) == [] and eyes.sizes == [320] * 3
    eyes = Eyes({20: candidate(0.7), 30: candidate(0.9), 40: candidate(0.4)})
    (found,) = searched(eyes, [])
    assert pose(found.points).quarter_turns == 2 and eyes.sizes == [320] * 3 + [999]
    assert int(set_upright(CORNERS, 1)[0, 0, 0]) == 20
