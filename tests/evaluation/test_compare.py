"""Two versions of the same pictures."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import facegauge
from commands import run
from facegauge.errors import UsageError
from facegauge.evaluation.table_scores import TableOptions
from facegauge.results import FaceScore, ImageScore, Status
from facegauge.scorer import Scorer

Grey = Callable[..., Path]


def result(path: str, *scores: float) -> ImageScore:
    faces = tuple(FaceScore(score, 0, 1, 50, "fair") for score in scores)
    status = Status.OK if faces else Status.NO_FACE
    return ImageScore(path, status, faces, "" if faces else "no face found")


def table(file: Path, scores: Mapping[str, float], column: str = "score") -> Path:
    with file.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerows([("image", column), *scores.items()])
    return file


@pytest.fixture
def folders(grey: Grey, tmp_path: Path) -> tuple[Path, Path]:
    """Grey pictures: a of 51 (0.2) to 102 (0.4), b twice as bright, but one darker."""
    for number, level in enumerate([51, 63, 76, 89, 102]):
        grey(f"a/x/{number}.png", level)
        grey(f"b/x/{number}.png", level * 2 if number else 25)
    grey("a/alone.png", 9)
    return tmp_path / "a", tmp_path / "b"


def test_folders_are_scored_and_paired(folders: tuple[Path, Path], toy_scorer: Path) -> None:
    scorer = Scorer(toy_scorer, faces="whole")
    found = facegauge.compare(*folders, scorer=scorer, resamples=200)
    a = np.array([51, 63, 76, 89, 102]) / 255
    b = np.array([25, 126, 152, 178, 204]) / 255
    assert found.names == tuple(f"x/{number}.png" for number in range(5))
    assert found.a == pytest.approx(a, abs=1e-5) and found.b == pytest.approx(b, abs=1e-5)
    assert found.difference.value == pytest.approx((b - a).mean(), abs=1e-5)
    assert found.difference.low < found.difference.value < found.difference.high
    assert found.better.value == 0.8
    assert found.left_out == {"alone.png": "only in the first"}
    assert found.most_changed(2) == [4, 3]
    bands = {one.band: (one.n, one.n_after) for one in found.bands}
    assert bands == {"bad": (0, 1), "poor": (3, 0), "fair": (2, 0), "good": (0, 1),
                     "excellent": (0, 3)}  # fmt: skip
    poor = found.bands[1]
    assert poor.difference.value == pytest.approx((b - a)[:3].mean(), abs=1e-5)
    assert poor.better.value == pytest.approx(2 / 3)


def test_a_version_against_itself_has_no_difference() -> None:
    before = [result(f"{number}.png", number / 10) for number in range(8)]
    found = facegauge.compare(before, before, resamples=50)
    assert (found.difference.value, found.difference.low, found.difference.high) == (0, 0, 0)
    assert found.better.value == 0 and found.most_changed() == []


def test_tables_of_different_scorers_are_told(tmp_path: Path) -> None:
    tables = [table(tmp_path / f"{side}.csv", {"x.png": 0.4, "y.png": 0.6}) for side in "ab"]
    for file, name in zip(tables, ("mobile", "mspt"), strict=True):
        notes = {"settings": {"scorer": name, "faces": "auto"}}
        file.with_name(f"{file.name}.settings.json").write_text(json.dumps(notes))
    assert facegauge.compare(*tables).unlike == ("scorer mobile and mspt",)
    assert facegauge.compare(tables[0], tables[0]).unlike == ()
    done = run("compare", *tables)
    assert done.exit_code == 0 and "scored differently" in done.stdout, done.output
    assert "  scorer mobile and mspt" in done.stdout
    (tmp_path / "b.csv.settings.json").unlink()
    assert facegauge.compare(*tables).unlike == ()


def test_few_pictures_do_not_make_certain() -> None:
    before = [result(f"{number}.png", number / 10) for number in range(4)]
    after = [result(f"{number}.png", number / 10 + 0.1 + number / 100) for number in range(4)]
    found = facegauge.compare(before, after, resamples=50)
    assert found.better.value == 1 and found.better.low < 0.6
    half = 3.182 * np.std([0.10, 0.11, 0.12, 0.13], ddof=1) / 2  # Student's t of 3
    assert found.difference.high - 0.115 == pytest.approx(half, rel=1e-3)


def test_the_face_that_counts_and_pictures_without_one() -> None:
    before = [result("a.png", 0.2, 0.9), result("b.png", 0.5), result("c.png")]
    after = [result("a.jpg", 0.3, 0.4), result("b.jpg"), result("c.jpg", 0.5)]
    found = facegauge.compare(before, after, resamples=20)
    assert (found.names, found.a[0], found.b[0]) == (("a.jpg",), 0.2, 0.3)
    assert found.left_out == {
        "b.jpg": "the second has no score: no face found",
        "c.jpg": "the first has no score: no face found",
    }
    best = facegauge.compare(before, after, options=TableOptions(face="best"), resamples=20)
    assert (best.a[0], best.b[0]) == (0.9, 0.4)


def test_tables_whose_lower_scores_are_better(tmp_path: Path) -> None:
    a = table(tmp_path / "a.csv", {"1.png": 60, "2.png": 40, "3.png": 20}, "niqe")
    b = table(tmp_path / "b.csv", {"1.png": 50, "2.png": 45, "3.png": 10}, "niqe")
    options = TableOptions(score_column="niqe", lower_better=True)
    found = facegauge.compare(a, b, options=options, resamples=50)
    assert (found.mean_a.value, found.difference.value) == (40, -5)
    assert found.better.value == pytest.approx(2 / 3) and not found.bands
    assert not found.higher_is_better
    with pytest.raises(UsageError, match="better in one table and worse"):
        facegauge.compare(a, [result("1.png", 0.5)], options=options)


def test_psnr_and_ssim_beside_the_scores(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for folder in ("gt", "a", "b"):
        (tmp_path / folder).mkdir()
    for number in range(4):
        truth = rng.integers(20, 230, (16, 16, 3)).astype(np.uint8)
        for folder, error in (("gt", 0), ("a", 10), ("b", 0 if number == 3 else 5)):
            Image.fromarray(truth + np.uint8(error)).save(tmp_path / folder / f"{number}.png")
    Image.new("RGB", (9, 9)).save(tmp_path / "gt" / "2.png")
    sides = [[result(str(tmp_path / f / f"{n}.png"), 0.5) for n in range(4)] for f in "ab"]
    found = facegauge.compare(*sides, reference=tmp_path / "gt", resamples=50)
    value = found.fidelity["psnr"]
    assert value.difference.value == pytest.approx(20 * np.log10(2))  # half the error
    assert (value.mean_a.n, value.mean_b.n, value.difference.n) == (3, 2, 2)
    assert (value.equal_a, value.equal_b) == (0, 1)
    assert found.fidelity["ssim"].mean_a.n == 3
    assert any("expected the same size" in why for why in found.left_out.values())
    saved = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert saved["pictures"][3]["psnr_b"] is None and saved["psnr"]["equal_b"] == 1


def test_the_command(folders: tuple[Path, Path], toy_scorer: Path, tmp_path: Path) -> None:
    saved = tmp_path / "c.json"
    done = run("compare", *folders, "--scorer", toy_scorer, "--faces", "whole", "-o", saved,
               "--reference", folders[1])  # fmt: skip
    assert done.exit_code == 3, done.output  # one picture has no partner
    for words in ("5 pictures in both: 4 better in B, 0 equal, 1 worse", "share better in B",
                  "0.800 (", "alone.png: only in the first", "PSNR, dB: A, n = 5",
                  "identical to the reference (5 pictures)",
                  "none, of no picture in both"):  # fmt: skip
        assert words in done.stdout
    shown = json.loads(saved.read_text())["psnr"]
    assert shown["mean_a"]["value"] > 0 and shown["mean_b"]["value"] is None
    other = run("compare", *folders, "--scorer", toy_scorer, "--faces", "whole",
                "--reference", folders[0])  # fmt: skip
    assert re.search(r"PSNR, dB: B, n = 5\s+\d+\.\d+ \(", other.stdout)  # the side that differs
    assert max(map(len, done.stdout.splitlines()[2:40])) <= 80
    assert json.loads(saved.read_text())["n"] == 5


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere", "a"], "expected a folder with pictures or a table of scores, got nowhere"),
        (["t.csv", "empty"], "no pictures in empty"),
        (["t.csv", "u.csv"], "they have '1.png' and 'q.png'"),
        (["t.csv", "t.csv", "--reference", "gone"], "a folder with the reference pictures, got g"),
        (["t.csv", "t.csv", "--reference", "empty"], "no picture in empty has the name"),
        (["t.csv", "v.csv"], "no picture has a score in both versions"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    words: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    table(tmp_path / "t.csv", {"1.png": 0.5})
    table(tmp_path / "u.csv", {"q.png": 0.5})
    table(tmp_path / "v.csv", {"1.png": float("nan")})
    done = run("compare", *words)
    assert done.exit_code == 2 and message in done.stderr and done.stderr.count("\n") == 1


def test_files_can_be_left_out_of_folders(folders: tuple[Path, Path], toy_scorer: Path) -> None:
    options = {"scorer": Scorer(toy_scorer, faces="whole"), "reference": folders[0]}
    every = facegauge.compare(*folders, **options).names
    assert facegauge.compare(*folders, **options, exclude=[f"{every[0]}*"]).names == every[1:]
