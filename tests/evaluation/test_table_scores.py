"""One score for each picture of a table: ours or another tool's, joined by path or by name."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from facegauge.data.manifests import Manifest, load_manifest
from facegauge.errors import UsageError
from facegauge.evaluation.evaluate import report
from facegauge.evaluation.metrics import srcc
from facegauge.evaluation.pairing import by_name, pair
from facegauge.evaluation.predictions import join_table, predict, predictions_of
from facegauge.evaluation.table_scores import TableOptions, is_table, read_scores
from facegauge.results import COLUMNS
from facegauge.scorer import Scorer


def write(file: Path, rows: Sequence[Mapping[str, object]]) -> Path:
    with file.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return file


def ours(path: str, face: object, score: object, status: str = "ok", message: str = "") -> dict:
    row: dict[str, object] = dict.fromkeys(COLUMNS.names, "")
    return {**row, "path": path, "face": face, "status": status, "score": score, "message": message}


def labels(folder: Path, names: Sequence[str]) -> Manifest:
    rows = [{"image": name, "score": number / 10} for number, name in enumerate(names)]
    return load_manifest(write(folder / "labels.csv", rows), must_exist=False)


def test_of_several_faces_number_0_counts_or_the_best(tmp_path: Path) -> None:
    rows = [
        ours("a.png", 1, 0.9),
        ours("a.png", 0, 0.4),
        ours("a.png", 2, ""),
        ours("c.png", 0, ""),
    ]
    table = write(tmp_path / "t.csv", [*rows, ours("b.png", "", "", "no_face", "no face found")])
    first = read_scores(table)
    assert first.paths == ("a.png", "c.png", "b.png") and not first.doubled
    assert first.scores[0] == 0.4
    assert first.reasons == {1: "its row has no score", 2: "no face found"}
    assert read_scores(table, TableOptions(face="best")).scores[0] == 0.9


def test_rows_that_do_not_count_are_named(tmp_path: Path) -> None:
    names = [f"{letter}.png" for letter in "abcdef"]
    scores = ["0.1", "", "inf", "no", "0.5", "0.6"]
    rows = [{"image": n, "score": s} for n, s in zip(names, scores, strict=True)]
    rows += [{"image": "./a.png", "score": "0.9"}, {"image": "other.png", "score": "1"}]
    table = read_scores(write(tmp_path / "t.csv", rows))
    found = join_table(table, labels(tmp_path, [*names, "g.png"]))
    assert found.scores.tolist()[::4] == [0.1, 0.5]  # the first row of a.png counts
    assert found.unscored == {
        1: "its row has no score",
        2: "its score is not finite: inf",
        3: "its score is not a number: 'no'",
        6: "no row in t.csv",
    }
    assert found.ignored == {
        "rows without a picture in the list": ("other.png",),
        "further rows of a picture, of which the first counts": ("./a.png",),
    }


def test_other_columns_and_a_falling_scale(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    truth = rng.uniform(size=60)
    names = [f"x/{number}.jpg" for number in range(60)]
    listed = [{"image": n, "score": round(t, 3)} for n, t in zip(names, truth, strict=True)]
    manifest = load_manifest(write(tmp_path / "labels.csv", listed), must_exist=False)
    table = tmp_path / "t.jsonl"
    lines = [{"file": f"D:\\out\\{n[2:-4]}.png", "brisque": 90 - 80 * t}
             for n, t in zip(names, truth, strict=True)]  # fmt: skip
    table.write_text("\n".join(map(json.dumps, lines)))
    options = TableOptions("file", "brisque", lower_better=True, join="name")
    found = join_table(read_scores(table, options), manifest, "name")
    assert srcc(found.scores, truth) == pytest.approx(1) and not found.on_label_scale
    judged = report(manifest, found, by_range=True, other=found, resamples=20)
    figures = judged.figures["score"]
    assert figures.rmse.value < 0.01  # of the fitted scores, not of -90..-10
    assert "RMSE is that of the fitted scores" in figures.notes[-1]
    assert all(abs(gap.residual.value) < 0.02 for gap in judged.groups["range of label"])
    assert judged.differences["rmse"].value == 0


def test_paths_may_be_relative_to_the_table_or_the_list_or_here(
    tmp_path: Path, monkeypatch
) -> None:
    (tmp_path / "lists" / "in").mkdir(parents=True)
    (tmp_path / "tables").mkdir()
    manifest = labels(tmp_path / "lists", ["in/a.png", "in/b.png"])
    for text in ("in/a.png", "../lists/in/a.png", "in\\a.png", str(tmp_path / "lists/in/a.png")):
        table = write(tmp_path / "tables" / "t.csv", [{"path": text, "score": 0.25}])
        assert join_table(read_scores(table), manifest).scores[0] == 0.25
    monkeypatch.chdir(tmp_path)
    table = write(tmp_path / "tables" / "t.csv", [{"path": "lists/in/a.png", "score": 0.25}])
    assert join_table(read_scores(table), manifest).scores[0] == 0.25


def test_few_pictures_have_figures_without_intervals(tmp_path: Path) -> None:
    names = [f"{number}.png" for number in range(5)]
    rows = [{"path": name, "score": number / 8} for number, name in enumerate(names)]
    found = join_table(read_scores(write(tmp_path / "t.csv", rows)), labels(tmp_path, names))
    judged = report(labels(tmp_path, names), found, other=found, resamples=20)
    figures = judged.figures["score"]
    assert figures.srcc.value == pytest.approx(1) and np.isnan(figures.srcc.low)
    assert np.isnan([figures.krcc.low, figures.rmse.low, judged.differences["srcc"].low]).all()


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("t.csv", "path,score\na.png,1\n".encode("utf-16"), "UTF-16; expected UTF-8"),
        ("t.csv", b"", "is empty; expected a header with the names of its columns"),
        ("t.jsonl", b'{"path": "a", "score": 1}\nno\n', "line 2: no JSON"),
        ("t.jsonl", b'{"path": "a", "score": 1}\n3\n', "line 2: expected a JSON object"),
        ("t.jsonl", b"\n", "is empty; expected one JSON object a line"),
        ("t.tsv", b"path\tscore\n", "expected a .csv, .jsonl or .parquet file"),
    ],
)
def test_what_is_no_table_is_said(tmp_path: Path, name: str, text: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(text)
    assert is_table(tmp_path / name)
    with pytest.raises(UsageError, match=message):
        read_scores(tmp_path / name)


def test_json_lines_end_at_line_feeds_alone(tmp_path: Path) -> None:
    lines = json.dumps({"path": "a\u2028b\x85.png", "score": 0.5}, ensure_ascii=False)
    (tmp_path / "t.jsonl").write_text("\ufeff" + lines + "\r\n", encoding="utf-8")
    assert read_scores(tmp_path / "t.jsonl").paths == ("a\u2028b\x85.png",)


def test_an_empty_join_names_what_was_expected(tmp_path: Path) -> None:
    table = read_scores(write(tmp_path / "t.csv", [{"path": "z/q.png", "score": 1}]))
    with pytest.raises(UsageError, match=r"'z/q.png', expected such as .*a\.png.*try --join name"):
        join_table(table, labels(tmp_path, ["a.png"]))


def test_names_that_are_not_unique_pair_nothing() -> None:
    pairs = by_name(["1/a.png", "2/a.png", "b.png", "c.png"], ["x/a.jpg", "x/b.jpg", "d.jpg"])
    assert pairs.rows == ((2, 1),)
    assert (pairs.left_doubled, pairs.right_doubled) == ((0, 1), (0,))
    assert (pairs.left_alone, pairs.right_alone) == ((3,), (2,))


def test_full_names_come_before_names_without_suffix() -> None:
    assert by_name(["a.png", "a.jpg"], ["a.jpg", "a.png"]).rows == ((1, 0), (0, 1))
    assert pair([], ["a"]).right_alone == (0,)


def test_a_table_of_ours_gives_the_figures_of_scoring_anew(toy_data, toy_scorer, tmp_path) -> None:
    manifest = load_manifest(toy_data)
    scorer = Scorer(toy_scorer, faces="whole")
    with scorer.open_table(tmp_path / "t.csv") as table:
        for result in scorer.score_iter(manifest.paths):
            table.write(result)
    anew = report(manifest, predict(toy_scorer, manifest), by=["colour"], resamples=50)
    read = predictions_of(tmp_path / "t.csv", manifest)
    assert report(manifest, read, by=["colour"], resamples=50).to_dict() == anew.to_dict()
    val = predictions_of(tmp_path / "t.csv", manifest, "val")
    assert len(val.scores) == 60 and not val.ignored  # rows of train have a partner


@pytest.mark.parametrize("wrong", [{"face": "1"}, {"join": "stem"}])
def test_wrong_options_are_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="expected --"):
        TableOptions(**wrong)
