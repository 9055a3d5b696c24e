"""MSPT's sources: batches of several of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from facegauge.faces.spec import PreprocessSpec
from facegauge.results import Box
from facegauge.training.inputs.views import Framed, ViewMaker
from facegauge.training.methods.mspt.sources import MixedBatches
from facegauge.training.view_settings import BatchPlan, ViewsConfig


def test_views_of_several_sources_lie_end_to_end() -> None:
    spec, how = (
        PreprocessSpec(width=8, height=10),
        ViewsConfig(shift=0, zoom=0, integer_shift_prob=1),
    )

    def maker(level: int) -> ViewMaker:
        pixels = np.full((10, 8, 3), level, np.uint8)
        return ViewMaker(
            [Framed(pixels, Box(0, 0, 8, 10), level / 255, sample_weight=level)], spec, how
        )

    kinds = [
        (maker(51), BatchPlan(labelled=2)),
        (maker(204), BatchPlan(labelled=3)),
        (maker(102), BatchPlan(groups=2, copies=3)),
    ]
    mixed = MixedBatches(kinds, steps=4, seed=1)
    batch = mixed[2]
    assert len(mixed) == 4 and set(batch) == {
        "labelled", "score", "sample_weight", "ordered", "severity"
    }  # fmt: skip
    assert batch["labelled"][:, 0, 0, 0].tolist() == [51, 51, 204, 204, 204]
    assert batch["score"].tolist() == pytest.approx([0.2, 0.2, 0.8, 0.8, 0.8])
    assert batch["sample_weight"].tolist() == [51, 51, 204, 204, 204]
    assert batch["ordered"].shape == (2, 3, 10, 8, 3) and (batch["ordered"][:, 0] == 102).all()
    again = MixedBatches(kinds, steps=4, seed=1)[2]
    assert all(torch.equal(value, again[name]) for name, value in batch.items())
