"""`facegauge evaluate` on tables."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from commands import run

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def table(toy_data: Path, tmp_path: Path) -> Path:
    """Scores of the pictures of toy_data, nearly their labels; of the last one none."""
    lines = toy_data.read_text().splitlines()[1:]
    cells = [line.split(",") for line in lines]
    rows = [f"{name},{float(score) * 0.9:.4f}" for name, score, *_ in cells[:-1]]
    file = tmp_path / "other.csv"
    file.write_text("\n".join(["image,score", *rows, "stranger.png,0.5"]))
    return file


def test_a_table_is_evaluated_without_its_pictures(
    table: Path, toy_data: Path, tmp_path: Path
) -> None:
    alone = tmp_path / "alone" / "labels.csv"
    alone.parent.mkdir()
    head, *rows = toy_data.read_text().splitlines()
    halves = [f"{row},{'old' if number % 4 < 2 else 'new'}" for number, row in enumerate(rows)]
    alone.write_text("\n".join([f"{head},age", *halves]))
    saved = tmp_path / "out.json"
    done = run("evaluate", table, "--data", alone, "--by", "colour,age", "--by-range",
               "--join", "name", "--compare", table, "-o", saved)  # fmt: skip
    assert done.exit_code == 0, done.output
    for words in ("split val: 59 pictures", "colour, age", "range of label", "blue, old",
                  "no row in other.csv", "rows without a picture in the list: 1"):  # fmt: skip
        assert words in done.stdout
    assert max(map(len, done.stdout.splitlines()[1:40])) <= 80
    found = json.loads(saved.read_text())
    assert found["figures"]["score"]["srcc"]["value"] == pytest.approx(1)
    assert found["ignored"] == {"rows without a picture in the list": ["stranger.png"]}
    assert {one["by"] for one in found["groups"]} == {
        "colour", "age", "colour, age", "range of label"
    }  # fmt: skip
    assert found["differences"]["rmse"]["value"] == 0


def test_tables_with_path_are_lists_too(table: Path, toy_data: Path, toy_scorer: Path) -> None:
    """A list may be a table, with the pictures in `path`; a folder has no labels."""
    scores = toy_data.parent / "scores.csv"
    try:
        done = run("score", toy_data.parent, "--scorer", toy_scorer, "--faces", "whole",
                   "-o", scores)  # fmt: skip
        assert done.exit_code == 0, done.output
        done = run("evaluate", table, "--data", scores, "--join", "name")
        assert done.exit_code == 0 and "split all: 89 pictures" in done.stdout, done.output
        assert "a scorer gave them, not people" in done.stderr
        done = run("evaluate", scores, "--data", scores)
        assert "1.000 (1.000" in done.stdout
    finally:
        scores.unlink()
        scores.with_name("scores.csv.settings.json").unlink()
    done = run("evaluate", table, "--data", toy_data.parent)
    assert done.exit_code == 2 and "is a folder of pictures, which have no score" in done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--score-column", "brisque"], "has no column brisque; its columns are image, score"),
        (["--path-column", "file"], "has no column file"),
        (["--join", "nothing"], "expected --join to be one of path, name"),
        (["--face", "2"], "expected --face to be one of 0, best"),
        (["--by", "years,colour"], "has no column years"),
        (["--compare", "nowhere.csv"], "there is no table at nowhere.csv"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    table: Path, toy_data: Path, words: list[str], message: str
) -> None:
    done = run("evaluate", table, "--data", toy_data, "--join", "name", *words)
    assert done.exit_code == 2 and message in done.stderr and done.stderr.count("\n") == 1


def test_errors_of_two_scales_are_compared_after_a_fit(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    labels = rng.uniform(0.1, 0.9, 60)
    names = [f"{number}.png" for number in range(60)]
    columns = {
        "list": labels,
        "far": labels * 0.5,  # wrong, and on the scale of the labels
        "near": labels + rng.normal(0, 0.02, 60),
        "other": 100 * (labels + rng.normal(0, 0.02, 60)),
    }
    for name, scores in columns.items():
        lines = [f"{image},{score:.5f}" for image, score in zip(names, scores, strict=True)]
        (tmp_path / f"{name}.csv").write_text("image,score\n" + "\n".join(lines) + "\n")
    words = ["evaluate", tmp_path / "far.csv", "--data", tmp_path / "list.csv", "--compare"]
    raw = run(*words, tmp_path / "near.csv", "-o", tmp_path / "raw.json")
    fitted = run(*words, tmp_path / "other.csv", "-o", tmp_path / "fitted.json")
    assert "both fitted" not in raw.stdout and "RMSE, both fitted" in fitted.stdout
    raw, fitted = (json.loads((tmp_path / f"{one}.json").read_text()) for one in ("raw", "fitted"))
    assert raw["differences"]["rmse"]["value"] > 0.2 and not raw["differences_fitted"]
    assert fitted["differences"]["rmse"]["value"] < 0 and fitted["differences_fitted"]


def test_how_faces_were_read_is_said_and_photos_are_noticed(
    tmp_path: Path, grey: Callable[..., Path], toy_scorer: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lines = ["image,score"]
    for number in range(6):
        grey(f"{number}.png", 60 + 20 * number, (32, 40))
        lines.append(f"{number}.png,0.{number + 1}")
    (tmp_path / "list.csv").write_text("\n".join(lines) + "\n")
    words = ["evaluate", toy_scorer, "--data", tmp_path / "list.csv"]
    whole = run(*words)
    assert "faces: whole, each picture is taken as one framed face" in whole.stdout
    assert "not framed" not in whole.stderr + caplog.text  # there is no face to be framed
    photos = [f"{EXAMPLES}/{name},0.{n}" for n, name in enumerate(("astronaut.jpg",
              "astronaut_dark.jpg", "astronaut_jpeg.jpg"), 1)]  # fmt: skip
    (tmp_path / "photos.csv").write_text("\n".join(["image,score", *photos]) + "\n")
    noticed = run("evaluate", toy_scorer, "--data", tmp_path / "photos.csv")
    said = noticed.stderr + caplog.text
    assert "3 of 3 that were looked at are not framed" in said and "--faces auto" in said
    table = tmp_path / "t.csv"
    pictures = [tmp_path / f"{number}.png" for number in range(6)]
    done = run("score", *pictures, "--faces", "whole", "--scorer", toy_scorer, "-o", table)
    assert done.exit_code == 0
    told = run("evaluate", table, "--data", tmp_path / "list.csv", "-o", tmp_path / "t.json")
    assert "faces: whole" in told.stdout
    assert json.loads((tmp_path / "t.json").read_text())["faces"] == "whole"
