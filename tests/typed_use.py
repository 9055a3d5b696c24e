"""A user's program, for type checkers: what public functions take and return.

    mypy --strict tests/typed_use.py
    pyright tests/typed_use.py

`.ci/run wheel` runs both beside an installed wheel. It is not run.
"""

# pyright: strict, reportUnnecessaryTypeIgnoreComment=true
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, assert_type

import numpy as np
import numpy.typing as npt
from PIL import Image

import facegauge
from facegauge import ImageScore, ImageScores, Scorer


def one(path: Path, picture: Image.Image, pixels: npt.NDArray[np.uint8]) -> list[ImageScore]:
    assert_type(facegauge.score("portrait.jpg"), ImageScore)
    assert_type(facegauge.score(path), ImageScore)
    assert_type(facegauge.score(path.read_bytes()), ImageScore)
    with path.open("rb") as file:
        assert_type(facegauge.score(file), ImageScore)
    assert_type(facegauge.score(picture), ImageScore)
    return [facegauge.score(pixels)]


def several(folder: Path) -> ImageScores:
    assert_type(facegauge.score(["a.jpg", "b.jpg"]), ImageScores)
    assert_type(facegauge.score(("a.jpg", "b.jpg", "c.jpg")), ImageScores)
    assert_type(facegauge.score(path for path in folder.iterdir()), ImageScores)
    assert_type(facegauge.score({"a": "a.jpg"}.items()), ImageScores)
    results = facegauge.score(folder.glob("*.jpg"))
    assert_type(results[0], ImageScore)
    assert_type(results[:2], ImageScores)
    return results


def members(result: ImageScore) -> str:
    assert_type(result.score, float | None)
    assert_type(result.status, facegauge.Status)
    best = result.best
    if best is not None and best.face is not None:
        assert_type(best.score, float)
        assert_type(best.face.box.left, float)
        assert_type(best.notes, tuple[str, ...])
    return result.path


def with_scorer(pictures: list[Path]) -> Iterator[float | None]:
    scorer = Scorer("mobile", faces="largest", min_face=40, threads=1, factors=True)
    for result in scorer.score_iter(pictures):
        yield result.score
    rows = ImageScores(scorer.score_iter(pictures)).rows()
    assert_type(rows, list[dict[str, Any]])


def refused() -> None:
    facegauge.score(3)  # type: ignore[call-overload]
    facegauge.score("portrait.jpg").faces[0].score = 1.0  # type: ignore[misc]
    Scorer("mobile", threads="two")  # type: ignore[arg-type]


def compared(folder: Path) -> float:
    return facegauge.compare(folder / "a", folder / "b").difference.value


def explained(path: Path) -> list[facegauge.FaceScore]:
    explanation = facegauge.explain(path)
    explanation.save(path.with_suffix(".html"))
    return list(explanation.result.faces)


def best_of(folder: Path) -> list[str]:
    return [found.path for found in facegauge.best([folder])]


assert_type(facegauge.__version__, str)
