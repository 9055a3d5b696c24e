"""Whether pictures that are taken whole are photos: some are looked at."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from facegauge.arrays import Pixels
from facegauge.evaluation.photos import LOOKED_AT, warn_of_photos
from facegauge.faces.detection import Detector
from facegauge.faces.framing import face_box
from facegauge.faces.spec import PreprocessSpec
from facegauge.results import Box, Face

SPEC = PreprocessSpec(width=24, height=30)


def detector(scale: float, seen: list[int]) -> Detector:
    """One face in the middle, of `scale` times the size of a framed one; none in black pictures."""

    def detect(pixels: Pixels) -> list[Face]:
        seen.append(1)
        height, width = pixels.shape[:2]
        if not pixels.any():
            return []
        box = face_box(Box(0, 0, width, height), SPEC)
        x, y = (box.left + box.right) / 2, (box.top + box.bottom) / 2
        wide, high = scale * box.width / 2, scale * box.height / 2
        return [Face(Box(x - wide, y - high, x + wide, y + high), 0.9, ((0.0, 0.0),) * 5)]

    return detect


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    out = []
    for number in range(40):
        out.append(tmp_path / f"{number:02}.png")
        Image.new("RGB", (96, 120), (90, 90, 90)).save(out[-1])
    return out


def test_faces_that_are_small_in_their_picture_are_told(
    paths: list[Path], caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[int] = []
    warn_of_photos(paths, SPEC, detector(0.6, seen))
    assert 0 < len(seen) <= LOOKED_AT
    assert f"{len(seen)} of {len(seen)} that were looked at are not framed" in caplog.text


def test_framed_faces_are_not(paths: list[Path], caplog: pytest.LogCaptureFixture) -> None:
    warn_of_photos(paths, SPEC, detector(1.0, []))
    assert "not framed" not in caplog.text


def test_pictures_without_faces_and_empty_lists_say_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    Image.new("RGB", (96, 120)).save(tmp_path / "black.png")
    warn_of_photos([tmp_path / "black.png", tmp_path / "gone.png"], SPEC, detector(0.6, []))
    warn_of_photos([], SPEC, detector(0.6, []))
    assert not caplog.text
