"""`facegauge doctor`, as typed."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from commands import run
from facegauge import zoo
from facegauge.cli import doctor


def test_doctor(toy_scorer: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zoo, "_HERE", toy_scorer.parent)
    monkeypatch.setattr(zoo, "DEFAULT", "toy-scorer")
    monkeypatch.setattr(doctor, "_detector", lambda: "runs")
    monkeypatch.setattr(doctor, "EXTRAS", {"here": ("json",), "gone": ("no_such_module",)})
    result = run("doctor")
    assert result.exit_code == 0, result.stdout
    assert "a black picture has the score 0.000" in result.stdout
    assert re.search(r"ok +extra \[here\] +installed", result.stdout)
    assert "pip install 'facegauge[gone]' (missing: no_such_module)" in result.stdout
    (toy_scorer / "model.onnx").write_bytes(b"x")
    result = run("doctor")
    assert result.exit_code == 1
    assert re.search(r"BROKEN +scorer toy-scorer +ScorerError: .*damaged", result.stdout)


def test_doctor_knows_the_extras_of_the_project() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    declared = project["project"]["optional-dependencies"]
    for extra, modules in doctor.EXTRAS.items():
        packages = [re.split(r"[>=<\[]", line)[0].replace("-", "_") for line in declared[extra]]
        assert sorted(packages) == sorted(modules)
    assert set(declared) - {"dev", "docs"} == set(doctor.EXTRAS)


@pytest.mark.parametrize("others", [("onnxruntime-gpu",), ("onnxruntime-directml",), ()])
def test_doctor_warns_of_packages_installed_over_each_other(
    others: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    def version(name: str) -> str:
        if name not in ("onnxruntime", *others):
            raise PackageNotFoundError(name)
        return "1.2.3"

    monkeypatch.setattr("importlib.metadata.version", version)
    rows = list(doctor._beside_onnxruntime())
    assert len(rows) == len(others)
    for mark, _, text in rows:
        assert mark == "WARNING"
        assert text.startswith(f"onnxruntime 1.2.3 and {others[0]} 1.2.3 are installed")


def test_doctor_finds_two_packages_of_one_module_by_their_metadata(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("sys.path", [str(tmp_path)])
    for name in ("onnxruntime", "onnxruntime-gpu"):
        folder = tmp_path / f"{name.replace('-', '_')}-1.2.3.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2.3\n")
        rows = list(doctor._beside_onnxruntime())
        assert len(rows) == (name == "onnxruntime-gpu")
    assert rows[0][0] == "WARNING" and "onnxruntime-gpu 1.2.3 are installed" in rows[0][2]
