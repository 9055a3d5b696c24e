"""The loss of the photos recipe, against numpy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from facegauge.faces.spec import PreprocessSpec
from facegauge.training.methods.photos.config import ObjectiveConfig
from facegauge.training.methods.photos.objective import PhotoObjective, label_order

SPEC = PreprocessSpec(width=8, height=10)
NAN = float("nan")


def test_order_of_labels_by_hand() -> None:
    labels = torch.tensor([0.50, 0.30, 0.28])
    scores = torch.tensor([0.1, 0.2, 0.5])
    # 0 above 1: half of 0.1 at most, minus -0.1; 0 above 2: 0.05 + 0.4; 1 and 2 are too close
    assert label_order(scores, labels).item() == pytest.approx((0.15 + 0.45) / 2)
    assert label_order(torch.tensor([0.55, 0.5, 0.5]), labels).item() == pytest.approx(0, abs=1e-7)
    # 0.06 apart: half of that is enough
    close = label_order(torch.tensor([0.31, 0.30]), torch.tensor([0.36, 0.30])).item()
    assert close == pytest.approx(0.02, abs=1e-6)


def test_without_pairs_there_is_no_loss_and_still_a_gradient() -> None:
    for labels in ([0.5, 0.49], [0.5], []):
        scores = torch.zeros(len(labels), requires_grad=True)
        loss = label_order(scores, torch.tensor(labels))
        loss.backward()
        assert loss.item() == 0 and scores.grad is not None


class Fixed(nn.Module):
    """Scores that do not depend on the pixels."""

    def __init__(self, scores: list[float], octaves: list[float]) -> None:
        super().__init__()
        self.scores = nn.Parameter(torch.tensor(scores))
        self.octaves = nn.Parameter(torch.tensor(octaves))

    def embed(self, x: Tensor) -> Tensor:
        assert x.shape[1:] == (3, 10, 8) and x.abs().max() < 3  # normalised
        return torch.zeros(len(x), 2)

    def score_embedding(self, embedding: Tensor) -> Tensor:
        return self.scores

    def estimate_size(self, embedding: Tensor) -> Tensor:
        return self.octaves


SCORES = [0.2, 0.6, 0.3, 0.6, 0.35, 0.4]
OCTAVES = [0.0, 1.0, 2.0, 0.5, 0.0, 0.0]
BATCH = {
    "views": torch.zeros(6, 10, 8, 3, dtype=torch.uint8),
    "score": torch.tensor([0.3, 0.45, 0.35, 0.5, 0.7, 0.2]),
    "regime": torch.tensor([0, 0, 0, 1, 1, 1]),
    "is_label": torch.tensor([True, True, False, True, True, False]),
    "width": torch.tensor([8.0, 32.0, 16.0, NAN, NAN, NAN]),
}


def smooth_l1(error: np.ndarray, beta: float) -> np.ndarray:
    error = np.abs(error)
    return np.where(error < beta, error**2 / (2 * beta), error - beta / 2)


def plcc_term(a: np.ndarray, b: np.ndarray) -> float:
    rho = np.corrcoef(a, b)[0, 1]
    return float((1 - rho) * (3 + rho) / 8)


def test_the_terms_by_hand() -> None:
    config = ObjectiveConfig()
    network = Fixed(SCORES, OCTAVES)
    losses = PhotoObjective(SPEC, config)(network, BATCH)  # type: ignore[arg-type]
    scores, target = np.array(SCORES), BATCH["score"].numpy()
    weight = np.array([1, 1, 0.5, 1, 1, 0.5])
    closeness = 8 * (smooth_l1(scores - target, 0.06) * weight).mean()
    assert losses["score"].item() == pytest.approx(closeness, rel=1e-4)
    # photos: 0.45 above 0.3, scored 0.6 and 0.2; crops: 0.7 above 0.5, scored 0.35 and 0.6
    photos = 0.25 * plcc_term(scores[:3], target[:3])
    crops = 0.25 * plcc_term(scores[3:], target[3:]) + (0.05 + 0.25)
    assert losses["photos"].item() == pytest.approx(photos, rel=1e-3)
    assert losses["crops"].item() == pytest.approx(crops, rel=1e-3)
    width = 0.1 * smooth_l1(np.array([0.0, 1.0, 2.0]) - [0, 2, 1], 0.3).mean()
    assert losses["width"].item() == pytest.approx(width, rel=1e-4)


@pytest.mark.parametrize("changed", ["no weight", "no widths"])
def test_every_weight_has_a_gradient_without_widths(changed: str) -> None:
    config, batch = ObjectiveConfig(), dict(BATCH)
    if changed == "no weight":
        config = replace(config, width_weight=0.0)
    else:
        batch["width"] = torch.full((6,), NAN)
    network = Fixed(SCORES, OCTAVES)
    losses = PhotoObjective(SPEC, config)(network, batch)  # type: ignore[arg-type]
    assert losses["width"].item() == 0
    torch.stack(list(losses.values())).sum().backward()
    assert network.octaves.grad is not None and torch.isfinite(network.scores.grad).all()  # type: ignore[arg-type]
