"""The tables of settings that the methods share; the engine behind them is `config.py`."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field

from facegauge.training.config import setting, table
from facegauge.training.config_errors import Expected, either
from facegauge.training.init_from import InitFrom
from facegauge.training.numbers import Count, Positive, Share, Weight
from facegauge.training.view_settings import BatchPlan, ViewsConfig

Loss = Literal["mse_corr", "robust_corr", "mse_plcc", "charbonnier"]
Depths = Literal["last", "all", "strides"]
Head = Literal["linear", "factorised"]


def _known_backbone(name: str) -> str:
    from facegauge.nn.backbones import TAPS

    if name not in TAPS:
        raise ValueError(f"expected {either(TAPS)}")
    return name


Backbone = Annotated[str, AfterValidator(_known_backbone), Expected("the name of a backbone")]


@table
class FitConfig:
    """Optimisation of one network."""

    RENAMED: ClassVar[dict[str, str]] = {"average": "ema_decay"}
    RENAMED_VALUES: ClassVar[dict[str, dict[str, str]]] = {"precision": {"no": "fp32"}}

    INSTEAD: ClassVar[dict[str, str]] = {"steps": "epochs", "epochs": "steps"}

    steps: Count = setting("Optimiser steps; 0, without epochs, leaves the network as it is")
    epochs: Weight = setting(
        "In place of steps: passes over the labelled pictures, or over what a step takes one of; "
        "no more steps than a pass lie between validations then",
        default=0.0,
    )
    lr: Weight = setting("Peak learning rate")
    schedule: Literal["cosine", "step", "constant"] = setting(
        "How the learning rate falls: as a cosine to a hundredth; to a tenth after each third of "
        "the steps; or not at all",
        default="cosine",
    )
    weight_decay: Weight = setting(
        "Weight decay of matrices and convolutions; with adam of all weights", default=0.01
    )
    warmup: Count = setting("Steps over which the learning rate rises from 0", default=100)
    optimiser: Literal["adamw", "adam", "muon"] = setting(
        "AdamW; Adam, whose weight decay is a part of the gradient; or Muon for the matrices of "
        "linear layers and AdamW for the rest",
        default="adamw",
    )
    ema_decay: Annotated[float, Field(ge=0, lt=1)] = setting(
        "Decay of the exponential moving average of the weights, which is what is validated and "
        "kept; 0 for none",
        default=0.998,
    )
    precision: Literal["fp32", "bf16", "fp16"] = setting(
        "float32; or bfloat16 or float16 where torch's autocast takes them", default="fp32"
    )
    accumulate: Positive = setting(
        "Batches of a process whose gradients make one step: a step sees as many times the views "
        "in the memory of one batch. Correlation and ranking terms see all of them, for the cost "
        "of one more forward pass",
        default=1,
    )
    compile: bool = setting(
        "Compile network and losses with torch.compile, which takes minutes at first and needs a "
        "C++ compiler on CPUs",
        default=False,
    )
    sync_batch_norm: bool = setting(
        "In several processes on GPUs, batch norms see the batches of all of them", default=False
    )
    clip: Weight = setting(
        "Largest norm of the gradients; longer ones are scaled; 0: none is", default=5.0
    )
    seed: Count = setting("Seed of batches, dropout and random weights", default=0)
    validate_every: Positive = setting(
        "Steps between validations; the last step always validates", default=500
    )
    patience: Count = setting(
        "Validations in a row without a better one after which training ends; 0: never",
        default=0,
    )
    save_every: Positive = setting("Steps between saved states to resume from", default=200)
    log_every: Positive = setting("Steps between rows of log.jsonl", default=50)

    @property
    def trains(self) -> bool:
        """Whether there are any steps."""
        return bool(self.steps or self.epochs)

    def in_steps(self, a_pass: float) -> FitConfig:
        """The same with steps in place of epochs.

        Args:
            a_pass: steps that a pass takes.
        """
        if not self.epochs:
            return self
        steps = max(1, math.ceil(self.epochs * a_pass))
        return replace(
            self,
            steps=steps,
            epochs=0.0,
            warmup=min(self.warmup, steps),
            validate_every=max(1, min(self.validate_every, math.ceil(a_pass))),
        )

    def __post_init__(self) -> None:
        if self.steps and self.epochs:
            raise ValueError(
                f"expected steps or epochs, got {self.steps} and {self.epochs:g}; set one to 0"
            )
        if self.steps and self.warmup > self.steps:
            raise ValueError(
                f"expected a warmup within the {self.steps} steps, got warmup {self.warmup}"
            )


@table
class LossConfig:
    """The loss between scores and labels."""

    RENAMED: ClassVar[dict[str, str]] = {"rank_weight": "label_rank_weight"}

    loss: Loss = setting("Loss between score and label; see `nn/losses.py`")
    corr_weight: Weight = setting("Weight of the loss's correlation term", default=1.0)


@table
class ScoreLossConfig(LossConfig):
    """The loss between scores and labels, and on the order of labels."""

    label_rank_weight: Weight = setting(
        "Weight of a loss on the order of every pair of labels", default=0.0
    )


@table
class SeverityRankConfig:
    """The loss on the order of degraded copies."""

    RENAMED: ClassVar[dict[str, str]] = {"order_weight": "severity_rank_weight"}

    severity_rank_weight: Weight = setting(
        "Weight of the loss by which a more degraded copy must score lower", default=0.0
    )
    margin: Weight = setting(
        "How far apart the scores of two copies must lie, per unit of severity", default=0.0
    )


@table
class InitConfig:
    """Where a network's first weights come from."""

    RENAMED: ClassVar[dict[str, str]] = {"start": "init_from", "weights": "init_from"}

    init_from: InitFrom = setting(
        'First weights: "" for random ones, "imagenet" to let the library fetch them, a .pth file '
        "with backbone weights; or a shipped scorer, or a scorer or run folder, whose network is "
        "taken whole",
        default="",
    )


