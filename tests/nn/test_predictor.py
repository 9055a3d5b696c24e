"""A torch network as a predictor: evaluation mode, fingerprint, landmarks, members."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facegauge.errors import ScorerError
from facegauge.faces.sampling import to_tensor
from facegauge.faces.spec import PreprocessSpec

torch = pytest.importorskip("torch")

from torch import Tensor, nn  # noqa: E402

from facegauge.nn.predictor import (  # noqa: E402
    TorchPredictor,
    open_run_predictor,
    predict_views,
)

SPEC = PreprocessSpec(width=5, height=6)


class Frozen(nn.Module):
    """A linear network with dropout, and a part that stays in evaluation mode."""

    def __init__(self) -> None:
        super().__init__()
        self.linear, self.dropout = nn.Linear(3 * 6 * 5, 1), nn.Dropout(0.9)
        self.frozen = nn.BatchNorm2d(3).eval()

    def forward(self, images: Tensor) -> Tensor:
        return self.linear(self.dropout(self.frozen(images).flatten(1))).squeeze(1)


class Pointed(nn.Module):
    """The sum of the landmarks."""

    uses_landmarks = True

    def forward(self, images: Tensor, landmarks: Tensor) -> Tensor:
        return images.mean((1, 2, 3)) * 0 + landmarks.sum(1)


class Sized(nn.Module):
    """The size, or 7 where it is not told."""

    uses_size = True

    def forward(self, images: Tensor, size: Tensor | None = None) -> Tensor:
        told = torch.full((len(images), 1), 7.0) if size is None else size
        return images.mean((1, 2, 3)) * 0 + told[:, 0]


def images(count: int = 7) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(count, 3, 6, 5)).astype(np.float32)


def test_it_computes_in_evaluation_mode_and_restores_every_modules_own() -> None:
    torch.manual_seed(0)
    network = Frozen()
    modes = [module.training for module in network.modules()]
    assert modes == [True, True, True, False]
    given = images()
    found = TorchPredictor("a", network, SPEC).predict(given)
    weight, bias = (value.detach().double().numpy() for value in network.linear.parameters())
    expected = given.reshape(7, -1) / np.sqrt(1 + 1e-5) @ weight[0] + bias
    assert found == pytest.approx(expected, abs=1e-5) and found.dtype == np.float64
    assert [module.training for module in network.modules()] == modes


def test_a_fingerprint_is_of_weights_and_spec_and_not_of_the_name() -> None:
    torch.manual_seed(0)
    network = Frozen()
    known = TorchPredictor("a", network, SPEC).fingerprint
    assert TorchPredictor("b", network, SPEC).fingerprint == known and len(known) == 64
    assert TorchPredictor("a", network, PreprocessSpec()).fingerprint != known
    with torch.no_grad():
        network.linear.bias += 1e-3
    assert TorchPredictor("a", network, SPEC).fingerprint != known


def test_landmarks_reach_the_networks_that_use_them() -> None:
    marks = np.arange(20, dtype=np.float32).reshape(2, 10)
    pointed = TorchPredictor("points", Pointed(), SPEC)
    assert pointed.uses_landmarks
    assert pointed.predict(images(2), marks).tolist() == [45.0, 145.0]
    assert pointed.predict(images(2)).tolist() == [0.0, 0.0]
    blind = TorchPredictor("blind", Frozen(), SPEC)
    assert not blind.uses_landmarks
    assert blind.predict(images(2), marks) == pytest.approx(blind.predict(images(2)))


def test_sizes_reach_the_networks_that_are_told_them() -> None:
    sizes = np.array([[-1.5], [2.0]], np.float32)
    sized = TorchPredictor("sized", Sized(), SPEC)
    assert sized.uses_size and not sized.uses_landmarks
    assert sized.predict(images(2), sizes).tolist() == [-1.5, 2.0]
    assert sized.predict(images(2)).tolist() == [7.0, 7.0]
    views = np.zeros((2, 6, 5, 3), np.uint8)
    assert predict_views(Sized(), SPEC, views, sizes, batch_size=1).tolist() == [-1.5, 2.0]
    blind = TorchPredictor("blind", Frozen(), SPEC)
    assert not blind.uses_size
    assert blind.predict(images(2), sizes) == pytest.approx(blind.predict(images(2)))


def test_views_are_normalised_as_crops_are() -> None:
    torch.manual_seed(0)
    network = Frozen()
    views = np.random.default_rng(1).integers(0, 256, (5, 6, 5, 3), np.uint8)
    tensors = np.stack([to_tensor(view, SPEC) for view in views])
    expected = TorchPredictor("a", network, SPEC).predict(tensors)
    for size in (2, 64):
        assert predict_views(network, SPEC, views, batch_size=size) == pytest.approx(
            expected, abs=1e-5
        )
    marks = np.arange(50, dtype=np.float32).reshape(5, 10)
    found = predict_views(Pointed(), SPEC, views, marks, batch_size=2)
    assert found.tolist() == marks.sum(1).tolist()
    assert predict_views(network, SPEC, views[:0]).shape == (0,)


def test_a_network_of_another_shape_is_refused() -> None:
    with pytest.raises(ScorerError, match=r"expected 7 scores of the network, got \(7, 90\)"):
        TorchPredictor("flat", nn.Flatten(), SPEC).predict(images())


def test_a_run_folder_has_its_members(toy_run: Path) -> None:
    run = open_run_predictor(toy_run)
    assert (run.name, run.spec) == (toy_run.name, PreprocessSpec(width=64, height=80))
    assert list(run.members) == ["mobilenet_v3_small", "shufflenet_v2_x0_5"]
    given = np.random.default_rng(0).normal(size=(3, 3, 80, 64)).astype(np.float32)
    parts = [member.predict(given) for member in run.members.values()]
    assert run.predict(given) == pytest.approx(np.mean(parts, 0), abs=1e-5)
    assert np.abs(parts[0] - parts[1]).max() > 1e-3
