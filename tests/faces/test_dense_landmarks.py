"""Dense landmark files: their place, and the errors of damaged ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facegauge.arrays import Pixels
from facegauge.errors import UsageError
from facegauge.faces.dense_landmarks import dense_vector, landmark_path, load_landmarks
from facegauge.faces.extraction import FaceExtractor
from facegauge.faces.framing import crop_frames
from facegauge.faces.guide import landmarks_of, mirror_guide
from facegauge.faces.policy import ExtractionPolicy
from facegauge.faces.spec import PreprocessSpec
from facegauge.results import Box, Face, Status


def test_landmark_files(tmp_path: Path) -> None:
    picture = tmp_path / "train" / "img" / "7_0.png"
    file = landmark_path(picture)
    assert file == tmp_path / "train" / "landmark" / "7_0.npy"
    file.parent.mkdir(parents=True)
    np.save(file, np.array([[1, 2], [3, 4]]))
    assert load_landmarks(file).tolist() == [[1.0, 2.0], [3.0, 4.0]]
    for wrong in (np.zeros((3, 3)), np.array([[1.0, np.nan]]), np.array(["a"])):
        np.save(file, wrong)
        with pytest.raises(UsageError, match=r"no landmarks: expected a finite \(N, 2\) array"):
            load_landmarks(file)
    np.save(file, np.array([[1, {}]], object), allow_pickle=True)
    with pytest.raises(UsageError, match="cannot read landmarks"):
        load_landmarks(file)
    file.write_bytes(b"")
    with pytest.raises(UsageError, match="cannot read landmarks"):
        load_landmarks(file)


def test_the_vector_has_the_numbers_of_those_in_the_crop() -> None:
    points = [(5.0, 5.0), (50.0, 50.0), (12.0, 14.0), (30.0, 10.0), (19.0, 20.0)]
    vector = dense_vector(points, Box(10, 10, 30, 20), 5)
    # numbers 2, 3 and 4 lie in it, borders included; the rest is 6, the count and one
    assert vector == pytest.approx(np.array([-1, -0.5, 0, 1, 1]), abs=1e-5)
    assert vector.dtype == np.float32
    assert dense_vector((), Box(0, 0, 9, 9), 7).tolist() == [0] * 7
    many = [(1.0, 1.0)] * 1313
    drawn = dense_vector(many, Box(0, 0, 2, 2), 500)
    assert (drawn[0], len(set(drawn.tolist()))) == (-1, 500)
    assert drawn[-1] == pytest.approx(1, abs=1e-5) and (np.diff(drawn) > 0).all()


def test_they_are_read_beside_a_picture_and_told_of_every_crop(tmp_path: Path) -> None:
    file = tmp_path / "img" / "1.png"
    file.parent.mkdir()
    Image.new("RGB", (64, 64), "grey").save(file)
    (tmp_path / "landmark").mkdir()
    np.save(tmp_path / "landmark" / "1.npy", np.array([[2, 2], [32, 32], [60, 60]]))
    spec = PreprocessSpec(
        width=32, height=32, crop_mode="crop", crop_pct=0.5, crops=4, dense_landmarks=4
    )
    extractor = FaceExtractor(spec, ExtractionPolicy("whole", landmarks=True), no_detector)
    (crops,) = extractor.prepare(extractor.locate(file)).crops
    for (_, guide), frame in zip(crops, crop_frames(Box(0, 0, 64, 64), spec), strict=True):
        expected = dense_vector([(2, 2), (32, 32), (60, 60)], frame, 4)
        assert landmarks_of(guide[None])[0].tolist() == expected.tolist()
        assert mirror_guide(guide)[:-1].tolist() == expected.tolist()
    unknown = extractor.prepare(extractor.locate(np.zeros((64, 64, 3), np.uint8))).crops[0][0][1]
    assert unknown[:-1].tolist() == [0] * 4
    np.save(tmp_path / "landmark" / "1.npy", np.zeros((3, 3)))
    damaged = extractor.locate(file)
    assert damaged.status is Status.ERROR and "has no landmarks" in damaged.message


def no_detector(pixels: Pixels) -> list[Face]:
    raise AssertionError("nothing has to be searched")
