"""Sets S and R of noise, for the tests of dual-set learning."""

from __future__ import annotations

import numpy as np

from facegauge.faces.spec import PreprocessSpec
from facegauge.results import Box
from facegauge.training.inputs.views import Framed, ViewMaker
from facegauge.training.methods.dsl_fiqa.config import DualSetPlan
from facegauge.training.methods.dsl_fiqa.dual_set_batches import DualSetBatches
from facegauge.training.view_settings import ViewsConfig

SPEC = PreprocessSpec(width=24, height=32)
STILL = ViewsConfig(
    shift=0.0,
    zoom=0.0,
    integer_shift_prob=1.0,
    degraded_fraction=0.0,
    second_degradation_prob=0.0,
)


def faces(count: int, labels: bool = True, seed: int = 0) -> list[Framed]:
    rng = np.random.default_rng(seed)
    return [
        Framed(
            rng.integers(60, 196, (32, 24, 3), np.uint8),
            Box(0, 0, 24, 32),
            number / count if labels else None,
        )
        for number in range(count)
    ]


def batches(plan: DualSetPlan, **options: int) -> DualSetBatches:
    clean = ViewMaker(faces(3, labels=False, seed=1), SPEC, STILL)
    real = ViewMaker(faces(10), SPEC, STILL)
    return DualSetBatches(clean, real, plan, **{"steps": 5, "seed": 2, **options})


PLAN = DualSetPlan(degraded=6, real=4, min_label=0.85)
