"""How a list frames its faces: measured, written, read again."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from facegauge.arrays import Pixels
from facegauge.cli import app
from facegauge.data.framing import Framing, measure_framing, read_framing, write_framing
from facegauge.data.manifests import load_manifest
from facegauge.errors import UsageError
from facegauge.faces.framing import frame_around, is_framed
from facegauge.faces.spec import PreprocessSpec
from facegauge.results import Box, Face


class Marked:
    """A detector that takes the white rectangle of a picture for its face."""

    def __call__(self, pixels: Pixels) -> list[Face]:
        rows, columns = np.nonzero(pixels[..., 0] > 127)
        if not len(rows):
            return []
        box = Box(columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        return [Face(Box(*map(float, (box.left, box.top, box.right, box.bottom))), 0.9)]


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """24 pictures of 200 x 250, whose faces of 100 x 120 lie around (100, 140); 4 without one."""
    rng = np.random.default_rng(0)
    for number in range(28):
        pixels = np.zeros((250, 200, 3), np.uint8)
        if number < 24:
            right, down = rng.integers(-4, 5, 2)
            pixels[80 + down : 200 + down, 50 + right : 150 + right] = 255
        Image.fromarray(pixels).save(tmp_path / f"{number:02d}.png")
    return tmp_path


def test_medians_and_a_tolerance_that_most_pictures_keep_to(pictures: Path) -> None:
    measured = measure_framing(load_manifest(pictures), detector=Marked())
    assert (measured.pictures, measured.faces) == (28, 24)
    framing = measured.framing
    assert (framing.aspect, framing.face_width, framing.face_height) == (0.8, 0.5, 0.48)
    assert framing.center_x == pytest.approx(0.5, abs=0.01)
    assert framing.center_y == pytest.approx(0.56, abs=0.01)
    assert framing.framed_tolerance == 0.05 and not measured.is_loose
    spec = PreprocessSpec(width=64, height=64, **asdict(framing))
    frame = frame_around(Face(Box(50, 80, 150, 200), 0.9), spec)
    assert (frame.width, frame.height) == pytest.approx((200, 250), rel=0.01)
    assert is_framed(frame, 200, 250, spec)


def test_a_file_of_it_is_read_again(pictures: Path, tmp_path: Path) -> None:
    measured = measure_framing(load_manifest(pictures), count=14, detector=Marked())
    assert measured.pictures == 14
    write_framing(measured, "a/list.csv", tmp_path / "framing.toml")
    assert read_framing(tmp_path / "framing.toml") == measured.framing


def test_faces_anywhere_are_no_framing(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    for number in range(12):
        pixels = np.zeros((240, 240, 3), np.uint8)
        top, left = rng.integers(0, 190, 2)
        pixels[top : top + 40, left : left + 40] = 255
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
    assert measure_framing(load_manifest(tmp_path), detector=Marked()).is_loose


def test_too_few_faces_and_other_files_are_one_line(pictures: Path, tmp_path: Path) -> None:
    for picture in sorted(pictures.glob("*.png"))[:20]:
        picture.unlink()
    with pytest.raises(UsageError, match="4 of 8 pictures have an upright face; expected 10"):
        measure_framing(load_manifest(pictures), detector=Marked())
    other = tmp_path / "other.toml"
    other.write_text("steps = 3\n")
    with pytest.raises(UsageError, match=r"other.toml is no framing; expected aspect, face_width"):
        read_framing(other)
    values = asdict(Framing(1, 0.5, 0.5, 0.5, 0.5, 0.1))
    other.write_text("".join(f"{name} = {value}\n" for name, value in values.items()))
    assert read_framing(other).face_width == 0.5
    other.write_text(other.read_text().replace("face_width = 0.5", "face_width = 5"))
    with pytest.raises(UsageError, match=r"expected face_width to be a number from 0.01 to 1, got"):
        read_framing(other)


def test_the_verb_prints_and_writes_it(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("facegauge.faces.extraction.CenterFace", lambda **_: Marked())
    out = tmp_path / "framing.toml"
    result = CliRunner().invoke(app, ["data", "framing", str(pictures), "-o", str(out)])
    assert result.exit_code == 0, result.output
    assert "24 of 28 pictures have an upright face" in result.output
    assert "aspect" in result.output and "--framing" in result.output
    assert read_framing(out).face_width == 0.5
