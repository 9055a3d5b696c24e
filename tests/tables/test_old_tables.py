"""Tables that version 0.1.0 wrote, finished or killed, open and resume; see data/make_v0_1_0.py."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from facegauge.data.manifests import Manifest
from facegauge.errors import UsageError
from facegauge.evaluation.logistic import FittedCurve
from facegauge.labelling.label import label_into
from facegauge.labelling.label_table import Label, Table, load_labels
from facegauge.predictors import open_predictor
from facegauge.results import FIRST_COLUMNS, Box, Face, FaceScore, ImageScore, Status
from facegauge.scorer import Scorer
from facegauge.tables.scores import open_table, read_rows, read_schema
from facegauge.zoo import card_to_toml, load_card
from toys import toy_model

OLD = Path(__file__).parent / "data" / "v0_1_0"
SUFFIXES = [".csv", ".jsonl", ".parquet"]
ODD = 'ä, "odd".png'
SETTINGS = {
    "facegauge": "0.2.0",
    "scorer": "toy",
    "version": "1.0",
    "sha256": hashlib.sha256(toy_model()).hexdigest(),
    "faces": "all",
    "min_face": 24.0,
    "max_pixels": 120_000_000,
}
LABEL_SETTINGS = {key: SETTINGS[key] for key in ("facegauge", "scorer", "version", "sha256")} | {
    "faces": "whole",
    "views": 1,
    "labels": "5 pictures of known/labels.csv",
}
BOXES = (Face(Box(4, 8, 44, 60), 0.875), Face(Box(2, 2, 30.5, 40), 0.75))


def old(name: str, folder: Path) -> Path:
    """A copy of an old table, with all that lies beside it."""
    for file in OLD.glob(f"{name}*"):
        shutil.copy(file, folder)
    return folder / name


def scored(path: str, score: float, percentile: float, band: str) -> ImageScore:
    faces = [FaceScore(score, score - 0.1, score + 0.15, percentile, band, face) for face in BOXES]
    return ImageScore(path, Status.OK, tuple(faces))


RESULTS = [
    scored("a.png", 0.200001, 20.000051, "poor"),
    ImageScore(
        "broken.png",
        Status.UNREADABLE,
        message="the file is not a picture of a known format, or is damaged",
    ),
    scored(ODD, 0.400001, 40.000102, "fair"),
]
MORE = scored("b.png", 0.600002, 60.00015, "good")


def rows(*results: ImageScore) -> list[dict[str, Any]]:
    return [
        {key: round(value, 6) if isinstance(value, float) else value for key, value in row.items()}
        for result in results
        for row in result.rows(FIRST_COLUMNS)
    ]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_finished_score_table_is_read(tmp_path: Path, suffix: str) -> None:
    file = old(f"finished{suffix}", tmp_path)
    assert list(read_rows(file)) == rows(*RESULTS)
    assert [(one.name, one.type) for one in read_schema(file)] == [
        (one.name, one.type) for one in FIRST_COLUMNS
    ]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_finished_score_table_is_resumed(tmp_path: Path, suffix: str) -> None:
    file = old(f"finished{suffix}", tmp_path)
    before = file.read_bytes()
    with open_table(file, SETTINGS, resume=True) as table:
        assert all(table.is_done(result.path) for result in RESULTS)
        table.write(MORE)
    assert list(read_rows(file)) == rows(*RESULTS, MORE)
    assert read_schema(file) == FIRST_COLUMNS
    if suffix != ".parquet":
        assert file.read_bytes().startswith(before)
    stored = json.loads((tmp_path / f"{file.name}.settings.json").read_text())
    assert stored["settings"] == SETTINGS and len(stored["columns"]) == len(FIRST_COLUMNS)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_killed_score_table_is_resumed_without_gap_or_double(tmp_path: Path, suffix: str) -> None:
    file = old(f"killed{suffix}", tmp_path)
    with open_table(file, SETTINGS, resume=True) as table:
        done = [result.path for result in RESULTS if table.is_done(result.path)]
        assert done == ["a.png", "broken.png"]
        table.write(RESULTS[-1])
    assert list(read_rows(file)) == rows(*RESULTS)
    if suffix != ".parquet":
        assert file.read_bytes() == (OLD / f"finished{suffix}").read_bytes()
    else:
        assert not (tmp_path / "killed.parquet.partial.jsonl").exists()


@pytest.mark.parametrize("name", ["finished", "killed"])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_other_settings_are_refused_and_an_equal_scorer_is_not(
    tmp_path: Path, name: str, suffix: str
) -> None:
    file = old(f"{name}{suffix}", tmp_path)
    other = SETTINGS | {"sha256": "f" * 64}
    for settings, message in (
        (SETTINGS | {"faces": "auto"}, "faces was 'all', is 'auto'; repeat"),
        (SETTINGS | {"factors": ["resolution"]}, r"factors was None, is \['resolution'\]; repeat"),
        (other, "sha256 was 'beaabc"),
    ):
        with pytest.raises(UsageError, match=f"cannot resume .*{message}"):
            open_table(file, settings, resume=True)
    with open_table(file, other, same_as=[str(SETTINGS["sha256"])], resume=True) as table:
        assert table.is_done("a.png")


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_finished_table_of_labels_is_read_and_resumed(tmp_path: Path, suffix: str) -> None:
    file = old(f"labels{suffix}", tmp_path)
    manifest, weights = load_labels(file)
    assert [path.name for path in manifest.paths] == ["a.png", ODD]
    assert (manifest.labels().tolist(), weights.tolist()) == ([0.2, 0.35], [1.0, 1.0])
    table = Table(file)
    mapping = table.resume(LABEL_SETTINGS)
    assert mapping.note == "a line, not a logistic: the fit did not settle"
    assert mapping.linear == pytest.approx((0.75, 0.05), abs=1e-5)
    assert table.done == {"a.png", "broken.png", ODD}
    with table:
        table.write("b.png", Label(Path("b.png"), Status.OK, 0.6, 0.5, 0.0, 1.0), "toy")
    assert load_labels(file)[0].labels().tolist() == [0.2, 0.35, 0.5]


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_killed_table_of_labels_is_resumed(tmp_path: Path, suffix: str) -> None:
    file = old(f"killed_labels{suffix}", tmp_path)
    table = Table(file)
    assert isinstance(table.resume(LABEL_SETTINGS), FittedCurve)
    assert table.done == {"a.png", "broken.png"}
    with table:
        label = Label(Path(ODD), Status.OK, 0.400001, 0.35, 0.0, 1.0)
        table.write(ODD, label, "toy")
    expected = old(f"labels{suffix}", tmp_path)
    assert load_labels(file)[0].paths == load_labels(expected)[0].paths
    if suffix == ".csv":
        assert file.read_bytes() == expected.read_bytes()


def test_the_fixtures_are_what_plain_readers_read() -> None:
    with (OLD / "finished.csv").open(newline="", encoding="utf-8") as text:
        assert tuple(next(csv.reader(text))) == FIRST_COLUMNS.names


@pytest.fixture
def pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The pictures of the old tables and one more, in the folder that is now the current one."""
    monkeypatch.chdir(tmp_path)
    for name, level in {"a.png": 51, ODD: 102, "b.png": 153}.items():
        Image.new("RGB", (48, 64), (level,) * 3).save(name)
    Path("broken.png").write_bytes(b"no picture")
    return ["a.png", "broken.png", ODD, "b.png"]


