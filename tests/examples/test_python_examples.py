"""The Python examples run as they are given, and do what their first lines promise."""

from __future__ import annotations

import csv
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "examples"
PYTHON = PICTURES / "python"

pytestmark = pytest.mark.skipif(not PYTHON.is_dir(), reason="no examples in this tree")


def run(name: str, *arguments: str | Path, folder: Path) -> str:
    """What an example prints; it runs in `folder` and must end well."""
    done = subprocess.run(
        [sys.executable, PYTHON / name, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def albums(tmp_path: Path) -> Path:
    """Two folders of example pictures, a blank one among them and a file that is no picture."""
    from PIL import Image

    folder = tmp_path / "albums"
    for album, names in {"a": ("", "_dark", "_blur"), "b": ("_jpeg", "_noise")}.items():
        (folder / album).mkdir(parents=True)
        for name in names:
            shutil.copy(PICTURES / f"astronaut{name}.jpg", folder / album)
    Image.new("RGB", (64, 64)).save(folder / "a" / "blank.png")
    (folder / "b" / "broken.jpg").write_text("no picture")
    return folder


@pytest.mark.parametrize("example", sorted(PYTHON.glob("*.py")), ids=lambda file: file.stem)
def test_every_example_can_be_read_at_one_go_and_has_help(example: Path) -> None:
    assert 40 <= len(example.read_text(encoding="utf-8").splitlines()) <= 80
    done = subprocess.run(
        [sys.executable, example, "--help"], capture_output=True, text=True, check=True
    )
    assert "usage:" in done.stdout


def test_the_best_of_each_folder_are_printed_and_copied(albums: Path, tmp_path: Path) -> None:
    printed = run(
        "best_of_folder.py", albums, "--top", "1", "--copy-to", tmp_path / "c", folder=tmp_path
    )
    assert printed.startswith("1 no_face, 5 ok, 1 unreadable\n")
    copies = sorted(path.name for path in (tmp_path / "c").rglob("*.jpg"))
    assert copies == ["astronaut.jpg", "astronaut_jpeg.jpg"]
    assert sum(path.is_file() for path in albums.rglob("*")) == 7  # as before


def test_filtering_lists_every_picture_once_and_resumes(albums: Path, tmp_path: Path) -> None:
    out = tmp_path / "filtered"
    lists: dict[str, list[str]] = {}
    for threshold in ("0.25", "0.3"):  # the second run scores nothing anew
        scores = out / "scores.csv"
        before = scores.read_bytes() if scores.exists() else None
        run("filter_dataset.py", albums, "--threshold", threshold, "--output", out, folder=tmp_path)
        assert before in (None, scores.read_bytes())
        lists = {file.stem: file.read_text().splitlines() for file in out.glob("*.txt")}
        listed = [Path(path).name for paths in lists.values() for path in paths]
        assert sorted(listed) == sorted(
            path.name for path in albums.rglob("*") if path.suffix in (".jpg", ".png")
        )
    assert [Path(path).name for path in lists["keep"]] == ["astronaut.jpg"]
    assert len(lists["below"]) == 4
    assert [Path(path).name for path in lists["no_face"]] == ["blank.png"]
    assert [Path(path).name for path in lists["unreadable"]] == ["broken.jpg"]


def test_a_factor_is_in_the_result_and_in_the_table(tmp_path: Path) -> None:
    printed = run("custom_factor.py", folder=tmp_path)
    with (tmp_path / "detail.csv").open(newline="", encoding="utf-8") as file:
        rows = {Path(row["path"]).stem: row for row in csv.DictReader(file)}
    assert len(rows) == 6
    for name, row in rows.items():
        assert f"{float(row['laplacian']):.1f}" in printed and f"{name}.jpg" in printed
    detail = {name: float(row["laplacian"]) for name, row in rows.items()}
    light = {name: float(row["brightness"]) for name, row in rows.items()}
    assert detail["astronaut_blur"] < detail["astronaut"] < detail["astronaut_noise"]
    assert light["astronaut_dark"] == min(light.values())


@pytest.mark.slow
def test_a_network_is_trained_exported_and_used(tmp_path: Path) -> None:
    printed = run("train_and_export.py", "--output", "toy", folder=tmp_path)
    scorer = tmp_path / "toy" / "scorer"
    assert (scorer / "model.onnx").is_file() and (scorer / "card.toml").is_file()
    rows = [line.split() for line in printed.splitlines() if line.endswith(".jpg")]
    assert len(rows) == 6 and all(0 <= float(score) <= 1 for score, _ in rows)
    assert max(rows)[1] == "astronaut.jpg"  # it has learned that degraded copies are worse


@pytest.mark.slow
def test_a_score_that_is_gamed_leaves_the_distance_behind(tmp_path: Path) -> None:
    printed = run("restore.py", "--steps", "40", folder=tmp_path)
    rows = {line[:19].strip(): [*map(float, line[19:].split())] for line in
            printed.splitlines()[1:]}  # fmt: skip
    assert rows["distance"][0] > rows["damaged"][0]
    gamed, damaged = rows["score alone"], rows["damaged"]
    assert gamed[0] <= damaged[0] + 0.5 and gamed[1] > damaged[1] + 0.2  # no restoration
