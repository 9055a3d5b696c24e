"""The currency between the rooms: what it refuses, and the rows it becomes."""

from __future__ import annotations

import dataclasses
import json
import pickle

import numpy as np
import pytest

from facegauge.image_scores import ImageScores
from facegauge.results import COLUMNS, FIRST_COLUMNS, Box, Face, FaceScore, ImageScore, Status
from facegauge.schema import Column, Schema, Value

BOX = Box(1, 2, 11, 22)


def scored(score: float, face: Face | None = None) -> FaceScore:
    return FaceScore(score, score - 0.1, score + 0.1, 50.0, "fair", face)


@pytest.mark.parametrize(
    "edges", [(5, 0, 5, 9), (0, 9, 5, 9), (5, 0, 4, 9), (0, 0, float("nan"), 1)]
)
def test_a_box_has_an_inside(edges: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="right > left"):
        Box(*edges)


def test_a_box_knows_its_size() -> None:
    assert (BOX.width, BOX.height) == (10, 20)


@pytest.mark.parametrize("confidence", [-0.01, 1.01, float("nan")])
def test_confidence_is_a_share(confidence: float) -> None:
    with pytest.raises(ValueError, match=r"0\.\.1"):
        Face(BOX, confidence)


def test_a_face_has_five_points_or_none() -> None:
    assert Face(BOX, 0.5).points == ()
    assert len(Face(BOX, 0.5, ((0, 0),) * 5).points) == 5
    with pytest.raises(ValueError, match="five points"):
        Face(BOX, 0.5, ((0, 0),) * 4)


def test_a_score_lies_in_its_interval() -> None:
    with pytest.raises(ValueError, match="low <= score <= high"):
        FaceScore(0.5, 0.6, 0.7, 50, "fair")
    with pytest.raises(ValueError, match="low <= score <= high"):
        FaceScore(float("nan"), 0, 1, 50, "fair")


def test_status_goes_with_the_faces() -> None:
    with pytest.raises(ValueError, match="does not go with 0 faces"):
        ImageScore("a.jpg", Status.OK)
    with pytest.raises(ValueError, match="does not go with 1 faces"):
        ImageScore("a.jpg", Status.NO_FACE, (scored(0.5),))


def test_results_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        scored(0.5).score = 0.9  # type: ignore[misc]


def test_the_best_face_gives_the_score() -> None:
    result = ImageScore("a.jpg", Status.OK, (scored(0.3), scored(0.7), scored(0.5)))
    assert result.score == 0.7 and result.best == scored(0.7)
    empty = ImageScore("a.jpg", Status.UNREADABLE, message="empty")
    assert empty.score is None and empty.best is None


def test_rows_have_the_documented_columns() -> None:
    face = Face(BOX, 0.9)
    result = ImageScore("a.jpg", Status.OK, (scored(0.5, face), scored(0.25)), "", 40, 30)
    first, second = result.rows()
    assert tuple(first) == tuple(second) == COLUMNS.names
    assert (first["face"], first["score"], first["status"]) == (0, 0.5, "ok")
    assert [first[k] for k in ("left", "top", "right", "bottom", "confidence")] == [
        1,
        2,
        11,
        22,
        0.9,
    ]
    assert second["face"] == 1 and second["left"] is None and second["confidence"] is None


def test_a_picture_without_a_score_has_one_row() -> None:
    (row,) = ImageScore("b.jpg", Status.TOO_LARGE, message="why").rows()
    assert tuple(row) == COLUMNS.names
    given = {key: value for key, value in row.items() if value is not None}
    assert given == {"path": "b.jpg", "status": "too_large", "message": "why"}


def test_a_detector_of_ones_own_may_give_numpy_numbers() -> None:
    face = Face(Box(*np.float32([1, 2, 3, 4])), np.float32(0.5))
    plain = ImageScore("a.jpg", Status.OK, (scored(0.5, face),)).to_dict()
    assert json.loads(json.dumps(plain))["faces"][0]["right"] == 3


def test_to_dict_is_plain_json() -> None:
    result = ImageScore("a.jpg", Status.OK, (scored(0.5, Face(BOX, 0.9)),), "", 40, 30)
    plain = json.loads(json.dumps(result.to_dict()))
    assert plain["status"] == "ok" and (plain["width"], plain["height"]) == (40, 30)
    assert plain["faces"][0]["score"] == 0.5 and plain["faces"][0]["left"] == 1
    assert "path" not in plain["faces"][0]
    assert ImageScore("b.jpg", Status.NO_FACE).to_dict()["faces"] == []


