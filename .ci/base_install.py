"""Runs what an install without torch can do, on pictures made here and on the examples.

    python .ci/base_install.py FOLDER

FOLDER is empty and takes all that is written. The first thing that fails ends it with its output.
"""

from __future__ import annotations

import csv
import json
import pkgutil
import shutil
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
from PIL import Image
from typer.testing import CliRunner

import facegauge
from facegauge.cli import app
from facegauge.data.leakage import refuse_leaks, without_leaks
from facegauge.data.manifests import load_manifest
from facegauge.errors import UsageError

EXAMPLES = Path(__file__).parents[1] / "examples"
NEED_TORCH = ("facegauge.nn.", "facegauge.metric.", "facegauge.training.", "facegauge.__main__")
SERVICE = "facegauge.serve."  # needs the extra of that name
REFUSED = 2


def main(folder: Path) -> None:
    import_all()
    labels = data(folder)
    run("data", "check", folder / "set", "--as", "cgfiqa-40k")
    leakage(labels, folder)
    run("models", "--verify")
    run("profile", "mobile")
    run("evaluate", "mobile", "--data", labels, "--by", "gender", "-o", folder / "figures.json")
    assert (
        json.loads((folder / "figures.json").read_text())["figures"]["score"]["n"] == COUNT["val"]
    )
    run("evaluate", "dsl", "--data", labels, "--compare", "mobile")
    label(folder, labels)
    run("degrade", EXAMPLES / "astronaut.jpg", "-o", folder / "sheet.png", "--severities", "1,5",
        "--kind", "jpeg", "--kind", "motion_blur")  # fmt: skip
    run("degrade", EXAMPLES / "astronaut.jpg", "--into", folder / "copies", "--severities", "3",
        "--kind", "noise")  # fmt: skip
    tables(folder)
    shown = run("train", "ensemble", "--data", labels, "-o", folder / "run", code=REFUSED)
    assert "pip install 'facegauge[train]'" in shown, shown
    print("all of the base install works without torch")


def run(*words: object, code: int = 0) -> str:
    """What a command prints; it has to end with that exit code."""
    done = CliRunner().invoke(app, [str(word) for word in words])
    if done.exit_code != code:
        raise SystemExit(
            f"facegauge {' '.join(map(str, words))}\n{done.output}\n{done.exception!r}"
        )
    return done.output


def import_all() -> None:
    """Every module but those made of torch, the service, and the hook that PyInstaller runs."""
    others = ("facegauge.__main__", "facegauge._pyinstaller.hook-facegauge")
    for module in pkgutil.walk_packages(
        facegauge.__path__, "facegauge.", onerror=lambda name: None
    ):
        if not module.name.startswith((*NEED_TORCH, SERVICE)) and module.name not in others:
            import_module(module.name)
    missing = [name for name in NEED_TORCH if name in sys.modules]
    assert not missing, f"a module of the base install imports {missing}"


COUNT = {"train": 6, "val": 8, "test": 4}


def data(folder: Path) -> Path:
    """A public data set in small, and its manifest."""
    rng = np.random.default_rng(0)
    for split, count in COUNT.items():
        (folder / "set" / split / "img").mkdir(parents=True)
        names = [f"{split}{number}.png" for number in range(count)]
        for name in names:
            coarse = rng.integers(0, 256, (6, 5, 3), np.uint8)
            Image.fromarray(coarse).resize((96, 116)).save(folder / "set" / split / "img" / name)
        table = {
            "Image": names,
            "MOS": np.linspace(0.1, 0.9, count).round(3).tolist(),
            "Gender": ["f" if number % 2 else "m" for number in range(count)],
        }
        (folder / "set" / split / "label.json").write_text(json.dumps(table), encoding="utf-8")
    labels = folder / "labels.csv"
    run("data", "manifest", folder / "set", "--as", "cgfiqa-40k", "-o", labels)
    return labels


def leakage(labels: Path, folder: Path) -> None:
    manifest = load_manifest(labels)
    refuse_leaks(manifest)
    (folder / "more").mkdir()
    shutil.copy(manifest.where(split="val").paths[0], folder / "more" / "a.png")
    shutil.copy(EXAMPLES / "astronaut.jpg", folder / "more" / "b.jpg")
    kept = without_leaks(load_manifest(folder / "more"), [manifest])
    assert [path.name for path in kept.paths] == ["b.jpg"]
    leaking = folder / "leaking.csv"
    again = folder / "set" / "train" / "img" / "again.png"
    shutil.copy(manifest.where(split="val").paths[0], again)
    leaking.write_text(labels.read_text() + f"{again},0.5,train,f\n")
    try:
        refuse_leaks(load_manifest(leaking))
    except UsageError as error:
        assert "leaks between splits: 1" in str(error)
    else:
        raise AssertionError("a leaking split was not refused")
    again.unlink()


def label(folder: Path, labels: Path) -> None:
    for scorer in ("mobile", "dsl"):
        table = folder / f"{scorer}.csv"
        run("label", scorer, "--views", 4, "--data", EXAMPLES, "-o", table)
        with table.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        assert len(rows) == len(list(EXAMPLES.glob("*.jpg")))
        assert all(0 < float(row["score"]) < 1 for row in rows), rows
    run("label", "mobile", "--data", labels, "--faces", "whole", "-o", folder / "whole.csv")


def tables(folder: Path) -> None:
    """A score table, and what is made of it and beside it."""
    table, drawn, cut = folder / "scores.csv", folder / "drawn", folder / "faces"
    run("score", EXAMPLES / "astronaut.jpg", folder / "copies", "-o", table, "--factors",
        "--annotate", drawn, "--crops", cut)  # fmt: skip
    for made in (drawn, cut):
        assert sum(one.is_file() for one in made.rglob("*")) == 2, sorted(made.rglob("*"))
    run("sheet", table, "-o", folder / "faces.png")
    for suffix in ("png", "json"):
        run("explain", EXAMPLES / "astronaut.jpg", "-o", folder / f"explained.{suffix}")
    run("compare", EXAMPLES, EXAMPLES, "--reference", EXAMPLES, "-o", folder / "compared.json")
    run("best", EXAMPLES, "-n", 2, "-o", folder / "best.csv")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
