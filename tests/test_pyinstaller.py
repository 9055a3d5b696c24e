"""The hook for PyInstaller: found by its entry point, and naming all that scoring needs."""

from __future__ import annotations

import runpy
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

pytest.importorskip("PyInstaller")

from facegauge import zoo
from facegauge.cli.verbs import VERBS


def test_the_hook_names_the_files_and_the_modules() -> None:
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())
    module, _, function = project["project"]["entry-points"]["pyinstaller40"][
        "hook-dirs"
    ].partition(":")
    (folder,) = getattr(import_module(module), function)()
    hook = runpy.run_path(str(Path(folder, "hook-facegauge.py")))
    files = {(Path(target) / Path(source).name).as_posix() for source, target in hook["datas"]}
    needed = {
        f"facegauge/zoo/{name}/{file}" for name in zoo.names() for file in (zoo.MODEL, zoo.CARD)
    }
    assert needed and needed <= files
    assert "facegauge/_detector/centerface.onnx" in files
    assert "facegauge/training/methods/mspt/mspt.toml" in files
    assert any(target.endswith(".dist-info") for _, target in hook["datas"])  # for the version
    modules = set(hook["hiddenimports"])
    assert {
        "facegauge.scorer",
        "facegauge.factors.resolution",
        "facegauge.tables.scores",
    } <= modules
    assert not [name for name in modules if name.startswith(("facegauge.nn", "facegauge.training"))]
    verbs = runpy.run_path(str(Path(folder, "hook-facegauge.cli.py")))["hiddenimports"]
    assert {f"facegauge.cli.{verb}" for verb in VERBS} <= set(verbs)