def measured(**factors: Value) -> FaceScore:
    return FaceScore(0.5, 0.4, 0.6, 50.0, "fair", None, factors)


def test_notes_are_words_in_a_row_and_a_list_in_json() -> None:
    noted = FaceScore(0.5, 0.4, 0.6, 50.0, "fair", notes=("tiny", "cut_off"))
    result = ImageScore("a.jpg", Status.OK, (noted, scored(0.5)))
    assert [row["notes"] for row in result.rows()] == ["tiny cut_off", None]
    assert [one["notes"] for one in result.to_dict()["faces"]] == [["tiny", "cut_off"], []]
    assert [tuple(row) for row in result.rows(FIRST_COLUMNS)] == [FIRST_COLUMNS.names] * 2


def test_factors_cannot_be_changed_and_can_be_pickled_and_hashed() -> None:
    given: dict[str, Value] = {"sharpness": 0.5, "mask": None}
    score = FaceScore(0.5, 0.4, 0.6, 50.0, "fair", factors=given)
    given["sharpness"] = 1.0
    assert score.factors == {"sharpness": 0.5, "mask": None}
    with pytest.raises(TypeError):
        score.factors["sharpness"] = 1.0  # type: ignore[index]
    assert pickle.loads(pickle.dumps(score)) == score == measured(sharpness=0.5, mask=None)
    assert hash(score) == hash(measured(mask=None, sharpness=0.5))
    assert score != measured(sharpness=0.5) and scored(0.5).factors == {}


def test_rows_have_the_columns_of_factors_that_are_asked_for() -> None:
    more = Schema([Column("sharpness", "float", "A toy."), Column("mask", "str", "A toy.")])
    schema = COLUMNS + more
    result = ImageScore("a.jpg", Status.OK, (measured(sharpness=0.5, other=1), measured(mask="x")))
    first, second = result.rows(schema)
    assert tuple(first) == tuple(second) == schema.names
    assert (first["sharpness"], first["mask"]) == (0.5, None)
    assert (second["sharpness"], second["mask"]) == (None, "x")
    assert tuple(result.rows()[0]) == COLUMNS.names
    (empty,) = ImageScore("b.jpg", Status.NO_FACE).rows(schema)
    assert tuple(empty) == schema.names and empty["sharpness"] is None
    assert result.rows(Schema(COLUMNS))[0] == result.rows()[0]


def test_to_dict_has_an_object_of_factors() -> None:
    faces = ImageScore("a.jpg", Status.OK, (measured(sharpness=0.5), scored(0.5))).to_dict()[
        "faces"
    ]
    assert [face["factors"] for face in json.loads(json.dumps(faces))] == [{"sharpness": 0.5}, {}]


def test_every_column_has_a_sentence() -> None:
    assert all(column.doc.endswith(".") for column in COLUMNS)


def test_notebooks_show_a_table_with_names_escaped() -> None:
    face = FaceScore(0.4321, 0.3, 0.6, 61.4, "good", notes=("tiny", "grey"))
    shown = ImageScore("<b>.jpg", Status.OK, (face, face), "odd & old")._repr_html_()
    assert "&lt;b&gt;.jpg: odd &amp; old" in shown and "<b>" not in shown
    assert shown.count("<td>0.432</td><td>0.30 to 0.60</td><td>61</td><td>good</td>") == 2
    assert "<td>tiny grey</td>" in shown and "://" not in shown and "<script" not in shown
    empty = ImageScore("a&b.jpg", Status.NO_FACE)._repr_html_()
    assert empty == "<p>a&amp;b.jpg: no face</p>"


def test_several_results_are_shown_in_notebooks_and_sliced() -> None:
    bad = ImageScore("<b>.jpg", Status.UNREADABLE, message="odd & old")
    found = ImageScores([bad] * 3)
    shown = found._repr_html_()
    assert "3 pictures, 3 rows<" in shown and shown.count("<tr>") == 4
    assert "&lt;b&gt;.jpg" in shown and "odd &amp; old" in shown and "<b>" not in shown
    assert "the first 100 rows" in ImageScores([bad] * 101)._repr_html_()
    assert isinstance(found[1:], ImageScores) and len(found[1:]) == 2
    assert found[0] is bad and found[-1] is bad
