"""Objectives: the teacher stays frozen, the student learns, the targets are mixed as stated."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from facegauge.preprocess import PreprocessSpec, to_tensor
from facegauge.training.losses import mse_corr
from facegauge.training.networks.regressor import Regressor
from facegauge.training.objectives import Distilled, Normalise, Supervised

SPEC = PreprocessSpec(width=48, height=64)


def batch() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)

    def views(*shape: int) -> torch.Tensor:
        return torch.randint(0, 256, (*shape, 64, 48, 3), dtype=torch.uint8, generator=generator)

    return {
        "labelled": views(4),
        "score": torch.tensor([0.1, 0.3, 0.5, 0.7]),
        "free": views(2),
        "ordered": views(1, 3),
        "severity": torch.tensor([[0.0, 1.0, 3.0]]),
    }


def distilled(student: Regressor, teacher: Regressor, **options: float) -> Distilled:
    numbers = {
        "score_weight": 1.0, "feature_weight": 1.0, "label_share": 0.5, "order_weight": 1.0,
        "margin": 0.01,
    }  # fmt: skip
    pairs = [("features.3", "features.6"), ("features.12", "features.17")]
    return Distilled(SPEC, teacher, student, pairs=pairs, loss=mse_corr, **{**numbers, **options})


def test_normalise_is_preprocess() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (64, 48, 3), np.uint8)
    got = Normalise(SPEC)(torch.from_numpy(pixels)[None])[0].numpy()
    assert np.allclose(got, to_tensor(pixels, SPEC), atol=1e-5)


def test_teacher_is_frozen_and_student_gets_gradients() -> None:
    student, teacher = Regressor("mobilenet_v3_small", "all"), Regressor("mobilenet_v2", "all")
    objective = distilled(student, teacher).train()
    before = {name: value.clone() for name, value in teacher.state_dict().items()}
    losses = objective(student.train(), batch())
    assert set(losses) == {"score", "features", "order"}
    torch.stack(list(losses.values())).sum().backward()
    assert not teacher.training and objective.training
    assert all(p.grad is None for p in teacher.parameters())
    assert all(torch.equal(before[name], value) for name, value in teacher.state_dict().items())
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in student.head.parameters())
    assert all(adapter.weight.grad.abs().sum() > 0 for adapter in objective.adapters)


class Fixed(Regressor):
    """A student whose scores are given."""

    def score(self, maps: dict[str, torch.Tensor]) -> torch.Tensor:
        return self.given


def test_the_target_mixes_label_and_teacher_on_labelled_views_only() -> None:
    teacher = Regressor("mobilenet_v2", "all", bias=0.9)
    torch.nn.init.zeros_(teacher.head.weight)  # scores 0.9, whatever it sees
    student = Fixed("mobilenet_v3_small", "all")
    data = batch()
    target = torch.full((9,), 0.9)
    target[:4] = 0.25 * data["score"] + 0.75 * 0.9
    student.given = target
    objective = distilled(student, teacher, label_share=0.25, feature_weight=0, order_weight=0)
    losses = objective(student, data)
    assert set(losses) == {"score"}
    assert losses["score"].item() == pytest.approx(0, abs=1e-4)


def test_supervised_judges_labels_and_order_apart() -> None:
    network = Regressor("mobilenet_v3_small", bias=0.4).eval()
    torch.nn.init.zeros_(network.head.weight)
    objective = Supervised(SPEC, mse_corr, order_weight=2.0, margin=0.1)
    losses = objective(network, batch())
    expected = ((torch.tensor([0.1, 0.3, 0.5, 0.7]) - 0.4) ** 2).mean().item() + 1.5
    assert losses["labels"].item() == pytest.approx(expected, abs=1e-5)
    assert losses["order"].item() == pytest.approx(2 * 0.1 * (1 + 3 + 2) / 3, abs=1e-5)
    plain = {name: batch()[name] for name in ("labelled", "score")}
    assert set(objective(network, plain)) == {"labels"}
