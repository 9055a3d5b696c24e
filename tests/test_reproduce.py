"""Every public data set in its layout, from its folder to scores, by the one command for it."""

from __future__ import annotations

import csv
import importlib
import json
from pathlib import Path

import pytest

from facegauge.data.manifests import load_manifest
from facegauge.zoo import load_card
from facegauge.zoo.onnx_model import Model

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


def reproduce(monkeypatch: pytest.MonkeyPatch, *words: str) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    importlib.import_module("reproduce").main([*words])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "splits", "groups"),
    [
        ("gfiqa-20k", {"train", "val", "test"}, "photo"),
        ("cgfiqa-40k", {"train", "val", "test"}, ""),
        ("piq23", {"train", "val", "test"}, "scene"),
        ("vquala-2025", {"train", "val"}, "identity"),
    ],
)
def test_a_generated_folder_goes_all_the_way(
    name: str, splits: set[str], groups: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    reproduce(monkeypatch, name, "--mock", "-o", str(tmp_path))
    labels = load_manifest(tmp_path / "labels.csv")
    assert set(labels.splits or ()) == splits and (not groups or groups in labels.groups)
    settings = (tmp_path / "run" / "config.toml").read_text()
    assert 'crop_mode = "crop"' in settings and "mirror_prob" in settings
    spec = Model(tmp_path / "scorer").spec
    size = 352 if name == "vquala-2025" else 384
    assert (spec.width, spec.height, spec.crop_mode) == (size, size, "crop")
    assert spec.crop_pct == (1.0 if name == "vquala-2025" else 0.75)
    assert spec.aspect == pytest.approx({"piq23": 0.8, "vquala-2025": 0.8165}.get(name, 1.0))
    assert spec.face_width != 0.485  # measured
    assert spec.crops == {"cgfiqa-40k": 20, "vquala-2025": 1}.get(name, 3)
    report = json.loads((tmp_path / "evaluation.json").read_text())
    assert report["split"] == ("val" if name == "vquala-2025" else "test")
    if name == "piq23":
        assert report["groups"]
    assert load_card(tmp_path / "scorer").val.n >= 5
    with (tmp_path / "scores.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 3 and all(row["status"] == "ok" for row in rows)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["ensemble", "mspt"])
def test_methods_go_all_the_way_on_the_set_of_another_paper(
    method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    reproduce(monkeypatch, "gfiqa-20k", "--method", method, "--mock", "-o", str(tmp_path))
    spec = Model(tmp_path / "scorer").spec
    assert spec.width == spec.height  # the papers' inputs are square
    assert json.loads((tmp_path / "evaluation.json").read_text())["split"] == "test"
    with (tmp_path / "scores.csv").open(newline="", encoding="utf-8") as stream:
        assert [row["status"] for row in csv.DictReader(stream)] == ["ok"] * 3


def test_what_a_method_needs_is_said_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        reproduce(monkeypatch, "cgfiqa-40k", str(tmp_path), "-o", str(tmp_path / "out"))
    assert "dsl needs --clean" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        reproduce(monkeypatch, "piq23", "-o", str(tmp_path / "out"))
    assert "give the data set's folder, or --mock" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
