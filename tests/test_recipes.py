"""The recipes of docs/recipes do what they say, on the example pictures."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from facegauge import zoo

ROOT = Path(__file__).parent.parent
RECIPES = ROOT / "docs" / "recipes"
SCORERS = pytest.mark.skipif(zoo.DEFAULT not in zoo.names(), reason="no scorer is shipped")
STAND_IN = '''
"""Stands in for fiftyone, of which the recipe uses these."""
class Detection:
    def __init__(self, label, bounding_box, confidence, quality):
        assert len(bounding_box) == 4 and all(-0.5 <= v <= 1.5 for v in bounding_box)
        assert 0 <= confidence <= 1 and 0 <= quality <= 1 and label.isalpha()
class Detections:
    def __init__(self, detections):
        assert detections and all(isinstance(one, Detection) for one in detections)
class Sample(dict):
    def __init__(self, filepath):
        super().__init__(filepath=filepath)
class Dataset(list):
    add_sample = list.append
'''

pytestmark = [pytest.mark.slow, SCORERS]


def blocks(name: str, language: str) -> list[str]:
    text = (RECIPES / f"{name}.md").read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with the examples, in which recipes run."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    return tmp_path


def python(block: str, folder: Path) -> str:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(folder)])}
    done = subprocess.run(
        [sys.executable, "-c", block],
        cwd=folder, capture_output=True, text=True, check=False, env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def shell(block: str, folder: Path, **variables: str) -> None:
    """Run a block as bash does, with this Python's facegauge."""
    tools = folder / "tools"
    tools.mkdir(exist_ok=True)
    command = tools / "facegauge"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m facegauge "$@"\n', encoding="utf-8")
    command.chmod(0o755)
    path = f"{tools}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT / "src"), **variables}
    done = subprocess.run(
        ["bash", "-euc", block],
        cwd=folder, capture_output=True, text=True, check=False, env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_every_recipe_is_listed_and_tested() -> None:
    listed = re.findall(r"\]\((.+)\.md\)", (RECIPES / "README.md").read_text(encoding="utf-8"))
    there = {page.stem for page in RECIPES.glob("*.md")} - {"README"}
    assert set(listed) == there
    tested = Path(__file__).read_text(encoding="utf-8")
    assert all(f'"{name}"' in tested for name in there)


def test_album_covers(place: Path) -> None:
    shell(blocks("album-covers", "sh")[0], place)
    assert [path.name for path in (place / "covers").rglob("*.jpg")] == ["astronaut.jpg"]
    python(blocks("album-covers", "python")[0], place)
    assert json.loads((place / "covers.json").read_text()) == {"examples": "examples/astronaut.jpg"}


def test_a_training_set_is_filtered(place: Path) -> None:
    shell(blocks("filter-training-set", "sh")[0], place)
    assert "astronaut_blur" in (place / "scores.csv").read_text()
    assert "['astronaut.jpg']" in python(blocks("filter-training-set", "python")[0], place)


def test_label_studio_reads_the_tasks(place: Path) -> None:
    python(blocks("label-studio", "python")[0], place)
    tasks = json.loads((place / "tasks.json").read_text())
    assert len(tasks) == 6
    names = re.findall(r'(?:name|toName)="(\w+)"', blocks("label-studio", "xml")[0])
    for task in tasks:
        for one in task["predictions"][0]["result"]:
            assert {one["from_name"], one["to_name"]} == set(names)
            value = one["value"]
            assert 0 <= value["x"] < value["x"] + value["width"] <= 100.5
            assert 0 <= value["y"] < value["y"] + value["height"] <= 100.5


def test_a_field_in_fiftyone(place: Path) -> None:
    (place / "fiftyone.py").write_text(STAND_IN)
    assert "6 samples" in python(blocks("fiftyone", "python")[0], place)


def test_a_gate(place: Path) -> None:
    shell(blocks("gate", "sh")[0], place)
    assert "the picture is bad" in python(blocks("gate", "python")[0], place)
    assert "entry: facegauge score --min-score" in blocks("gate", "yaml")[0]


def test_tables_are_analysed(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shell(blocks("analyse-scores", "sh")[0], place)
    with_pandas, with_polars = (python(one, place) for one in blocks("analyse-scores", "python"))
    assert "examples/astronaut.jpg" in with_pandas and "ok" in with_pandas
    assert "bad" in with_polars
    monkeypatch.chdir(place)
    rows = duckdb.sql(blocks("analyse-scores", "sql")[0]).fetchall()
    assert sum(row[1] for row in rows) == 6


def test_an_array_of_jobs(place: Path) -> None:
    job, merge = blocks("slurm", "sh")
    for number in ("1", "2"):
        for _ in range(2):  # a job that is started again
            shell(job, place, SLURM_ARRAY_TASK_ID=number, SHARDS="2")
    shell(merge, place)
    with (place / "all.csv").open(newline="") as file:
        assert len({row["path"] for row in csv.DictReader(file)}) == 6


def test_the_best_of_n(place: Path) -> None:
    sharp = float(python(blocks("best-of-n", "python")[0], place))
    assert sharp > 0.3