@table
class BackboneConfig(InitConfig):
    """A backbone and its first weights."""

    backbone: Backbone = setting("Network of torchvision or timm; see `nn/backbones.py`")


@table
class HeadConfig:
    """How scores are made of a backbone's maps."""

    depths: Depths = setting(
        "Which of the backbone's maps are pooled: the last, all, or those at strides 4 to 32",
        default="last",
    )
    head: Head = setting(
        "Head behind the pooling: one linear layer, or two without an activation between",
        default="linear",
    )


@table
class NetworkConfig(BackboneConfig, HeadConfig):
    """A network: backbone, head and first weights."""


@table
class DistillationConfig(ScoreLossConfig, SeverityRankConfig):
    """What a student learns from a teacher cache."""

    score_weight: Weight = setting("Weight of the loss on the teachers' scores", default=1.0)
    feature_weight: Weight = setting("Weight of the loss on the teacher's maps", default=0.0)
    label_share: Share = setting(
        "Weight of the label against the teachers' score on labelled views", default=0.0
    )


Pairs = tuple[tuple[str, str], ...]


@table
class TeacherCacheConfig:
    """The views that teachers score once, and students learn from often; kept on disk."""

    batches: Positive = setting("Batches in the cache")
    seed: Count = setting("Seed of the cached views", default=0)
    plan: BatchPlan = setting("What a batch holds, in the cache and in training from it")


@table
class PseudoLabelConfig:
    """How a teacher labels pictures."""

    RENAMED: ClassVar[dict[str, str]] = {"weighted": "sample_weight"}

    views: Positive = setting("Views of a picture over which its score is averaged", default=1)
    sample_weight: bool = setting(
        "Give pseudo-labels a lower weight where the scores of the views differ", default=False
    )


def check_names(what: str, names: tuple[str, ...], there: dict[str, Any]) -> None:
    """Refuse a list of teachers that is empty or names one without a table; for `__post_init__`.

    Raises:
        ValueError: it is one.
    """
    if not names or not set(names) <= set(there):
        raise ValueError(f"expected {what} to name some of {', '.join(there)}, got {list(names)}")


def check_pairs(what: str, pairs: Pairs, student: str, teacher: str) -> None:
    """Refuse pairs of maps that student or teacher do not have; for `__post_init__`.

    Args:
        what: the setting's name.
        student, teacher: their backbones.

    Raises:
        ValueError: a pair has one that they do not have.
    """
    from facegauge.nn.backbones import TAPS

    for ours, theirs in pairs:
        if ours not in TAPS[student] or theirs not in TAPS[teacher]:
            raise ValueError(
                f"expected {what} of a map of {student} ({', '.join(TAPS[student])}) and one of "
                f"{teacher} ({', '.join(TAPS[teacher])}), got {[ours, theirs]}"
            )


@table
class MethodConfig:
    """What the settings of every method have."""

    method: ClassVar[str]
    RENAMED: ClassVar[dict[str, str]] = {"pool": "teacher_cache"}

    workers: Count = setting("Processes that prepare batches", default=1)
    views: ViewsConfig = setting("Training views", default=ViewsConfig())
