"""The files about the repository agree with the code and with each other."""

from __future__ import annotations

import re
import tomllib
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from facegauge import zoo

ROOT = Path(__file__).parent.parent
CHANGELOG = ROOT / "CHANGELOG.md"
PAGES = (CHANGELOG, ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md")

pytestmark = pytest.mark.skipif(not CHANGELOG.is_file(), reason="not in a source tree")


def test_version_and_date_are_the_same_everywhere() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    heading = r"^## \[(\d+\.\d+\.\d+(?:rc\d+)?)\] - (\d{4}-\d\d-\d\d)$"
    released = re.search(heading, CHANGELOG.read_text(encoding="utf-8"), re.M)
    assert released
    assert released[1] == project["version"]
    assert f"\nversion: {released[1]}\n" in citation
    assert f"\ndate-released: {released[2]}\n" in citation


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
        if not target.startswith(("http:", "https:")):
            assert (ROOT / target).exists(), f"{page.name} links to {target}"


def test_the_changelog_names_every_renamed_setting() -> None:
    modules = ["facegauge.training.settings", "facegauge.training.view_settings"]
    for file in sorted(ROOT.glob("src/facegauge/training/methods/*/config.py")):
        modules.append(f"facegauge.training.methods.{file.parent.name}.config")
    table = CHANGELOG.read_text(encoding="utf-8")
    rows = [re.findall(r"[\w.]+", line) for line in re.findall(r"^  \|.*\|$", table, re.M)]
    named = {(old.split(".")[-1], new.split(".")[-1]) for row in rows for old in row for new in row}
    classes = [each for module in modules for each in vars(import_module(module)).values()]
    renamed = {pair for each in classes for pair in getattr(each, "RENAMED", {}).items()}
    assert len(renamed) > 10
    assert renamed <= named, f"not in the changelog: {sorted(renamed - named)}"


@pytest.mark.skipif(zoo.DEFAULT not in zoo.names(), reason="needs the shipped scorers")
def test_the_notice_names_all_weights_with_their_licences(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    make_notice = import_module("make_notice")
    assert (ROOT / "NOTICE").read_text(encoding="utf-8") == make_notice.notice(), (
        "run: python docs/make_notice.py"
    )
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["license-files"] == ["LICENSE", "NOTICE"]
    for name in zoo.names():
        assert f"facegauge/zoo/{name}/{zoo.MODEL}" in make_notice.notice()


WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
PINNED = re.compile(r"[\w.-]+/[\w.-]+@[0-9a-f]{40}")


def steps(workflow: dict[str, Any]) -> list[dict[str, Any]]:
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


def test_workflows_pin_what_they_use_and_may_do_little() -> None:
    yaml = pytest.importorskip("yaml")
    assert [file.stem for file in WORKFLOWS] == ["docs", "release", "tests"]
    for file in WORKFLOWS:
        workflow = yaml.safe_load(file.read_text(encoding="utf-8"))
        assert workflow["permissions"] == {"contents": "read"}
        for step in steps(workflow):
            assert "run" in step or PINNED.fullmatch(step["uses"]), step
            # what a branch is called must not become a command
            assert "${{" not in step.get("run", ""), step
        for job in workflow["jobs"].values():
            assert "timeout-minutes" in job


def test_workflows_run_every_part_of_ci_on_every_python() -> None:
    yaml = pytest.importorskip("yaml")
    tests, release = (
        yaml.safe_load((ROOT / ".github" / "workflows" / f"{name}.yml").read_text(encoding="utf-8"))
        for name in ("tests", "release")
    )
    parts = set(re.findall(r"^check_([a-z]+)\(\)", (ROOT / ".ci" / "run").read_text(), re.M))
    matrix = tests["jobs"]["part"]["strategy"]["matrix"]["part"]
    assert parts - {"workflows", "docs"} == {"tree", "release", *matrix}
    assert ".ci/run release" in [step.get("run") for step in steps(release)]
    pythons = tests["jobs"]["tree"]["strategy"]["matrix"]["python"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    said = re.findall(r"Python :: (3\.\d+)", "\n".join(project["classifiers"]))
    assert set(said) <= set(pythons) and f">={pythons[0]}" == project["requires-python"]
    publishing = release["jobs"]["pypi"]
    assert publishing["permissions"] == {"id-token": "write"}  # trusted publishing, no token
    assert publishing["environment"] == "pypi"


def test_the_sbom_holds_the_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / ".ci"))
    sbom = import_module("sbom")
    weights = [
        {"file": "zoo/a/model.onnx", "name": "scorer a", "version": "1", "licence": "for research",
         "sha256": "ab"},
        {"file": "d.onnx", "name": "detector", "version": "2", "licence": "MIT", "sha256": "cd"},
    ]  # fmt: skip
    root = {"bom-ref": "root", "name": "facegauge"}
    listed = {
        "metadata": {"component": root},
        "components": [{"name": "numpy"}],
        "dependencies": [{"ref": "root", "dependsOn": ["numpy"]}, {"ref": "numpy"}],
    }
    found = sbom.with_weights(listed, weights)
    assert [one["name"] for one in found["components"]] == ["numpy", "scorer a", "detector"]
    licences = [one["licenses"][0]["license"] for one in found["components"][1:]]
    assert licences == [{"name": "for research"}, {"id": "MIT"}]
    references = ["weights:d.onnx", "weights:zoo/a/model.onnx"]
    assert found["dependencies"][0]["dependsOn"] == ["numpy", *references]
    package = {"Name": "x", "Version": "1", "License": "A|B", "URL": "https://x"}
    page = sbom.licences([package], weights)
    assert "| x | 1 | A\\|B | https://x |" in page
    assert "Licence of `zoo/a/model.onnx`: for research" in page
