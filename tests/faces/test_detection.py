"""Face detection: decoding of hand-made maps, and the model on pictures without faces."""

from __future__ import annotations

import multiprocessing
import pickle
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from facegauge.errors import ScorerError, UsageError
from facegauge.faces import detection
from facegauge.faces.detection import CenterFace, decode, merge, network_input

RNG = np.random.default_rng(3)
EXAMPLES = Path(__file__).parents[2] / "examples"
ASTRONAUT = next(iter(sorted(EXAMPLES.glob("*astronaut*.[jp][pn]g"))), None)


def blank_maps(height: int = 6, width: int = 8) -> list[np.ndarray]:
    return [np.zeros((bands, height, width), np.float32) for bands in (1, 2, 2, 10)]


def test_decode_by_hand() -> None:
    heatmap, size, offset, landmarks = blank_maps()
    row, column = 2, 5
    heatmap[0, row, column] = 0.9
    heatmap[0, 0, 0] = 0.49
    size[:, row, column] = np.log([3, 2])  # 3 cells high, 2 wide: 12 and 8 pixels
    offset[:, row, column] = [0.25, -0.5]  # down, right
    landmarks[:, row, column] = [0.5, 0.25] * 5  # half way down, a quarter across
    boxes, confidences, points = decode(heatmap, size, offset, landmarks, 0.5)
    # centre: x = (5 - 0.5 + 0.5) * 4 = 20, y = (2 + 0.25 + 0.5) * 4 = 11
    np.testing.assert_allclose(boxes, [[16, 5, 24, 17]], rtol=1e-6)
    np.testing.assert_allclose(confidences, [0.9], rtol=1e-6)
    np.testing.assert_allclose(points, [[[18, 11]] * 5], rtol=1e-6)


def test_a_damaged_model_ends_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "centerface.onnx").write_bytes(b"cut short")
    monkeypatch.setattr(detection, "package_path", lambda name: tmp_path / Path(name).name)
    detection._open_session.cache_clear()
    with pytest.raises(ScorerError, match=r"centerface.onnx is damaged .*reinstall"):
        CenterFace()(np.zeros((64, 64, 3), np.uint8))


def test_decode_of_nothing() -> None:
    boxes, confidences, points = decode(*blank_maps(), 0.5)
    assert boxes.shape == (0, 4) and confidences.shape == (0,) and points.shape == (0, 5, 2)
    assert list(merge(boxes, confidences, points)) == []


def test_merge_by_hand() -> None:
    boxes = np.array(
        [
            [0, 0, 10, 10],  # half as sure as the next and all but the same box: shares in it
            [0, 1, 10, 11],  # overlap 90 / 110
            [0, 6, 10, 16],  # overlap with that one 50 / 150: no face of its own, no share
            [30, 0, 40, 10],  # another face
        ],
        np.float32,
    )
    confidences = np.array([0.4, 0.8, 0.7, 0.6], np.float32)
    points = np.repeat(boxes[:, None, :2], 5, 1)
    faces = list(merge(boxes, confidences, points))
    assert [round(float(confidence), 3) for _, confidence, _ in faces] == [0.8, 0.6]
    np.testing.assert_allclose(faces[0][0], [0, 2 / 3, 10, 10 + 2 / 3], rtol=1e-5)
    np.testing.assert_allclose(faces[0][2], [[0, 2 / 3]] * 5, rtol=1e-5)
    np.testing.assert_allclose(faces[1][0], boxes[3])


def test_fit_keeps_the_shape_and_pads_below_and_right() -> None:
    seen, scale = network_input(np.full((60, 100, 3), (10, 20, 30), np.uint8), 320)
    assert seen.shape == (1, 3, 192, 320) and seen.dtype == np.float32 and scale == 3.2
    assert (seen[0, :, 100, 200] == [10, 20, 30]).all()
    assert network_input(np.full((50, 100, 3), 9, np.uint8), 320)[0].shape == (1, 3, 160, 320)
    tall, _ = network_input(np.full((100, 35, 3), 9, np.uint8), 320)
    assert (
        tall.shape == (1, 3, 320, 128) and tall[..., :112].min() == 9 and not tall[..., 112:].any()
    )
    assert network_input(np.full((1, 4000, 3), 9, np.uint8), 320)[0].shape == (1, 3, 32, 320)


def test_fit_of_a_photo_keeps_every_edge_in_its_place() -> None:
    photo = np.zeros((3000, 4000, 3), np.uint8)
    photo[1500:, :, 0] = 250
    photo[:, 2000:, 1] = 250
    photo[..., 2] = np.indices((3000, 4000)).sum(0) % 2 * 200  # a pattern too fine to be seen
    seen, scale = network_input(photo, 320)
    assert seen.shape == (1, 3, 256, 320) and scale == 0.08
    red, green = seen[0, 0, :240, 100], seen[0, 1, 100]
    assert not red[:118].any() and (red[122:] == 250).all()
    assert not green[:158].any() and (green[162:] == 250).all()
    np.testing.assert_allclose(seen[0, 2, :240], 100, atol=20)


@pytest.mark.parametrize("size", [32, 96])
def test_a_turned_view_is_fitted_as_a_copy_of_it(size: int) -> None:
    turned = np.rot90(np.random.default_rng(0).integers(0, 256, (900, 700, 3), np.uint8))
    copied = network_input(np.ascontiguousarray(turned), size)[0]
    np.testing.assert_array_equal(network_input(turned, size)[0], copied)


