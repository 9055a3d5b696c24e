"""Writes the tables of v0_1_0/ with facegauge 0.1.0 (commit c862c74); kept to show how they arose.

    git worktree add OLD c862c74
    PYTHONPATH=OLD/src:OLD/tests python tests/tables/data/make_v0_1_0.py

The pictures are grey, made in code, and named in the tables by their names alone. `finished.*` hold
a.png with two faces, an odd name, and a damaged picture; `killed.*` was killed while it wrote the
second row of the last of these pictures.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import numpy as np
from facegauge.training.judge import open_judge  # type: ignore[import-not-found]
from facegauge.training.label import label_into  # type: ignore[import-not-found]
from facegauge.training.manifests import Manifest  # type: ignore[import-not-found]
from PIL import Image

from facegauge import Box, Face, Scorer, __version__  # type: ignore[attr-defined]
from facegauge.cli.score import _open_sink  # type: ignore[attr-defined]
from facegauge.zoo import card_to_toml
from toys import toy_card, toy_model

OUT = Path(__file__).parent / "v0_1_0"
ODD = 'ä, "odd".png'
LEVELS = {"a.png": 51, ODD: 102, "b.png": 153, "c.png": 204}


def detector(pixels: object) -> list[Face]:
    """Two faces of any picture."""
    return [Face(Box(4, 8, 44, 60), 0.875), Face(Box(2, 2, 30.5, 40), 0.75)]


def main() -> None:
    assert __version__ == "0.1.0"
    with tempfile.TemporaryDirectory() as place:
        os.chdir(place)
        folder = Path("toy")
        folder.mkdir()
        (folder / "model.onnx").write_bytes(toy_model())
        (folder / "card.toml").write_text(card_to_toml(toy_card(toy_model())))
        for name, level in LEVELS.items():
            Image.new("RGB", (48, 64), (level,) * 3).save(name)
        Path("broken.png").write_bytes(b"no picture")
        scores(Scorer(folder, faces="all", detector=detector))
        labels(folder)


def scores(scorer: Scorer) -> None:
    pictures = ["a.png", "broken.png", ODD]
    for suffix in (".csv", ".jsonl", ".parquet"):
        out = OUT / f"finished{suffix}"
        with _open_sink(out, scorer, resume=False, overwrite=True) as table:
            for name in pictures:
                table.write(scorer.score(name))
        out = OUT / f"killed{suffix}"
        table = _open_sink(out, scorer, resume=False, overwrite=True)
        for name in pictures:
            table.write(scorer.score(name))
        table._file.close()
        lines = next(path for path in OUT.glob(f"killed{suffix}*") if "settings" not in path.name)
        lines.write_bytes(lines.read_bytes()[:-20])


def labels(folder: Path) -> None:
    judge = open_judge(folder)
    pictures = Manifest(tuple(map(Path, ["a.png", "broken.png", ODD])), None, None)

    def killed(labels, pictures):  # type: ignore[no-untyped-def]
        yield from labels
        raise KeyboardInterrupt

    known = tuple(map(Path, ["a.png", ODD, "b.png", "c.png", "a.png"]))
    scores = np.array([0.2, 0.35, 0.5, 0.65, 0.2])
    held_out = Manifest(known, scores, None, source=Path("known/labels.csv"))
    for suffix in (".csv", ".parquet"):
        for name in ("labels", "killed_labels"):
            out = Path(f"{name}{suffix}")
            try:
                label_into(
                    out,
                    judge,
                    pictures,
                    faces="whole",
                    held_out=held_out,
                    overwrite=True,
                    watch=killed if name == "killed_labels" else lambda labels, pictures: labels,
                )
            except KeyboardInterrupt:
                journal = Path(f"{out}.partial.jsonl")
                journal.write_bytes(journal.read_bytes()[:-20])
            for file in Path().glob(f"{out}*"):
                (OUT / file.name).write_bytes(file.read_bytes())


if __name__ == "__main__":
    main()
