"""Ratings of the factors of quality: the scale, the advice, and their columns."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from facegauge.ratings import COLUMNS, RATINGS, as_columns, rated
from facegauge.results import FaceScore, ImageScore, Status


def worse(name: str) -> list[tuple[float, float, float]]:
    """Good, threshold and bad on each side of a factor."""
    one = RATINGS[name]
    return [(one.good, one.threshold, one.bad), *([one.low] if one.low else [])]


@pytest.mark.parametrize("name", RATINGS)
def test_ratings_fall_from_1_over_one_half_to_0(name: str) -> None:
    one = RATINGS[name]
    for good, threshold, bad in worse(name):
        assert [one.rate(value) for value in (good, threshold, bad)] == [1.0, 0.5, 0.0]
        assert one.rate((good + threshold) / 2) == pytest.approx(0.75)
        assert one.rate((threshold + bad) / 2) == pytest.approx(0.25)
        assert one.rate(2 * bad - threshold) == 0.0


@pytest.mark.parametrize("name", RATINGS)
def test_there_is_advice_beyond_the_threshold_only(name: str) -> None:
    one = RATINGS[name]
    for good, threshold, bad in worse(name):
        assert one.advise(good) == one.advise(threshold) == ""
        assert one.advise(bad).endswith(".")
    if one.low:
        assert one.advise(one.low[2]) == one.low_advice != one.advise(one.bad) == one.advice


def test_columns_are_values_and_then_ratings() -> None:
    names = list(RATINGS)
    assert COLUMNS.names == (
        *(f"factor_{name}" for name in names),
        *(f"rating_{name}" for name in names),
    )
    cells = as_columns({"noise": 2.0, "pose": None})
    assert cells == {
        "factor_noise": 2.0,
        "factor_pose": None,
        "rating_noise": RATINGS["noise"].rate(2.0),
        "rating_pose": None,
    }


def test_json_has_an_object_for_each_factor_of_quality_beside_the_others() -> None:
    noisy = RATINGS["noise"].bad
    cells = as_columns({"noise": noisy, "pose": None, "contrast": RATINGS["contrast"].good})
    face = FaceScore(0.5, 0.4, 0.6, 50.0, "good", factors={**cells, "face_width": 120.0})
    result = json.loads(json.dumps(ImageScore("a.png", Status.OK, (face,)).to_dict()))
    assert result["faces"][0]["factors"] == {
        "face_width": 120.0,
        "noise": {"value": noisy, "rating": 0.0, "advice": RATINGS["noise"].advice},
        "contrast": {"value": RATINGS["contrast"].good, "rating": 1.0, "advice": ""},
        "pose": {"value": None, "rating": None, "advice": ""},
    }
    assert face.ratings == rated(cells) and face.problems == ("noise",)
    assert FaceScore(0.5, 0.4, 0.6, 50.0, "good").ratings == {}


def test_problems_are_sorted_worst_first() -> None:
    one, other = RATINGS["noise"], RATINGS["contrast"]
    slight = (other.threshold + other.bad) / 2
    cells = as_columns({"contrast": slight, "noise": one.bad, "pose": RATINGS["pose"].good})
    face = FaceScore(0.5, 0.4, 0.6, 50.0, "good", factors=cells)
    assert face.problems == ("noise", "contrast")


def test_the_page_has_the_numbers() -> None:
    page = (Path(__file__).parents[1] / "docs" / "factors.md").read_text()
    for one in RATINGS.values():
        sides = [(one.good, one.threshold, one.bad), *([one.low] if one.low else [])]
        cells = [" and ".join(f"{side[place]:g}" for side in sides) for place in range(3)]
        assert f"| {one.title} | {' | '.join(cells)} | {one.origin} |" in page
