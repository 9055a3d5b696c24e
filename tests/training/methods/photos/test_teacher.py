"""The teacher of photos, against a ridge regression in its other form."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from facegauge.faces.sampling import sample, to_tensor
from facegauge.faces.spec import PreprocessSpec
from facegauge.results import Box
from facegauge.training.methods.photos.teacher import Face, SizedTeacher
from facegauge.training.methods.photos.teacher import features as embedded

SPEC = PreprocessSpec(width=12, height=15)
SPECS = (SPEC, replace(SPEC, width=16, height=20))
PENALTY = 0.3


class Means(nn.Module):
    """The mean of each channel and of its square; scores the first."""

    def embed(self, x: Tensor) -> Tensor:
        assert not self.training
        return torch.cat([x.mean((2, 3)), x.square().mean((2, 3))], 1)

    def score_embedding(self, embedding: Tensor) -> Tensor:
        return 0.5 + 0.1 * embedding[:, 0]


def faces(count: int, seed: int) -> list[Face]:
    rng = np.random.default_rng(seed)
    out = []
    for _ in range(count):
        width = int(rng.integers(30, 200))
        low = rng.integers(0, 150, 3)
        pixels = rng.integers(low, low + rng.integers(5, 100, 3), (width * 5 // 4, width, 3))
        out.append((pixels.astype(np.uint8), Box(1, 1, width - 1, width * 5 // 4 - 1)))
    return out


def labels_of(some: list[Face]) -> np.ndarray:
    """Wider and brighter is better."""
    return np.array([0.3 + 0.1 * np.log(f.width / 100) + p.mean() / 800 for p, f in some])


def features(some: list[Face], spec: PreprocessSpec) -> np.ndarray:
    images = np.stack([to_tensor(sample(p, f, spec), spec) for p, f in some]).astype(np.float64)
    return np.concatenate([images.mean((2, 3)), (images**2).mean((2, 3))], 1)


def columns(x: np.ndarray, some: list[Face], like: np.ndarray) -> np.ndarray:
    scaled = (x - like.mean(0)) / (like.std(0) + 1e-3 * like.std()) / np.sqrt(x.shape[1])
    size = np.log(np.clip([f.width / 206 for _, f in some], 0.35, 9))
    return np.column_stack([scaled, size, size**2])


def test_scores_are_the_mean_of_ridge_regressions_at_each_input() -> None:
    train, others = faces(40, 0), faces(9, 1)
    labels = labels_of(train)
    teacher = SizedTeacher([Means()], SPECS, train, labels, PENALTY)  # type: ignore[arg-type]
    expected = []
    for spec in SPECS:
        x = features(train, spec)
        design = columns(x, train, x)
        normal = design.T @ design + PENALTY * np.eye(design.shape[1])
        weights = np.linalg.solve(normal, design.T @ (labels - labels.mean()))
        expected.append(columns(features(others, spec), others, x) @ weights + labels.mean())
    found = teacher(others)
    assert found == pytest.approx(np.mean(expected, 0), abs=1e-4)
    assert np.corrcoef(found, labels_of(others))[0, 1] > 0.9


def test_the_size_of_the_face_is_believed_and_scores_stay_within_0_and_1() -> None:
    train = faces(40, 0)
    sizes = np.array([0.5 + 0.2 * np.log(frame.width / 100) for _, frame in train])
    teacher = SizedTeacher([Means()], SPECS, train, sizes, PENALTY)  # type: ignore[arg-type]
    pixels = np.full((250, 200, 3), 120, np.uint8)
    frames = [Box(0, 0, width, width * 1.25) for width in (50, 90, 160)]
    assert (np.diff(teacher([(pixels, frame) for frame in frames])) > 0.05).all()
    labels = 0.5 + 9 * (labels_of(train) - labels_of(train).mean())
    extreme = SizedTeacher([Means()], SPECS, train, labels, PENALTY)  # type: ignore[arg-type]
    found = extreme(faces(60, 3))
    assert found.min() == 0 and found.max() == 1


def test_it_tells_what_the_network_itself_says() -> None:
    train, others = faces(20, 0), faces(20, 2)  # more than a batch
    teacher = SizedTeacher([Means()], SPECS, train, labels_of(train), PENALTY)  # type: ignore[arg-type]
    expected = 0.5 + 0.1 * features(others, SPEC)[:, 0]
    assert teacher.start(others, SPEC) == pytest.approx(expected, abs=1e-4)
    found = embedded(Means(), SPEC, others)  # type: ignore[arg-type]
    assert found == pytest.approx(features(others, SPEC), abs=1e-4)


class Squares(Means):
    def embed(self, x: Tensor) -> Tensor:
        return super().embed(x).square()


def test_several_networks_count_alike() -> None:
    train, others = faces(30, 0), faces(9, 1)
    both, *alone = (
        SizedTeacher(networks, SPECS, train, labels_of(train), PENALTY)  # type: ignore[arg-type]
        for networks in ([Means(), Squares()], [Means()], [Squares()])
    )
    assert both(others) == pytest.approx(np.mean([one(others) for one in alone], 0), abs=1e-9)
    assert both.start(others, SPEC) == pytest.approx(alone[0].start(others, SPEC))


def test_what_is_said_of_a_photo_whose_label_was_left_out() -> None:
    """Each face again, with a teacher that has all but its label."""
    train = faces(12, 0)
    labels = labels_of(train)
    found = SizedTeacher([Means()], [SPEC], train, labels, PENALTY).left_out  # type: ignore[arg-type]
    x = features(train, SPEC)
    design = columns(x, train, x)  # standardised by all faces, which have no labels
    for row, one in enumerate(found):
        rest = np.arange(len(train)) != row
        some = design[rest]
        normal = some.T @ some + PENALTY * np.eye(design.shape[1])
        weights = np.linalg.solve(normal, some.T @ (labels[rest] - labels.mean()))
        assert one == pytest.approx(design[row] @ weights + labels.mean(), abs=1e-5)
