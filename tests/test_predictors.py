"""Predictors: shipped scorers and run folders behind one protocol; crops to scores of faces."""

from __future__ import annotations

import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from facegauge import zoo
from facegauge.data.manifests import load_manifest
from facegauge.errors import MissingExtra, ScorerError
from facegauge.evaluation.predictions import predict
from facegauge.faces.sampling import Crop, to_tensor
from facegauge.predictors import (
    OnnxPredictor,
    guide_for,
    in_batches,
    is_run,
    open_predictor,
    predict_faces,
)
from toys import TOY_SPEC, ToyPredictor


def crop(level: int, mark: float = 0.0) -> Crop:
    return np.full((32, 24, 3), level, np.uint8), np.full(11, mark, np.float32)


def test_a_scorer_is_a_predictor(toy_scorer: Path) -> None:
    predictor = open_predictor(toy_scorer)
    assert isinstance(predictor, OnnxPredictor)
    assert (predictor.name, predictor.spec, predictor.uses_landmarks) == ("toy", TOY_SPEC, False)
    assert predictor.fingerprint == zoo.load_card(toy_scorer).sha256
    images = np.random.default_rng(0).random((3, 3, 32, 24), np.float32)
    assert predictor.predict(images) == pytest.approx(images.mean((1, 2, 3)), abs=1e-6)
    copy = pickle.loads(pickle.dumps(predictor))
    assert copy.predict(images).tolist() == predictor.predict(images).tolist()
    with pytest.raises(ScorerError, match="no scorer 'nothing'"):
        open_predictor("nothing")


def test_a_network_is_opened_once_for_as_many_threads(toy_scorer: Path) -> None:
    predictor = OnnxPredictor(toy_scorer, threads=1)
    assert predictor.with_threads(1) is predictor
    assert predictor.with_threads(2).model.threads == 2


@pytest.mark.parametrize("batch_size", [1, 2, 99])
def test_a_faces_score_is_the_mean_of_its_crops(batch_size: int) -> None:
    seen: list[int] = []

    def mean(images: np.ndarray) -> np.ndarray:
        seen.append(len(images))
        return images.mean((1, 2, 3), dtype=np.float64)

    predictor = ToyPredictor("mean", "", TOY_SPEC, mean)
    faces = [[crop(51)], [crop(0), crop(51), crop(102)], [crop(255)]]
    found = predict_faces(predictor, faces, batch_size)
    assert found == pytest.approx([0.2, 0.2, 1.0], abs=1e-6)
    assert max(seen) <= batch_size and sum(seen) == 5
    assert predict_faces(predictor, [], batch_size).shape == (0,)


def test_crops_reach_the_network_normalised_and_with_their_landmarks() -> None:
    given: list[tuple[np.ndarray, np.ndarray]] = []

    def look(images: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
        given.append((images, landmarks))
        return landmarks[:, 0].astype(np.float64)

    predictor = ToyPredictor("points", "", TOY_SPEC, look, uses_landmarks=True)
    assert predict_faces(predictor, [[crop(9, 0.5)], [crop(9, -0.25)]], 8).tolist() == [0.5, -0.25]
    ((images, landmarks),) = given
    assert images.dtype == np.float32 and landmarks.shape == (2, 10)
    assert np.array_equal(images[0], to_tensor(crop(9)[0], TOY_SPEC))


class Told:
    """A predictor of one's own that is told sizes, and gives them as scores."""

    name, version, fingerprint, spec = "told", "", "", TOY_SPEC
    uses_landmarks, uses_size = False, True

    def predict(self, images: np.ndarray, guide: np.ndarray | None = None) -> np.ndarray:
        assert guide is not None and guide.shape == (len(images), 1)
        return guide[:, 0].astype(np.float64)


def test_sizes_reach_the_networks_that_are_told_them() -> None:
    guide = np.array([*[0.5] * 10, -1.25], np.float32)
    face = [(crop(9)[0], guide)]
    assert predict_faces(Told(), [face, [crop(9, 2.0)]], 1).tolist() == [-1.25, 2.0]
    assert guide_for(Told(), [guide]).tolist() == [[-1.25]]  # type: ignore[union-attr]


def test_a_predictor_of_ones_own_need_not_know_of_sizes() -> None:
    """`ToyPredictor` has no `uses_size`."""
    plain = ToyPredictor("plain", "", TOY_SPEC, lambda images: images.mean((1, 2, 3)))
    assert not hasattr(plain, "uses_size")
    assert guide_for(plain, [crop(0)[1]]) is None
    assert predict_faces(plain, [[crop(51)]], 4) == pytest.approx([0.2], abs=1e-6)
    pointed = ToyPredictor("points", "", TOY_SPEC, lambda *_: None, uses_landmarks=True)
    assert guide_for(pointed, [crop(0, 0.5)[1]]).tolist() == [[0.5] * 10]  # type: ignore[union-attr]


def test_batches_are_filled_by_crops_or_by_pictures() -> None:
    sizes = [0, 0, 3, 1, 1, 5, 0, 1]
    batches = list(in_batches(sizes, lambda size: size, 4))
    assert batches == [[0, 0, 3, 1], [1, 5], [0, 1]]
    assert list(in_batches([0] * 5, lambda size: size, 2)) == [[0, 0], [0, 0], [0]]
    assert list(in_batches([], lambda size: size, 2)) == []


def test_a_shipped_name_wins_over_a_run_folder_of_that_name(toy_run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(toy_run, "mobile")
    assert not is_run("mobile") and is_run("./mobile") and is_run(toy_run)


def test_a_run_folder_needs_torch(toy_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"opening a run folder needs .*facegauge\[train\]"):
        open_predictor(toy_run)


def test_a_scorer_is_evaluated_without_torch(
    toy_scorer: Path, toy_data: Path, make_scorer: Callable[..., Path]
) -> None:
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from facegauge.data.manifests import load_manifest\n"
        "from facegauge.evaluation.predictions import predict\n"
        "print(*predict(sys.argv[1], load_manifest(sys.argv[2])).scores)"
    )
    command = [sys.executable, "-c", code, str(toy_scorer), str(toy_data)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    expected = predict(toy_scorer, load_manifest(toy_data)).scores
    assert list(map(float, done.stdout.split())) == expected.tolist()
