"""The files about the repository agree with the code and with each other."""

from __future__ import annotations

import re
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CHANGELOG = ROOT / "CHANGELOG.md"
PAGES = (CHANGELOG, ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md")

pytestmark = pytest.mark.skipif(not CHANGELOG.is_file(), reason="not in a source tree")


def test_version_and_date_are_the_same_everywhere() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    released = re.search(
        r"^## \[(\d+\.\d+\.\d+(?:rc\d+)?)\] - (\d{4}-\d\d-\d\d)$", CHANGELOG.read_text(encoding="utf-8"), re.M
    )
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
    modules = ["facegauge.training.settings"]
    for file in sorted(ROOT.glob("src/facegauge/training/methods/*/config.py")):
        modules.append(f"facegauge.training.methods.{file.parent.name}.config")
    table = CHANGELOG.read_text(encoding="utf-8")
    rows = [re.findall(r"[\w.]+", line) for line in re.findall(r"^  \|.*\|$", table, re.M)]
    named = {(old.split(".")[-1], new.split(".")[-1]) for row in rows for old in row for new in row}
    classes = [each for module in modules for each in vars(import_module(module)).values()]
    renamed = {pair for each in classes for pair in getattr(each, "RENAMED", {}).items()}
    assert len(renamed) > 10
    assert renamed <= named, f"not in the changelog: {sorted(renamed - named)}"
