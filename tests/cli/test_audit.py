"""`facegauge audit`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from commands import run
from facegauge.cli import terminal
from facegauge.evaluation.audit_inputs import SKIN
from facegauge.scorer import Scorer

Grey = Callable[..., Path]


@pytest.fixture
def portraits(grey: Grey, toy_scorer: Path, tmp_path: Path) -> Path:
    """64 grey pictures, women 0.1 brighter than men; 2 are of age unknown. And their table."""
    lines = ["image,score,sex,age"]
    for number in range(64):
        sex, age = "fm"[number % 2], "old" if number % 4 < 2 else "young"
        level = 100 + number - 25 * (number % 2)
        grey(f"in/{number:02}.png", level)
        lines.append(f"in/{number:02}.png,{level / 255:.4f},{sex},{'' if number < 2 else age}")
    (tmp_path / "list.csv").write_text("\n".join(lines))
    scorer = Scorer(toy_scorer, faces="whole", factors=["skin", "resolution"])
    with scorer.open_table(tmp_path / "t.csv") as table:
        for result in scorer.score_iter(sorted((tmp_path / "in").iterdir())):
            table.write(result)
    return tmp_path


def test_groups_crossings_and_acceptance(portraits: Path) -> None:
    saved = portraits / "a.json"
    done = run("audit", portraits / "t.csv", "--data", portraits / "list.csv", "--by", "sex,age",
               "--accept", "0.5", "--alike", "upscale", "-o", saved)  # fmt: skip
    assert done.exit_code == 0, done.output
    for words in ("64 pictures", "all 11 groups together at 95 % (Bonferroni)", "gap to the rest",
                  "accepted at 0.5", "score - label", "least accepted", "f, (empty)", "1*",
                  "* fewer than 30 pictures", "among pictures alike"):  # fmt: skip
        assert words in done.stdout
    assert max(map(len, done.stdout.splitlines()[1:])) <= 80
    found = json.loads(saved.read_text())
    women = found["groups"][0]
    assert (women["by"], women["name"], women["n"], women["few"]) == ("sex", "f", 32, False)
    assert women["gap"]["value"] == pytest.approx(24 / 255, abs=1e-4)
    assert women["gap"]["low"] > 0 and women["residual"]["value"] == pytest.approx(0, abs=1e-4)
    assert [one["by"] for one in found["ratios"]] == ["sex", "age", "sex, age"]


def test_counterfactuals_are_those_of_the_table_s_scorer(portraits: Path, make_scorer) -> None:
    words = ["audit", portraits / "t.csv", "--data", portraits / "list.csv", "--by", "sex"]
    done = run(*words, "--counterfactual", "--scorer", portraits / "toy-scorer",
               "-o", portraits / "a.json")  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "drop of the score under degradations" in done.stdout
    drops = json.loads((portraits / "a.json").read_text())["drops"]
    dark = {one["name"]: one["drop"]["value"] for one in drops if one["kind"] == "dark"}
    assert dark["f"] > dark["m"] > 0  # the brighter lose more
    blur = [one["drop"]["value"] for one in drops if one["kind"] == "gaussian_blur"]
    assert blur == pytest.approx([0, 0], abs=1e-6)  # even pictures stay even
    (portraits / "t.csv.settings.json").unlink()
    done = run(*words, "--counterfactual")
    assert done.exit_code == 2 and "name the scorer with --scorer" in done.stderr


def test_pictures_that_cannot_be_scored_again_are_named(portraits: Path) -> None:
    (portraits / "in" / "03.png").write_bytes(b"damaged")
    saved = portraits / "a.json"
    done = run("audit", portraits / "t.csv", "--data", portraits / "list.csv", "--by", "sex",
               "--counterfactual", "--scorer", portraits / "toy-scorer", "-o", saved)  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "pictures without a drop, left out there: 1" in done.stdout and "03.png" in done.stdout
    assert [Path(one).name for one in json.loads(saved.read_text())["without_drop"]] == ["03.png"]


def test_where_lower_is_better_the_greatest_score_is_accepted(portraits: Path) -> None:
    lines = ["image,brisque", *(f"in/{number:02}.png,{number}" for number in range(64))]
    (portraits / "other.csv").write_text("\n".join(lines))
    saved = portraits / "a.json"
    done = run("audit", portraits / "other.csv", "--data", portraits / "list.csv", "--by", "sex",
               "--score-column", "brisque", "--lower-better", "--accept", "15",
               "-o", saved)  # fmt: skip
    assert done.exit_code == 0 and "accepted to 15" in done.stdout, done.output
    assert "shown with the other sign" in done.stdout
    found = json.loads(saved.read_text())
    assert [one["accepted"]["value"] for one in found["groups"]] == [0.25, 0.25]
    assert found["lower_better"] is True


def test_skin_is_shown_with_a_warning(portraits: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = portraits / "t.csv"
    head, *rows = table.read_text().splitlines()
    places = [head.split(",").index(name) for name in SKIN]
    filled = []
    for number, row in enumerate(rows):
        cells = row.split(",")
        for place in places:
            cells[place] = str(number)
        filled.append(",".join(cells))
    table.write_text("\n".join([head, *filled]) + "\n")
    done = run("audit", table, "--data", portraits / "list.csv", "--by", "sex", "--skin")
    assert done.exit_code == 0, done.output
    assert "Do not sort people by it." in done.stdout and "31.0" in done.stdout
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(terminal, "width_of", lambda _: 80)
    told = run("audit", table, "--data", portraits / "list.csv", "--by", "sex", "--skin").stdout
    start, *rest = told[told.index("Apparent skin") :].splitlines()
    paragraph = [start, *rest[: rest.index(next(line for line in rest if "by it." in line))]]
    assert len(paragraph) > 1 and all(60 < len(line) <= 80 for line in paragraph)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--by", "height"], "no column height"),
        (["--by", "one"], "one has one group, x; expected two or more"),
        (["--by", "sex", "--alike", "blur"], "has no column blur; its columns are path"),
        (["--by", "sex", "--alike", "band"], "expected numbers in the column band, got '"),
        (["--by", "sex", "--alike", "face_width"], "has no number in the column face_width"),
        (["--by", "sex", "--counterfactual"], "no scorer 'toy'"),
        (["--by", "sex", "--accept", "nan"], "expected the score to accept to be a finite number"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(portraits: Path, words: list[str], message: str) -> None:
    listed = portraits / "list.csv"
    lines = listed.read_text().splitlines()
    ones = "\n".join([f"{lines[0]},one", *(f"{line},x" for line in lines[1:])])
    listed.write_text(ones)
    done = run("audit", portraits / "t.csv", "--data", listed, *words)
    assert done.exit_code == 2 and message in done.stderr and done.stderr.count("\n") == 1


def test_skin_needs_its_columns(portraits: Path) -> None:
    (portraits / "o.csv").write_text("path,score\nin/00.png,0.5\nin/01.png,0.4\n")
    words = ["audit", portraits / "o.csv", "--data", portraits / "list.csv", "--by", "sex"]
    done = run(*words, "--skin")
    assert done.exit_code == 2 and "make it with facegauge score --factor skin" in done.stderr