@pytest.mark.parametrize("name", ["finished", "killed"])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_scorer_of_today_resumes_an_old_table_with_the_same_scores(
    toy_scorer: Path, pictures: list[str], tmp_path: Path, name: str, suffix: str
) -> None:
    file = old(f"{name}{suffix}", tmp_path)
    scorer = Scorer(toy_scorer, faces="all", detector=lambda pixels: list(BOXES))
    with scorer.open_table(file, resume=True) as table:
        rest = [path for path in pictures if not table.is_done(path)]
        assert rest == (pictures[3:] if name == "finished" else pictures[2:])
        for result in scorer.score_iter(rest):
            table.write(result)
    resumed = list(read_rows(file))
    with scorer.open_table(f"whole{suffix}") as table:
        for result in scorer.score_iter(pictures):
            table.write(result)
    whole = list(read_rows(f"whole{suffix}"))
    assert all(row.pop("notes") for row in whole if row["status"] == "ok")  # an even picture
    assert resumed == [{name: row[name] for name in FIRST_COLUMNS.names} for row in whole]


def test_an_old_table_resumes_with_other_weights_only_if_the_card_says_they_are_the_same(
    make_scorer: Callable[..., Path],
    pictures: list[str],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    file = old("finished.csv", tmp_path)
    folder = make_scorer("half", scale=0.999)
    scorer = Scorer(folder, faces="all", detector=lambda pixels: list(BOXES))
    with pytest.raises(UsageError, match="sha256 was 'beaabc"):
        scorer.open_table(file, resume=True)
    card = replace(load_card(folder), version="1.0", same_as=(str(SETTINGS["sha256"]),))
    (folder / "card.toml").write_text(card_to_toml(card), encoding="utf-8")
    scorer = Scorer(folder, faces="all", detector=lambda pixels: list(BOXES))
    with caplog.at_level("INFO", "facegauge"), scorer.open_table(file, resume=True) as table:
        table.write(scorer.score("b.png"))
    assert "the scorer toy of sha256 beaabca32193..., which counts as toy 1.0" in caplog.text
    assert [row["path"] for row in read_rows(file)][-3:] == [ODD, "b.png", "b.png"]
    stored = json.loads((tmp_path / "finished.csv.settings.json").read_text())["settings"]
    assert (stored["version"], stored["sha256"]) == ("1.0", card.sha256)


@pytest.mark.parametrize("name", ["labels", "killed_labels"])
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_labelling_resumes_an_old_table_with_weights_that_count_as_the_same(
    make_scorer: Callable[..., Path],
    pictures: list[str],
    tmp_path: Path,
    name: str,
    suffix: str,
) -> None:
    file = old(f"{name}{suffix}", tmp_path)
    known = Manifest(
        tuple(Path("none") for _ in range(5)), np.zeros(5), None, source=Path("known/labels.csv")
    )
    wanted = Manifest(tuple(map(Path, pictures)), None, None)
    folder = make_scorer("half", scale=0.999)

    def resumed() -> Counter[Status]:
        predictor = open_predictor(folder)
        return label_into(file, predictor, wanted, faces="whole", held_out=known, resume=True)

    with pytest.raises(UsageError, match="sha256 was 'beaabc"):
        resumed()
    card = replace(load_card(folder), same_as=(str(SETTINGS["sha256"]),))
    (folder / "card.toml").write_text(card_to_toml(card), encoding="utf-8")
    assert resumed() == {"ok": 1 if name == "labels" else 2, "unreadable": 1}  # tried again
    manifest, _ = load_labels(file)
    assert [path.name for path in manifest.paths] == ["a.png", ODD, "b.png"]
    assert manifest.labels().tolist() == pytest.approx([0.2, 0.35, 0.5], abs=1e-3)
