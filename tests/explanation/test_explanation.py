"""Explanations: what they say, and their three forms."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

import facegauge
from commands import run
from facegauge import Scorer, explain
from facegauge.arrays import Pixels
from facegauge.attribution import Attribution, Curve
from facegauge.errors import PictureError, UsageError
from facegauge.explanation.drawing import BAR, LINE, NAME, _bars
from facegauge.explanation.page import _row
from facegauge.explanation.parts import (
    LOWERED,
    PROBLEMATIC,
    RAISED,
    UNEXPLAINED,
    advice_of,
    face_picture,
    with_heat_map,
)
from facegauge.faces.notes import NOTES
from facegauge.ratings import RATINGS, VALUE, Rated
from facegauge.results import Box, Face, FaceScore, Status

ASTRONAUT = Path(__file__).parents[2] / "examples" / "astronaut.jpg"
MODEL = Attribution(171, 0.75, 0.6, 0.8, 0.37, {"resolution": Curve((50.0, 200.0), (-0.05, 0.01))})


def halves(pixels: Pixels) -> list[Face]:
    """A face on the left, one on the right that reaches beyond the border."""
    return [Face(Box(0, 0, 48, 64), 0.9), Face(Box(62, 4, 106, 60), 0.8)]


@pytest.fixture
def scorer(toy_scorer: Path) -> Scorer:
    return Scorer(toy_scorer, faces="all", detector=halves)


@pytest.fixture
def picture() -> Pixels:
    return np.random.default_rng(0).integers(0, 255, (80, 96, 3), np.uint8)


def with_model(scorer: Scorer, model: Attribution) -> Scorer:
    scorer.card = replace(scorer.card, attribution=model)
    return scorer


def test_an_explanation_has_the_scores_and_the_factors(scorer: Scorer, picture: Pixels) -> None:
    found = explain(("a.png", picture), scorer)
    plain = scorer.score(("a.png", picture))
    assert [face.score for face in found.result.faces] == [face.score for face in plain.faces]
    assert found.heat_maps == (None, None)  # the toy has none
    data = json.loads(json.dumps(found.to_dict()))
    assert data["scorer"]["name"] == "toy"
    first = data["faces"][0]
    assert set(first["factors"]) == set(RATINGS)
    assert "resolution" in first["problems"] and first["shares"] is None
    assert RATINGS["resolution"].advice in "\n".join(found.lines())


def test_shares_are_shown_where_the_model_explains_half(scorer: Scorer, picture: Pixels) -> None:
    found = explain(picture, with_model(scorer, MODEL))
    assert found.shares(0) == {"resolution": -0.05}
    text = "\n".join(found.lines())
    assert "explains 75% of how scores differ" in text and "resolution -0.050" in text
    assert f"together 0.320; the score is {found.result.faces[0].score:.3f}" in text
    assert found.to_dict()["faces"][0]["shares"] == {
        "added": {"resolution": -0.05}, "mean": 0.37, "together": 0.32, "r2": 0.75, "n": 171,
    }  # fmt: skip
    weak = explain(picture, with_model(scorer, replace(MODEL, r2=0.49)))
    assert weak.shares(0) == {} and "explains" not in "\n".join(weak.lines())


def test_no_shares_for_pictures_that_are_taken_whole(scorer: Scorer, picture: Pixels) -> None:
    whole = with_model(scorer, MODEL).with_options(faces="whole")
    assert explain(picture, whole).shares(0) == {}


class Elements(HTMLParser):
    """The tags of a page, and what they refer to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.sources: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.sources += [value or "" for key, value in attributes if key in ("src", "href")]


def test_the_page_is_one_file_and_escaped(scorer: Scorer, picture: Pixels, tmp_path: Path) -> None:
    name = "<img src=x onerror=alert(1)>&.png"
    found = explain((name, picture), with_model(scorer, MODEL))
    found.save(tmp_path / "a.html")
    text = (tmp_path / "a.html").read_text()
    page = Elements(text)
    assert page.tags.count("img") == 3 and "script" not in page.tags
    assert all(source.startswith("data:image/jpeg;base64,") for source in page.sources)
    assert "&lt;img src=x onerror=alert(1)&gt;&amp;.png" in text
    assert page.tags.count("tr") == 2 * (1 + len(RATINGS))
    assert not list(tmp_path.glob("*.new"))


def test_the_picture_shows_the_box_and_a_part_for_each_face(
    scorer: Scorer, picture: Pixels, tmp_path: Path
) -> None:
    explain(picture, scorer).save(tmp_path / "two.png")
    explain(picture, scorer.with_options(faces="largest")).save(tmp_path / "one.png")
    two, one = (Image.open(tmp_path / f"{name}.png") for name in ("two", "one"))
    assert two.width == one.width and two.height > one.height + 250
    edge = np.all(np.asarray(two.convert("RGB")) == (224, 122, 0), axis=2)
    assert edge[24:104, 24:120].sum() > 200  # the picture's own size, in the top left corner


