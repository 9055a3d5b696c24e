"""The tables that the methods share."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, get_args

import pytest

from facegauge.errors import UsageError
from facegauge.faces.spec import PreprocessSpec
from facegauge.training import settings
from facegauge.training.geometry import InputConfig
from facegauge.training.settings import (
    FitConfig,
    NetworkConfig,
    PseudoLabelConfig,
    ScoreLossConfig,
    SeverityRankConfig,
    TeacherCacheConfig,
)
from facegauge.training.view_settings import BatchPlan, ViewsConfig

PLAN = BatchPlan(labelled=1)


def test_an_input_is_a_spec() -> None:
    assert InputConfig(width=178, height=218).spec == PreprocessSpec()
    names = {field.name for field in fields(PreprocessSpec)}
    assert {field.name for field in fields(InputConfig)} == names - {"dense_landmarks"}


@pytest.mark.parametrize(
    ("cls", "values", "message"),
    [
        (BatchPlan, {"labelled": -4}, "labelled: expected a whole number, 0 or more, got -4"),
        (BatchPlan, {"distilled": -3}, "distilled: expected a whole number, 0 or more, got -3"),
        (BatchPlan, {"labelled": True}, "labelled: expected a whole number, 0 or more, got True"),
        (BatchPlan, {"labelled": "3"}, "labelled: expected a whole number, 0 or more, got '3'"),
        (BatchPlan, {"groups": 2, "copies": 1}, "copies of 2 or more, .* got 1 in 2 groups"),
        (BatchPlan, {"labelled": 2, "copies": 1}, "copies of 2 or more, .* got 1 in 0 groups"),
        (BatchPlan, {"groups": 2, "copies": 0}, "copies of 2 or more, .* got 0 in 2 groups"),
        (BatchPlan, {}, "a batch would hold no views"),
        (BatchPlan, {"free": 2}, "unknown setting 'free': it is now 'distilled'"),
        (BatchPlan, {"best": 0.2}, "'best': it is now 'top_quartile_share'"),
        (BatchPlan, {"portraits": 0.2}, "'portraits': it is now 'portrait_share'"),
        (ViewsConfig, {"integer_shift_prob": 7}, "integer_shift_prob: .* from 0 to 1, got 7"),
        (ViewsConfig, {"exact": 0.5}, "'exact': it is now 'integer_shift_prob'"),
        (ViewsConfig, {"degraded": 0.5}, "'degraded': it is now 'degraded_fraction'"),
        (ViewsConfig, {"twice": 0.5}, "'twice': it is now 'second_degradation_prob'"),
        (ViewsConfig, {"mixed": 0.5}, "'mixed': it is now 'mix_prob'"),
        (ViewsConfig, {"rising": (1.0, 2.0)}, "'rising': it is now 'severity_range'"),
        (ViewsConfig, {"severity_range": (3.0, 2.0)}, "from 3.0 down to 2.0; expected it to rise"),
        (ViewsConfig, {"severity_range": (0.0, 6.0)}, "a list of 2 numbers from 0 to 5, got"),
        (FitConfig, {"steps": -1, "lr": 0.1}, "steps: expected a whole number, 0 or more, got -1"),
        (FitConfig, {"steps": 9, "lr": -0.1}, "lr: expected a number, 0 or more, got -0.1"),
        (FitConfig, {"steps": 9, "lr": 0.1, "warmup": 10}, "the 9 steps, got warmup 10"),
        (FitConfig, {"steps": 0, "lr": 0.1, "average": 0.5}, "it is now 'ema_decay'"),
        (FitConfig, {"steps": 0, "lr": 0.1, "precision": "no"}, "precision: 'no' is now 'fp32'"),
        (FitConfig, {"steps": 0, "lr": 0.1, "precision": "fp8"}, "fp32, bf16 or fp16, got 'fp8'"),
        (FitConfig, {"steps": 0, "lr": 0.1, "optimiser": "sgd"}, "adamw, adam or muon, got 'sgd'"),
        (ScoreLossConfig, {"loss": "mse_corr", "corr_weight": -1}, "0 or more, got -1"),
        (ScoreLossConfig, {"loss": "mse"}, "loss: expected mse_corr, .* charbonnier, got 'mse'"),
        (ScoreLossConfig, {"loss": "mse_corr", "rank_weight": 1}, "is now 'label_rank_weight'"),
        (SeverityRankConfig, {"order_weight": 1.0}, "it is now 'severity_rank_weight'"),
        (NetworkConfig, {"backbone": "vgg"}, "backbone: expected mobilenet_v3_small,.* got 'vgg'"),
        (NetworkConfig, {"backbone": "swin_b", "start": ""}, "'start': it is now 'init_from'"),
        (NetworkConfig, {"backbone": "swin_b", "weights": ""}, "'weights': it is now 'init_from'"),
        (NetworkConfig, {"backbone": "swin_b", "depths": "first"}, "last, all or strides"),
        (PseudoLabelConfig, {"weighted": True}, "'weighted': it is now 'sample_weight'"),
        (PseudoLabelConfig, {"views": 0}, "views: expected a whole number, 1 or more, got 0"),
        (TeacherCacheConfig, {"batches": 0, "plan": PLAN}, "batches: .*, 1 or more, got 0"),
        (InputConfig, {"width": 0, "height": 1}, "width: expected a whole number, 1 or more"),
        (InputConfig, {"width": 1}, "height is missing; expected a whole number, 1 or more"),
        (InputConfig, {"width": 1, "height": 1, "crops": 0}, "crops: .* 1 or more, got 0"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(
    cls: type[Any], values: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message) as refused:
        cls(**values)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", ["validate_every", "save_every", "log_every"])
def test_an_interval_of_no_steps_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=f"{name}: expected a whole number, 1 or more, got 0"):
        FitConfig(steps=1, warmup=0, lr=0.1, **{name: 0})  # type: ignore[arg-type]


def test_fits_of_no_steps_and_plans_without_groups_are_allowed() -> None:
    assert FitConfig(steps=0, lr=0.1).warmup == 100
    assert BatchPlan(labelled=2, groups=0, copies=0).views == 2
    assert BatchPlan(labelled=2, distilled=3, groups=2, copies=3).views == 11


def test_the_choices_are_those_of_the_code() -> None:
    from facegauge.nn.losses import LOSSES
    from facegauge.nn.regressor import DEPTHS, HEADS
    from facegauge.training.optimisers import OPTIMISERS

    assert get_args(settings.Loss) == tuple(LOSSES)
    assert (get_args(settings.Depths), get_args(settings.Head)) == (DEPTHS, HEADS)
    optimiser = FitConfig.__pydantic_fields__["optimiser"]  # type: ignore[attr-defined]
    assert get_args(optimiser.annotation) == tuple(OPTIMISERS)
