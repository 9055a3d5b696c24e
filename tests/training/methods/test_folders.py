"""Every method lies in one folder, which says which file holds what."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest

import facegauge.training.methods

METHODS = Path(facegauge.training.methods.__file__).parent
NAMES = sorted(folder.name for folder in METHODS.iterdir() if (folder / "recipe.py").is_file())


PAPERS = ["dsl_fiqa", "efficient_fiqa", "light_ensemble", "mspt"]


OURS = ["finetune", "photos"]


def test_there_are_four_papers_and_two_methods_of_our_own() -> None:
    assert sorted(NAMES) == sorted([*PAPERS, *OURS])


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_names_all_its_files_and_its_paper(name: str) -> None:
    text = import_module(f"facegauge.training.methods.{name}").__doc__ or ""
    files = {file for file in METHODS.joinpath(name).iterdir() if file.suffix in (".py", ".toml")}
    modules = {file.stem for file in files if file.suffix == ".py"} - {"__init__"}
    named = set(re.findall(r"`([\w.]+)`", text))
    assert modules <= named and f"{name}.toml" in named
    assert name not in PAPERS or re.search(r"arXiv \d{4}\.\d{5}", text)
    local = {word for word in named if "." not in word}
    assert local <= modules, f"there is no {', '.join(sorted(local - modules))}"
