"""Validation: SRCC, PLCC and their mean on whole pictures, in evaluation mode."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from facegauge.data.manifests import load_manifest
from facegauge.evaluation.metrics import plcc, srcc
from facegauge.faces.spec import PreprocessSpec
from facegauge.training.inputs.pictures import load_framed
from facegauge.training.validation import make_source_validation, make_validation
from ranks import in_processes
from toys import picture

SPEC = PreprocessSpec(width=24, height=32)


class Brightness(nn.Module):
    """The score is the mean of the input; in training mode it is nonsense."""

    def __init__(self, sign: float = 1.0) -> None:
        super().__init__()
        self.sign = nn.Parameter(torch.tensor(sign))

    def forward(self, images: torch.Tensor, *landmarks: torch.Tensor) -> torch.Tensor:
        scores = images.mean((1, 2, 3)) * self.sign
        return torch.zeros_like(scores) if self.training else scores


class Landmarks(Brightness):
    """Also notes the landmarks that it is given."""

    uses_landmarks = True

    def forward(self, images: torch.Tensor, *landmarks: torch.Tensor) -> torch.Tensor:
        (self.given,) = landmarks
        return super().forward(images)


def test_the_figures_are_those_of_the_metrics(toy_data: Path) -> None:
    val = load_manifest(toy_data).where(split="val")
    network = Brightness().train()
    figures = make_validation(load_framed(val, SPEC, "whole"), SPEC, batch_size=7)(network)
    assert network.training
    levels = np.array([int(path.stem) for path in val.paths])
    brightness = [
        np.asarray(picture(number, level=label), float).mean()
        for number, label in zip(levels, val.labels(), strict=True)
    ]
    assert figures["srcc"] == pytest.approx(srcc(np.array(brightness), val.labels()), abs=0.01)
    assert figures["plcc"] == pytest.approx(plcc(np.array(brightness), val.labels()), abs=0.01)
    assert figures["val_score"] == pytest.approx((figures["srcc"] + figures["plcc"]) / 2)
    other = make_validation(load_framed(val, SPEC, "whole"), SPEC)(Brightness(-1.0))
    assert other["srcc"] == pytest.approx(-figures["srcc"], abs=1e-6)


def test_landmarks_are_found_and_given(toy_data: Path) -> None:
    from facegauge.results import Box, Face

    face = Face(Box(10, 10, 34, 40), 0.9, ((18, 20), (27, 20), (22, 26), (19, 33), (26, 33)))
    val = load_manifest(toy_data).where(split="val").take([0, 1, 2])
    found = load_framed(val, SPEC, "whole", points=True, detector=lambda pixels: [face])
    for validate in (
        make_validation(found, SPEC, landmarks=True),
        make_source_validation({"toys": found}, SPEC, landmarks=True),
    ):
        network = Landmarks()
        validate(network)
        assert network.given.shape == (3, 10)
        assert network.given.abs().sum() > 0


class Counting(Brightness):
    """Counts the views that it scores."""

    seen = 0

    def forward(self, images: torch.Tensor, *landmarks: torch.Tensor) -> torch.Tensor:
        self.seen += len(images)
        return super().forward(images)


def shared(data: Path) -> tuple[dict[str, float], dict[str, float], int]:
    """The figures of both validations, and how many views this process scored."""
    val = load_manifest(data).where(split="val").take(range(7))
    network = Counting()
    pictures = load_framed(val, SPEC, "whole")
    by_source = make_source_validation({"toys": pictures}, SPEC)
    return make_validation(pictures, SPEC)(network), by_source(network), network.seen


@pytest.mark.slow
def test_processes_share_the_pictures_and_have_the_same_figures(toy_data: Path) -> None:
    *alone, seen = shared(toy_data)
    assert seen == 14
    found = in_processes(3, shared, toy_data)
    assert [each[2] for each in found] == [6, 4, 4]
    for *figures, _ in found:
        assert figures == alone
