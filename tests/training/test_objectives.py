"""Objectives: the teacher stays frozen, the student learns, the targets are mixed as stated."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from facegauge.faces.sampling import to_tensor
from facegauge.faces.spec import PreprocessSpec
from facegauge.nn.normalise import Normalise
from facegauge.nn.regressor import Regressor
from facegauge.training.objectives import Distilled, ScoreLoss, Supervised, all_views
from facegauge.training.settings import DistillationConfig

SPEC = PreprocessSpec(width=48, height=64)


def batch() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)

    def views(*shape: int) -> torch.Tensor:
        return torch.randint(0, 256, (*shape, 64, 48, 3), dtype=torch.uint8, generator=generator)

    return {
        "labelled": views(4),
        "score": torch.tensor([0.1, 0.3, 0.5, 0.7]),
        "distilled": views(2),
        "ordered": views(1, 3),
        "severity": torch.tensor([[0.0, 1.0, 3.0]]),
    }


def distilled(student: Regressor, **options: float) -> Distilled:
    numbers = {
        "corr_weight": 1.5, "score_weight": 1.0, "feature_weight": 1.0, "label_share": 0.5,
        "severity_rank_weight": 1.0, "margin": 0.01,
    }  # fmt: skip
    config = DistillationConfig(loss="mse_corr", **{**numbers, **options})
    pairs = (("features.3", "early"), ("features.12", "late"))
    return Distilled(SPEC, {"early": 3, "late": 5}, student, config, pairs)


def taught() -> dict[str, torch.Tensor]:
    """The batch, with what a teacher said of it."""
    said = {
        "teacher_score": torch.full((9,), 0.9),
        "maps.early": torch.rand(9, 3, 8, 6).half(),
        "maps.late": torch.rand(9, 5, 2, 2).half(),
    }
    return {**batch(), **said}


def test_normalise_is_preprocess() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (64, 48, 3), np.uint8)
    got = Normalise(SPEC)(torch.from_numpy(pixels)[None])[0].numpy()
    assert np.allclose(got, to_tensor(pixels, SPEC), atol=1e-5)


def test_the_student_and_the_adapters_get_gradients() -> None:
    student = Regressor("mobilenet_v3_small", "all")
    objective = distilled(student).train()
    losses = objective(student.train(), taught())
    assert set(losses) == {"score", "features", "order"}
    torch.stack(list(losses.values())).sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in student.head.parameters())
    assert all(adapter.weight.grad.abs().sum() > 0 for adapter in objective.adapters)


def test_imitation_is_zero_only_for_the_teachers_standardised_maps() -> None:
    """Against a slow count: the mean over pairs of the mean squared difference."""
    student = Regressor("mobilenet_v3_small", "all").eval()
    objective = distilled(student).train()
    data = taught()
    maps = student.features(Normalise(SPEC)(all_views(data)))
    expected = 0.0
    for (ours, theirs), adapter in zip(objective.pairs, objective.adapters, strict=True):
        goal = data[f"maps.{theirs}"].double()
        goal = (goal - goal.mean((0, 2, 3), keepdim=True)) / goal.std(
            (0, 2, 3), keepdim=True, correction=0
        )
        expected += ((adapter(maps[ours]) - goal) ** 2).mean().item() / len(objective.pairs)
    assert objective(student, data)["features"].item() == pytest.approx(expected, rel=1e-3)


class Fixed(Regressor):
    """A student whose scores are given."""

    def score(self, maps: dict[str, torch.Tensor]) -> torch.Tensor:
        return self.given


def test_the_target_mixes_label_and_teacher_on_labelled_views_only() -> None:
    student = Fixed("mobilenet_v3_small", "all")
    data = taught()
    target = torch.full((9,), 0.9)
    target[:4] = 0.25 * data["score"] + 0.75 * 0.9
    student.given = target
    objective = distilled(student, label_share=0.25, feature_weight=0, severity_rank_weight=0)
    assert not list(objective.parameters())  # DDP refuses those that learn nothing
    losses = objective(student, data)
    assert set(losses) == {"score"}
    assert losses["score"].item() == pytest.approx(0, abs=1e-4)


def test_supervised_judges_labels_and_order_apart() -> None:
    network = Regressor("mobilenet_v3_small", bias=0.4).eval()
    torch.nn.init.zeros_(network.head.weight)
    objective = Supervised(SPEC, ScoreLoss("mse_corr", 1.5), severity_rank_weight=2.0, margin=0.1)
    losses = objective(network, batch())
    expected = ((torch.tensor([0.1, 0.3, 0.5, 0.7]) - 0.4) ** 2).mean().item() + 1.5
    assert losses["labels"].item() == pytest.approx(expected, abs=1e-5)
    assert losses["order"].item() == pytest.approx(2 * 0.1 * (1 + 3 + 2) / 3, abs=1e-5)
    plain = {name: batch()[name] for name in ("labelled", "score")}
    assert set(objective(network, plain)) == {"labels"}
