"""What is seen of scores: annotated copies, faces cut out, the contact sheet."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from commands import run
from facegauge.errors import UsageError
from facegauge.placing import Place
from facegauge.results import Box, Face, FaceScore, ImageScore, Status
from facegauge.tables.faces import read_faces
from facegauge.tables.scores import open_table
from facegauge.visual.crops import around, cut, cut_out
from facegauge.visual.drawing import COLOURS, annotate
from facegauge.visual.saving import saving
from facegauge.visual.sheet import contact_sheet, worst_and_best
from toys import TOY_SPEC

Write = Callable[..., Path]
# left eye, right eye, nose, corners of the mouth of an upright face
UPRIGHT = ((40.0, 50.0), (60.0, 50.0), (50.0, 61.0), (42.0, 70.0), (58.0, 70.0))


def scored(
    score: float, box: Box | None, points: tuple[tuple[float, float], ...] = ()
) -> FaceScore:
    from facegauge.calibration import band

    return FaceScore(score, 0.0, 1.0, 50.0, band(score), box and Face(box, 0.9, points))


def result(path: str | Path, *faces: FaceScore) -> ImageScore:
    return ImageScore(str(path), Status.OK if faces else Status.NO_FACE, faces)


def test_boxes_numbers_and_scores_are_drawn_and_the_pixels_stay() -> None:
    pixels = np.full((200, 300, 3), 255, np.uint8)
    boxes = Box(50, 60, 120, 150), Box(200, 2, 290, 90)
    faces = scored(0.1, boxes[0]), scored(0.8, boxes[1])
    drawn = np.asarray(annotate(pixels, result("a", *faces)))
    bad, excellent = COLOURS["bad"], COLOURS["excellent"]
    assert tuple(drawn[149, 80]) == tuple(drawn[100, 50]) == bad  # its lower and its left line
    assert tuple(drawn[89, 250]) == excellent and tuple(drawn[100, 80]) == (255, 255, 255)
    assert (drawn[40:60, 50:120] == bad).all(-1).sum() > 300  # a label above it, white on a colour
    assert (drawn[2:30, 200:290] == excellent).all(-1).sum() > 300  # inside: no room above
    assert (pixels == 255).all()
    labels = [
        np.asarray(annotate(pixels, one)) for one in (result("a", scored(0.5, None)), result("a"))
    ]
    assert not np.array_equal(*labels)  # "0  0.50 good" and "no face"


@pytest.mark.parametrize("size", [(1, 1), (9, 200), (4000, 30)])
def test_pictures_of_any_size_can_be_drawn_on(size: tuple[int, int]) -> None:
    pixels = np.zeros((*size, 3), np.uint8)
    for one in (result("a"), result("a", scored(0.5, Box(-9, -9, 5, 5)), scored(0.4, None))):
        assert annotate(pixels, one).size == size[::-1]


def test_a_face_is_cut_out_as_its_frame_and_set_upright() -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 255, (100, 100, 3), np.uint8)
    face = Face(Box(30, 40, 70, 80), 0.9, UPRIGHT)
    crop = cut_out(pixels, face, TOY_SPEC)
    assert np.isin(crop, pixels).all() and crop.shape[0] > 40 and crop.shape[1] > 40
    lying = np.ascontiguousarray(np.rot90(pixels, -1))  # turned clockwise: x, y -> 100 - y, x
    turned = Face(Box(20, 30, 60, 70), 0.9, tuple((100 - y, x) for x, y in UPRIGHT))
    assert np.array_equal(cut_out(lying, turned, TOY_SPEC), crop)
    assert cut_out(pixels, None, TOY_SPEC) is pixels
    assert cut(pixels, Box(-50, -50, -10, -10)).shape == (1, 1, 3)
    assert around(Box(0, 0, 20, 10)) == Box(-7, -12, 27, 22)


def test_copies_and_faces_are_saved_as_results_pass(
    tmp_path: Path, grey: Write, caplog: pytest.LogCaptureFixture
) -> None:
    picture, other = grey("in/a/one.png", 90), grey("in/b/one.jpg", 90)
    faces = scored(0.5, Box(10, 10, 20, 22)), scored(0.4, Box(30, 10, 36, 18))
    results = [
        result(picture, *faces),
        result(other),
        result(tmp_path / "in" / "gone.png", faces[0]),
        ImageScore(str(tmp_path / "in" / "bad.png"), Status.UNREADABLE),
    ]
    places = [Place(tmp_path / name, [tmp_path / "in"]) for name in ("drawn", "faces")]
    passed = list(saving(iter(results), TOY_SPEC, annotated=places[0], crops=places[1]))
    assert passed == results

    def made(folder: str) -> list[str]:
        files = (file for file in (tmp_path / folder).rglob("*") if file.is_file())
        return sorted(file.relative_to(tmp_path / folder).as_posix() for file in files)

    assert made("drawn") == ["a/one.png.jpg", "b/one.jpg"]
    assert made("faces") == ["a/one-face0.png", "a/one-face1.png"]
    with Image.open(tmp_path / "faces/a/one-face0.png") as face:
        assert np.all(np.asarray(face) == 90)
    assert "gone.png: not drawn" in caplog.text and "bad.png" not in caplog.text


def test_score_draws_and_cuts(toy_scorer: Path, grey: Write, tmp_path: Path) -> None:
    folder = grey("in/a.png", 51).parent
    arguments = ["score", folder, "--scorer", toy_scorer, "--faces", "whole"]
    inside = ["--annotate", folder / "drawn", "--crops", folder / "faces"]
    for number in (1, 2):  # what an earlier run has made is not scored, and not saved again
        done = run(*arguments, *inside, "-o", tmp_path / f"{number}.csv")
        assert done.exit_code == 0 and "1 picture, 1 face," in done.stderr
    assert [file.name for file in (folder / "drawn").iterdir()] == ["a.png.jpg"]
    assert len(list((folder / "faces").iterdir())) == 1
    refused = run(*arguments, "--crops", folder)
    assert refused.exit_code == 2 and "choose another folder to write to" in refused.stderr


@pytest.fixture
def table(tmp_path: Path, grey: Write) -> Path:
    path = tmp_path / "scores.csv"
    with open_table(path) as rows:
        for number in range(5):
            picture = grey(f"{number}.png", 40 * number + 20)
            rows.write(result(picture, scored(number / 5, Box(4, 4, 30, 34))))
        rows.write(result(tmp_path / "gone.png", scored(0.99, None)))
        rows.write(result(tmp_path / "empty.png"))
    return path


def test_a_table_gives_its_faces_and_its_failures(table: Path, tmp_path: Path) -> None:
    found = read_faces(table)
    assert [face.score for face in found.faces] == [0, 0.2, 0.4, 0.6, 0.8, 0.99]
    assert found.faces[0].box == Box(4, 4, 30, 34) and found.faces[5].box is None
    assert [one.status for one in found.failures] == ["no_face"] and found.pictures == 7
    assert found.file("3.png") == tmp_path / "3.png"  # beside the table
    assert found.file("nowhere.png") == Path("nowhere.png")


@pytest.mark.parametrize(
    ("name", "cell", "words"),
    [
        ("score", "1.5", "row 1: expected a score in 0..1, got 1.5"),
        ("right", "-5", "row 1: a box needs right > left"),
        ("left", "x", "is not a score table"),
    ],
)
def test_what_cannot_be_in_a_table_is_one_line(
    table: Path, name: str, cell: str, words: str
) -> None:
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    rows[0][name] = cell
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    with pytest.raises(UsageError, match=words):
        read_faces(table)
    (table.parent / "other.csv").write_text("image,mos\n1.jpg,3\n")
    with pytest.raises(UsageError, match="is not a score table"):
        read_faces(table.parent / "other.csv")
    with pytest.raises(UsageError, match="there is no table at"):
        read_faces(table.parent / "none.csv")


def test_the_worst_and_the_best_do_not_overlap(table: Path) -> None:
    faces = read_faces(table).faces
    worst, best = worst_and_best(faces, 2)
    assert [one.score for one in worst] == [0, 0.2] and [one.score for one in best] == [0.99, 0.8]
    worst, best = worst_and_best(faces[:5], 9)
    assert [one.score for one in (*worst, *best)] == [0, 0.2, 0.4, 0.8, 0.6]


def test_a_contact_sheet_shows_faces_and_what_is_gone(table: Path, tmp_path: Path) -> None:
    sheet = np.asarray(contact_sheet(read_faces(table), 2, cell=64, columns=1))
    assert sheet.shape[1] == 64 + 16
    centre = [tuple(pixel) for pixel in sheet[:, 40]]
    greys = [place for place in (20, 60, 180) if (place,) * 3 in centre]
    assert greys == [20, 60, 180]  # the two worst, and the best that is there
    assert (sheet == 225).all(-1).sum() > 3000  # the cell of the one that is gone
    for name in ("s.png", "s.jpg"):
        assert run("sheet", table, "-o", tmp_path / name, "-n", "2").exit_code == 0
        with Image.open(tmp_path / name) as image:
            assert image.width == 2 * 136 + 8
    for words, output in (
        ("ends in .png, .jpg or .jpeg", "s.gif"),
        ("cannot make the folder", "scores.csv/s.png"),
    ):
        refused = run("sheet", table, "-o", tmp_path / output)
        assert refused.exit_code == 2 and words in refused.stderr
    table.write_text(table.read_text().splitlines()[0] + "\n")
    refused = run("sheet", table, "-o", tmp_path / "none.png")
    assert refused.exit_code == 2 and "has no face with a score" in refused.stderr
