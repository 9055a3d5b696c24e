"""`facegauge evaluate` on tables."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from commands import run


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
