"""Detections are cached on disk: a run searches each picture once; only whole lines count."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facegauge.arrays import Pixels
from facegauge.data.manifests import load_manifest
from facegauge.faces import detection_cache
from facegauge.faces.detection_cache import NAME, CachedDetector
from facegauge.results import Box, Face
from facegauge.training.begin import begin_run
from facegauge.training.config import apply_overrides, load_preset
from toys import ToyPredictor, grain

POINTS = ((3.5, 4.0), (7.25, 4.0), (5.0, 6.0), (4.0, 8.0), (6.0, 8.0))
FACES = [Face(Box(9.5, 12, 39, 51), 0.75, POINTS), Face(Box(0, 0, 2, 2), 0.5)]


class Counting:
    """Finds two faces in a picture that is not black, none in a black one."""

    def __init__(self, name: str = "counting") -> None:
        self.name, self.calls = name, 0

    def __repr__(self) -> str:
        return self.name

    def __call__(self, pixels: Pixels) -> list[Face]:
        self.calls += 1
        return FACES if pixels.any() else []


def picture(value: int, shape: tuple[int, int] = (12, 10)) -> Pixels:
    return np.full((*shape, 3), value, np.uint8)


def test_what_was_found_is_not_searched_again(tmp_path: Path) -> None:
    first, second = Counting(), Counting()
    finder = CachedDetector(tmp_path, first)
    assert [finder(picture(9)), finder(picture(9)), finder(picture(0))] == [FACES, FACES, []]
    assert first.calls == 2
    later = CachedDetector(tmp_path, second)
    assert [later(picture(9)), later(picture(0))] == [FACES, []]
    assert second.calls == 0
    later(picture(9, (10, 12)))  # the same bytes in another shape
    assert second.calls == 1


def test_another_detector_or_version_searches_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    CachedDetector(tmp_path, Counting())(picture(9))
    other, newer = Counting("other"), Counting()
    CachedDetector(tmp_path, other)(picture(9))
    monkeypatch.setattr(detection_cache, "__version__", "99")
    CachedDetector(tmp_path, newer)(picture(9))
    assert other.calls == newer.calls == 1


def test_lines_that_were_cut_short_are_searched_again(tmp_path: Path) -> None:
    finder = CachedDetector(tmp_path, Counting())
    finder(picture(1))
    whole = (tmp_path / NAME).read_bytes()
    for end in range(1, len(whole)):
        (tmp_path / NAME).write_bytes(whole[:end])
        again = Counting()
        mended = CachedDetector(tmp_path, again)
        assert mended(picture(1)) == FACES and mended(picture(2)) == FACES
        assert again.calls == 2
        last = Counting()
        known = CachedDetector(tmp_path, last)
        assert known(picture(1)) == known(picture(2)) == FACES
        assert last.calls == 0


def test_what_cannot_be_kept_is_found_all_the_same(tmp_path: Path) -> None:
    finder = CachedDetector(tmp_path / "gone", Counting())
    assert finder(picture(9)) == finder(picture(9)) == FACES


def test_a_run_searches_every_face_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the labelled and unlabelled pictures of a recipe, and in those it labels and resumes."""
    finder = Counting()
    monkeypatch.setattr(detection_cache, "CenterFace", lambda **_: finder)
    rng = np.random.default_rng(0)
    rows = ["image,score,split"]
    for number in range(12):
        grain(tmp_path / f"{number}.png", rng, (number + 1) / 13)
        rows.append(f"{number}.png,{number / 13:.4f},{'val' if number % 2 else 'train'}")
    (tmp_path / "labels.csv").write_text("\n".join(rows))
    data = load_manifest(tmp_path / "labels.csv")
    more = []
    for name in ("known", "told"):
        (tmp_path / name).mkdir()
        more += [load_manifest(grain(tmp_path / name / "0.png", rng, 0.5).parent)]
    small = ["input.width=48", "input.height=64", "label.views=1"]
    config = apply_overrides(load_preset("efficient_fiqa", "cpu"), small)
    spec = config.input.spec
    teacher = ToyPredictor("edges", "0" * 64, spec, lambda seen: abs(np.diff(seen)).mean((1, 2, 3)))

    def begin(resume: bool) -> None:
        context = begin_run(
            config, data, more[:1], tmp_path / "run", spec=spec, resume=resume, landmarks=True
        )
        assert len(context.maker.pictures) == 7
        table = tmp_path / "told.csv"
        found, _ = context.pseudo_labelled(table, teacher, more[1], "auto", config.label)
        assert len(found) == 1 and finder.calls == 12 + 1 + 1

    begin(resume=False)
    begin(resume=True)
