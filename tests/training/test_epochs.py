"""Epochs in place of steps, and how the learning rate falls."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from torch import nn

from facegauge.errors import UsageError
from facegauge.faces.spec import PreprocessSpec
from facegauge.results import Box
from facegauge.training.config import apply_overrides, load_preset
from facegauge.training.fit import rate
from facegauge.training.inputs.shares import in_steps
from facegauge.training.inputs.views import Framed, ViewBatches, ViewMaker
from facegauge.training.optimisers import OPTIMISERS
from facegauge.training.settings import FitConfig
from facegauge.training.view_settings import BatchPlan, ViewsConfig

PIXELS = np.zeros((4, 4, 3), np.uint8)
MAKER = ViewMaker(
    [Framed(PIXELS, Box(0, 0, 4, 4), score=0.5)] * 70 + [Framed(PIXELS, Box(0, 0, 4, 4))] * 30,
    PreprocessSpec(width=4, height=4),
    ViewsConfig(),
)


def test_epochs_are_passes_over_the_labelled_pictures() -> None:
    batches = partial(ViewBatches, MAKER, BatchPlan(labelled=32, distilled=8))
    asked = FitConfig(steps=0, epochs=30, lr=1e-4, warmup=500, validate_every=1000)
    found = in_steps(asked, batches)
    assert (found.steps, found.epochs) == (66, 0)  # 30 * 70 / 32 = 65.6
    assert (found.warmup, found.validate_every) == (66, 3)
    assert (
        in_steps(FitConfig(steps=0, epochs=30, lr=1, accumulate=2, warmup=0), batches).steps == 33
    )
    assert in_steps(asked, batches, began=4).steps == 17
    given = FitConfig(steps=7, lr=1, warmup=0)
    assert in_steps(given, batches) is given
    with pytest.raises(UsageError, match="epochs count labelled views, and the plan has none"):
        in_steps(asked, partial(ViewBatches, MAKER, BatchPlan(distilled=8)))


def test_steps_and_epochs_replace_each_other() -> None:
    paper = load_preset("efficient_fiqa", "paper")
    assert (paper.student.fit.steps, paper.student.fit.epochs) == (0, 30)
    short = apply_overrides(paper, ["student.fit.steps=5"]).student.fit
    assert (short.steps, short.epochs, short.trains) == (5, 0, True)
    none = apply_overrides(paper, ["student.fit.steps=0"]).student.fit
    assert not none.trains
    cpu = load_preset("efficient_fiqa", "cpu")
    long = apply_overrides(cpu, ["teachers.first.fit.epochs=2.5"]).teachers["first"].fit
    assert (long.steps, long.epochs) == (0, 2.5)
    both = ["student.fit.steps=5", "student.fit.epochs=2"]
    with pytest.raises(UsageError, match="expected steps or epochs, got 5 and 2; set one to 0"):
        apply_overrides(cpu, both)


def test_the_rate_falls_as_the_schedule_says() -> None:
    step = FitConfig(steps=30, lr=1.0, warmup=0, schedule="step")
    rates = [rate(number, step) for number in (0, 9, 10, 19, 20, 29)]
    assert rates == pytest.approx([1, 1, 0.1, 0.1, 0.01, 0.01])
    constant = FitConfig(steps=30, lr=0.5, warmup=2, schedule="constant")
    assert [rate(number, constant) for number in (0, 1, 2, 29)] == [0.25, 0.5, 0.5, 0.5]
    cosine = FitConfig(steps=30, lr=1.0, warmup=0)
    assert rate(0, cosine) == 1 and rate(15, cosine) == pytest.approx(0.505)


def test_adam_has_its_weight_decay_in_the_gradient_of_all_weights() -> None:
    network, theirs = nn.Linear(3, 2), nn.Linear(3, 2)
    theirs.load_state_dict(network.state_dict())
    (ours,) = OPTIMISERS["adam"](network, list(network.parameters()), 1e-2, 0.1)
    reference = torch.optim.Adam(theirs.parameters(), 1e-2, weight_decay=0.1)
    for optimiser, each in ((ours, network), (reference, theirs)):
        for _ in range(3):
            each(torch.ones(1, 3)).sum().backward()
            optimiser.step()
            optimiser.zero_grad()
    assert torch.equal(network.weight, theirs.weight) and torch.equal(network.bias, theirs.bias)
