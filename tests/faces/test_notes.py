"""Notes: what makes a face unlike those that scorers learn from."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from facegauge.arrays import Pixels
from facegauge.faces.extraction import FaceExtractor
from facegauge.faces.framing import beyond
from facegauge.faces.notes import NOTES, is_flat, is_grey
from facegauge.faces.policy import ExtractionPolicy
from facegauge.faces.pose import UPRIGHT
from facegauge.images.loading import open_picture
from facegauge.results import COLUMNS, Box, Face
from facegauge.scorer import Scorer
from toys import TOY_SPEC

PORTRAIT = open_picture(Path(__file__).parents[2] / "examples" / "astronaut.jpg")
FACE = Box(184, 65, 269, 175)  # as CenterFace finds it


def points(box: Box, degrees: float = 0.0, aside: float = 0.0) -> tuple[tuple[float, float], ...]:
    """The points of a face in a box: turned clockwise, and with the nose moved in eye distances."""
    turn = np.radians(degrees)
    matrix = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    upright = UPRIGHT + np.outer(np.arange(5) == 2, (0.714 * aside, 0))
    middle = ((box.left + box.right) / 2, (box.top + box.bottom) / 2)
    x, y = (middle + 0.6 * box.width * upright @ matrix).T.tolist()
    return tuple(zip(x, y, strict=True))


def noted(
    pixels: Pixels = PORTRAIT, box: Box = FACE, degrees: float = 0.0, aside: float = 0.0
) -> tuple[str, ...]:
    face = Face(box, 0.9, points(box, degrees, aside))
    extractor = FaceExtractor(TOY_SPEC, ExtractionPolicy("all"), lambda pixels: [face])
    (notes,) = extractor.prepare(extractor.locate(pixels)).notes
    return notes


def changed(change: object) -> Pixels:
    return np.asarray(change.convert("RGB"))  # type: ignore[attr-defined]


def test_an_ordinary_face_has_no_note() -> None:
    assert noted() == ()


@pytest.mark.parametrize(
    ("side", "expected"), [(41, ()), (40, ()), (39, ("tiny",)), (25, ("tiny",))]
)
def test_the_shorter_side_of_the_box_makes_a_face_tiny(side: float, expected: object) -> None:
    middle = Box(226 - side / 2, 100, 226 + side / 2, 100 + 1.3 * side)
    assert noted(box=middle) == expected


@pytest.mark.parametrize(
    ("degrees", "expected"),
    [(0, ()), (-28, ()), (32, ("tilted",)), (-44, ("tilted",)), (90, ("turned",)),
     (-90, ("turned",)), (180, ("turned",)), (125, ("turned", "tilted")), (110, ("turned",))],
)  # fmt: skip
def test_turned_and_tilted_faces(degrees: float, expected: tuple[str, ...]) -> None:
    assert noted(degrees=degrees) == expected


@pytest.mark.parametrize(("aside", "profile"), [(0.0, False), (0.3, False), (0.7, True)])
def test_a_nose_far_from_the_middle_of_the_eyes_makes_a_profile(
    aside: float, profile: bool
) -> None:
    for degrees in (0, 40, 90):
        for sign in (-1, 1):
            assert ("profile" in noted(degrees=degrees, aside=sign * aside)) == profile
    assert "tilted" not in noted(degrees=40, aside=0.7)  # its angle is not sure


def test_grey_and_sepia_pictures_lack_colours() -> None:
    picture = Image.fromarray(PORTRAIT)
    levels = np.asarray(picture.convert("L"))[..., None]
    assert noted(changed(picture.convert("L"))) == ("grey",)
    assert noted((levels * [0.95, 0.85, 0.7]).astype(np.uint8)) == ("grey",)
    assert noted((PORTRAIT * 0.15).astype(np.uint8)) == ()  # dark, not grey


def test_colours_beside_a_grey_face_do_not_count() -> None:
    pixels = np.repeat(np.asarray(Image.fromarray(PORTRAIT).convert("L"))[..., None], 3, 2)
    pixels[400:, :100] = (255, 0, 0)  # outside the frame
    assert noted(pixels) == ("grey",)
    pixels[60:120, 180:270] = PORTRAIT[60:120, 180:270]
    assert noted(pixels) == ()


def test_a_head_beyond_the_border_is_cut_off() -> None:
    frame = Box(-10, 0, 90, 100)
    assert beyond(frame, 200, 200) == pytest.approx(0.1)
    assert beyond(frame, 50, 50) == pytest.approx(0.75)
    assert beyond(Box(20, 20, 30, 30), 200, 200) == 0
    assert beyond(Box(-30, 20, -10, 30), 200, 200) == 1
    assert noted(np.ascontiguousarray(PORTRAIT[:, 188:]), Box(-4, 65, 81, 175)) == ("cut_off",)
    assert noted(np.ascontiguousarray(PORTRAIT[60:]), Box(184, 5, 269, 115)) == ("cut_off",)
    tight = np.ascontiguousarray(PORTRAIT[35:200, 174:279])  # a part of the frame, but all the head
    assert noted(tight, Box(10, 30, 95, 140)) == ()
    outside = Box(-90, 20, -10, 120)  # of a detector of one's own
    assert {"cut_off", "flat"} >= set(noted(box=outside)) >= {"cut_off"}
    even = np.full_like(PORTRAIT, 90)
    assert "flat" in noted(even) and "flat" not in noted(even, outside)  # of which nothing is seen


def test_blurred_and_even_faces_are_flat_at_any_size() -> None:
    picture = Image.fromarray(PORTRAIT)
    blurred = picture.filter(ImageFilter.GaussianBlur(0.06 * FACE.width))
    slightly = picture.filter(ImageFilter.GaussianBlur(0.01 * FACE.width))
    assert noted(changed(blurred)) == ("flat",)
    assert noted(changed(slightly)) == ()
    large = Box(*(4 * edge for edge in (FACE.left, FACE.top, FACE.right, FACE.bottom)))
    for one, expected in ((picture, ()), (blurred, ("flat",))):
        assert noted(changed(one.resize((2048, 2048))), large) == expected
    drawing = (PORTRAIT // 100 * 100).astype(np.uint8)
    assert "flat" in noted(drawing)


def test_what_is_even_or_has_hardly_a_pixel_is_no_trouble() -> None:
    assert is_flat(np.full((64, 64), 7, np.uint8)) and is_grey(np.full((4, 4, 3), 7, np.uint8))
    assert not is_flat(np.zeros((2, 64), np.uint8))
    assert is_grey(np.zeros((1, 1, 3), np.uint8))


def test_a_picture_that_is_taken_whole_has_the_notes_of_its_place(toy_scorer: Path) -> None:
    whole = Scorer(toy_scorer, faces="whole")
    small = Image.fromarray(PORTRAIT[:240, 130:320]).resize((60, 80))
    assert whole.score(small).faces[0].notes == ("tiny",)
    assert whole.score(small.convert("L").resize((180, 240))).faces[0].notes == ("grey",)


def test_notes_come_with_the_score_and_change_nothing_else(toy_scorer: Path) -> None:
    scorer = Scorer(toy_scorer, detector=lambda pixels: [Face(FACE, 0.9, points(FACE))])
    picture = Image.fromarray(PORTRAIT).convert("L")
    prepared = pickle.loads(pickle.dumps(scorer.prepare(picture)))
    assert prepared.notes == (("grey",),)
    (result,) = scorer.score_prepared([prepared])
    assert result == scorer.score(picture)
    assert (result.faces[0].notes, result.message) == (("grey",), "")


def test_every_note_is_one_word_with_its_meaning() -> None:
    assert all(note.replace("_", "").isalpha() and meaning for note, meaning in NOTES.items())
    assert "notes" in COLUMNS