class FakeSession:
    """Answers with maps that show faces at given cells, at a chosen input size only."""

    def __init__(self, answers: dict[int, list[tuple[int, int, float, float]]]) -> None:
        self.answers, self.sizes = answers, []

    def get_inputs(self) -> list[object]:
        return [type("Input", (), {"name": "x"})]

    def run(self, _: None, feed: dict[str, np.ndarray], options: object = None) -> list[np.ndarray]:
        height, width = feed["x"].shape[2:]
        self.sizes.append(max(height, width))
        maps = blank_maps(height // 4, width // 4)
        for row, column, side, confidence in self.answers.get(self.sizes[-1], []):
            maps[0][0, row, column] = confidence
            maps[1][:, row, column] = np.log(side / 4)
            maps[3][:, row, column] = [
                *(0.35, 0.3),
                *(0.35, 0.7),
                *(0.55, 0.5),
                *(0.75, 0.35),
                *(0.75, 0.65),
            ]
        return [found[None] for found in maps]


def faces_with(monkeypatch: pytest.MonkeyPatch, session: FakeSession) -> list[detection.Face]:
    monkeypatch.setattr(detection, "_open_session", lambda *_: session)
    return CenterFace()(np.zeros((640, 640, 3), np.uint8))


def test_boxes_are_in_the_picture_clipped_and_largest_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    session = FakeSession({320: [(40, 40, 20, 0.9), (1, 1, 40, 0.8)]})
    faces = faces_with(monkeypatch, session)
    assert session.sizes == [320]
    # cell 1: centre 6, side 40: -14..26 in 320, so 0..52 in 640; cell 40: 152..172, so 304..344
    edges = [edge for face in faces for edge in (face.box.left, face.box.right)]
    assert edges == pytest.approx([0, 52, 304, 344])
    assert [f.confidence for f in faces] == pytest.approx([0.8, 0.9])
    assert faces[0].points[0] == pytest.approx((-4, 0), abs=1e-4)  # points are not clipped


def test_the_second_look_only_where_the_first_found_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    session = FakeSession({640: [(40, 40, 20, 0.9)]})
    (face,) = faces_with(monkeypatch, session)
    assert session.sizes == [320, 640]
    assert face.box.left == pytest.approx(152) and face.box.width == pytest.approx(20)


def no_faces() -> dict[str, np.ndarray]:
    ramp = np.repeat(np.linspace(0, 255, 200).astype(np.uint8)[None], 150, 0)
    return {
        "noise": RNG.integers(0, 256, (200, 300, 3), dtype=np.uint8),
        "coarse noise": RNG.integers(0, 256, (10, 8, 3), np.uint8).repeat(20, 0).repeat(20, 1),
        "black": np.zeros((64, 64, 3), np.uint8),
        "white": np.full((64, 64, 3), 255, np.uint8),
        "gradient": np.repeat(ramp[..., None], 3, 2),
        "one pixel": np.full((1, 1, 3), 128, np.uint8),
        "one row": RNG.integers(0, 256, (1, 500, 3), dtype=np.uint8),
    }


@pytest.mark.parametrize("kind", list(no_faces()))
def test_no_face_where_there_is_none(kind: str) -> None:
    assert CenterFace()(no_faces()[kind]) == []


@pytest.mark.parametrize("wrong", [{"size": 8}, {"threshold": 0}, {"threshold": 1}, {"threads": 0}])
def test_settings_are_checked(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="expected size >= 32"):
        CenterFace(**wrong)  # type: ignore[arg-type]


def test_a_missing_model_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(detection, "package_path", lambda name: tmp_path / Path(name).name)
    detection._open_session.cache_clear()
    with pytest.raises(ScorerError, match="reinstall"):
        CenterFace()(np.zeros((64, 64, 3), np.uint8))


def test_it_is_a_plain_value_that_crosses_processes() -> None:
    detector = CenterFace(threshold=0.6)
    pixels = no_faces()["noise"]
    detector(pixels)
    assert pickle.loads(pickle.dumps(detector)) == detector
    spawned = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, spawned) as pool:
        assert pool.submit(detector, pixels).result() == []


needs_astronaut = pytest.mark.skipif(ASTRONAUT is None, reason="no examples in this tree")


@needs_astronaut
def test_a_face_is_found_the_same_at_every_size_and_in_every_thread() -> None:
    from PIL import Image

    image = Image.open(str(ASTRONAUT)).convert("RGB")
    pixels = np.asarray(image)
    faces = CenterFace()(pixels)
    assert faces and faces[0].confidence > 0.7
    box, (left_eye, right_eye, nose, left_mouth, right_mouth) = faces[0].box, faces[0].points
    assert box.left < left_eye[0] < nose[0] < right_eye[0] < box.right
    assert left_eye[1] < nose[1] < left_mouth[1] < box.bottom and left_mouth[0] < right_mouth[0]
    half = CenterFace()(np.asarray(image.resize((image.width // 2, image.height // 2))))
    assert half[0].box.left * 2 == pytest.approx(box.left, abs=0.1 * box.width)
    assert half[0].box.width * 2 == pytest.approx(box.width, rel=0.15)
    with ThreadPoolExecutor(4) as pool:
        assert all(found == faces for found in pool.map(CenterFace(), [pixels] * 8))