def test_the_heat_map_lies_over_the_face(tmp_path: Path) -> None:
    found = explain(ASTRONAUT, Scorer(threads=1))
    (heat_map,) = found.heat_maps
    assert heat_map is not None and heat_map.frame == found.frames[0]
    data = found.to_dict()["faces"][0]["heat_map"]
    assert np.mean(data["values"]) == pytest.approx(found.result.score, abs=1e-4)
    plain = face_picture(found.pixels, heat_map.frame, (178, 218))
    shown = with_heat_map(plain, heat_map)
    deviation = heat_map.values - heat_map.values.mean()
    for place, colour in ((deviation.argmax(), RAISED), (deviation.argmin(), LOWERED)):
        row, column = np.divmod(place, deviation.shape[1])
        if abs(deviation[row, column]) < 0.9 * np.abs(deviation).max():
            continue  # faint
        at = (
            int((column + 0.5) / deviation.shape[1] * shown.width),
            int((row + 0.5) / deviation.shape[0] * shown.height),
        )
        before, after = np.array(plain.getpixel(at)), np.array(shown.getpixel(at))
        assert np.abs(after - colour).sum() < 0.6 * np.abs(before - colour).sum()
    bare = replace(found, heat_maps=(None,))
    found.save(tmp_path / "a.png")
    bare.save(tmp_path / "b.png")
    assert (tmp_path / "a.png").read_bytes() != (tmp_path / "b.png").read_bytes()


def test_a_picture_without_faces_has_its_reason(
    toy_scorer: Path, picture: Pixels, tmp_path: Path
) -> None:
    found = explain(("empty.png", picture), Scorer(toy_scorer, detector=lambda pixels: []))
    assert found.result.status is Status.NO_FACE
    assert found.lines() == [f"empty.png: no_face: {found.result.message}"]
    for suffix in ("png", "html", "json"):
        found.save(tmp_path / f"a.{suffix}")
    assert "no_face" in (tmp_path / "a.html").read_text()


def test_what_cannot_be_explained_or_written_is_said(
    scorer: Scorer, picture: Pixels, tmp_path: Path
) -> None:
    with pytest.raises(PictureError):
        explain(io.BytesIO(b"no picture"), scorer)
    found = explain(picture, scorer)
    with pytest.raises(UsageError, match=r"ends with \.png, \.html or \.json, got a\.gif"):
        found.save(tmp_path / "a.gif")
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot make the folder"):
        found.save(tmp_path / "file" / "a.json")


def test_the_command(toy_scorer: Path, picture: Pixels, tmp_path: Path) -> None:
    Image.fromarray(picture).save(tmp_path / "a.png")
    out = tmp_path / "out.json"
    options: Any = ("--scorer", toy_scorer, "--faces", "whole")
    done = run("explain", tmp_path / "a.png", "-o", out, *options)
    assert done.exit_code == 0, done.stderr
    assert "score 0." in done.stdout and "resolution" in done.stdout
    assert json.loads(out.read_text())["faces"][0]["factors"]["resolution"]["value"] > 0
    (tmp_path / "b.png").write_bytes(b"no picture")
    failed = run("explain", tmp_path / "b.png", *options)
    assert failed.exit_code == 3 and "b.png: unreadable: " in failed.stderr
    wrong = run("explain", tmp_path / "a.png", "-o", tmp_path / "a.txt", *options)
    assert wrong.exit_code == 2 and "ends in .png, .html or .json" in wrong.stderr
    nowhere = run("explain", tmp_path / "a.png", "-o", tmp_path / "a.png" / "a.png", *options)
    assert nowhere.exit_code == 2 and "cannot make the folder" in nowhere.stderr


def test_its_names_are_in_the_package() -> None:
    assert facegauge.explain is explain and facegauge.Explanation.__name__ == "Explanation"


@pytest.mark.parametrize(("band", "low"), [("bad", True), ("poor", True), ("fair", False)])
def test_a_low_score_without_a_problem_is_said_to_be_unexplained(band: str, low: bool) -> None:
    face = FaceScore(0.1, 0.0, 0.2, 1.0, band)
    assert (advice_of(face) == [UNEXPLAINED]) == low
    assert low or advice_of(face) == ["No factor is a problem."]


def test_a_rating_of_0_has_a_bar(scorer: Scorer, picture: Pixels) -> None:
    face = explain(picture, scorer).result.faces[0]
    severe = replace(face, factors={**face.factors, VALUE + "sharpness": 0.0})
    rated = severe.ratings["sharpness"]
    assert rated.rating == 0 and "width:max(0.0%, 3px)" in _row("sharpness", rated)
    assert "width" not in _row("pose", Rated(None, None))
    drawn = Image.new("RGB", (600, 400), "white")
    _bars(ImageDraw.Draw(drawn), severe, 0, 0)
    place = list(severe.ratings).index("sharpness")
    line = np.asarray(drawn)[place * LINE + LINE // 2, NAME : NAME + BAR]
    assert 3 <= (line == PROBLEMATIC).all(-1).sum() <= 5


def test_values_have_units_and_notes_their_meaning(scorer: Scorer, picture: Pixels) -> None:
    found = explain(picture, scorer)
    text = "\n".join(found.lines())
    assert re.search(r"resolution +\d\.\d\d \(value \d+\.?\d* px\)", text)
    assert re.search(r"sharpness +\d\.\d\d \(value \S+; 0\.2 blurred to 0\.5 crisp\)", text)
    assert "( " not in text and " )" not in text
    for face in found.result.faces:
        for note in face.notes:
            assert f"note {note}: {NOTES[note]}" in text
    assert any(face.notes for face in found.result.faces)
