"""Fine-tuning: a finished scorer learns 300 to 3,000 other labels.

No paper; in the order of what it costs:
1. curve: a monotonic curve from the start's scores to the labels, fitted to train. Where the new
   labels rank faces as the start does, this is all that is needed;
2. head: the trunk stays frozen, its features are computed once, and the linear head in front of
   the curve is moved in closed form;
3. all: every layer learns the labels, and that a degraded copy scores lower, from the better of
   the first two; it stops early where val does not improve.
Each is judged on val, and the best is kept. So the result is never worse on val than the start with
a refitted curve.
"""

from __future__ import annotations

import logging
import math
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from facegauge import zoo
from facegauge.arrays import FloatArray, Scores
from facegauge.data.manifests import Manifest
from facegauge.evaluation.logistic import fit_logistic
from facegauge.evaluation.metrics import srcc
from facegauge.nn.checkpoints import Run, find_run
from facegauge.nn.curved import Curved
from facegauge.nn.heads import LinearHead
from facegauge.nn.predictor import predict_views, uses_landmarks
from facegauge.training.begin import begin_run
from facegauge.training.context import TrainingContext
from facegauge.training.devices import this_process
from facegauge.training.fit_state import Figures
from facegauge.training.init_from import check_sources
from facegauge.training.inputs.pictures import landmarks, sampled
from facegauge.training.inputs.views import Framed, ViewBatches
from facegauge.training.methods.finetune import labels as lists
from facegauge.training.methods.finetune.config import FinetuneConfig, FrozenConfig
from facegauge.training.methods.finetune.frozen import frozen_features
from facegauge.training.methods.finetune.head import fit_shift
from facegauge.training.methods.finetune.steady import SteadySupervised
from facegauge.training.objectives import Supervised, score_loss
from facegauge.training.settings import FitConfig

CURVE, HEAD, ALL = "curve", "head", "all"
WORDS = {
    CURVE: "the start with a refitted curve",
    HEAD: "a new head on the start's features",
    ALL: "all layers trained",
}
TUNED = ", fine-tuned"
LEAST_WIDTH = 0.2  # of a curve that is trained further, in deviations of the start's scores
OPPOSITE = -0.2  # SRCC of labels with the scores of the start, from which the scale looks turned

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A network that may be kept, and its figures on val."""

    name: str
    network: Curved
    figures: Figures


def run(
    config: FinetuneConfig,
    data: Manifest,
    out: Path,
    *,
    resume: bool = False,
    allow_leakage: bool = False,
) -> dict[str, Figures]:
    """Fine-tune a scorer into the run folder `out`.

    The folder also keeps the list, with labels from 0 to 1 and splits, in `labels.csv`.

    Args:
        config: a preset, with overrides; see `training.config.load_preset`.
        data: labelled pictures; without splits, they are drawn.
        resume: continue with what `out` holds.
        allow_leakage: train although splits share pictures or people.

    Returns:
        Figures on val of "curve", "head" and "all", as far as there are; and of "kept".

    Raises:
        UsageError: too few labels or only one value, leaks between the splits, `out` is in use and
            `resume` is off, or there is nothing to start from.
    """
    check_sources(config)
    data = lists.with_split(data, config.split)
    start = find_run(config.start)
    network = start.network.network if isinstance(start.network, Curved) else start.network
    context = begin_run(
        config,
        data,
        [],
        out,
        spec=start.spec,
        resume=resume,
        allow_leakage=allow_leakage,
        landmarks=uses_landmarks(network),
        faces=config.faces,
    )
    if this_process().is_main_process:
        lists.keep(data, out)
    context = context.recorded(**inherited(start, config, context.record["data"]))
    network = network.to(this_process().device)

    curve, smooth = fit_curve(context, network)
    candidates, begin = [judged(context, CURVE, curve)], smooth
    if isinstance(network, LinearHead):
        moved = fit_head(context, smooth, config.frozen)
        candidates.append(judged(context, HEAD, moved))
        begin = best(candidates).network if smooth is curve else moved
    else:
        logger.info("the start has no linear head; all its layers are trained at once")
    trained = train_all(context, begin, config, start.system)
    candidates.append(judged(context, ALL, trained))

    kept = best(candidates)
    context.save("", start.system.removesuffix(TUNED) + TUNED, kept.network.eval())
    if kept.name == CURVE:
        logger.info("no training was better on val than %s, which is kept", WORDS[CURVE])
    else:
        logger.info("kept: %s", WORDS[kept.name])
    return {**{each.name: each.figures for each in candidates}, "kept": kept.figures}


def fit_curve(context: TrainingContext, network: nn.Module) -> tuple[Curved, Curved]:
    """Step 1: the start behind a curve that was fitted to its scores of the training pictures.

    Returns:
        The start behind the best curve; and what the next steps train, which is the same, or the
        start behind a line where the curve is nearly a step, which moved scores do not change.
    """
    pictures = labelled(context)
    scores = raw_scores(context, network, pictures)
    labels = np.array([one.score for one in pictures])
    if srcc(scores, labels) < OPPOSITE:
        logger.warning(
            "labels fall where the start's scores rise; if small labels mean good quality, give "
            "the scale with its ends exchanged, as --scale 5,1"
        )
    curve = fit_logistic(scores, labels)
    if curve.logistic is None:
        line = Curved(network, curve.linear)
        return line, line
    curved = Curved(network, curve.logistic)
    if curve.logistic[3] >= LEAST_WIDTH * scores.std():
        return curved, curved
    slope, offset = np.polyfit(scores, labels, 1)
    return curved, Curved(network, (float(slope), float(offset)))


def fit_head(context: TrainingContext, curved: Curved, config: FrozenConfig) -> Curved:
    """Step 2: the head moves in closed form, on features of a few views of every picture."""
    moved = deepcopy(curved).eval()
    head = moved.network
    assert isinstance(head, LinearHead)
    found = frozen_features(context.maker, labelled(context), moved, config.views)
    shift = fit_shift(
        found.embeddings, found.residuals, found.slopes, found.pictures, folds=config.folds
    )
    weight = torch.from_numpy(shift.weight).float().to(this_process().device)
    head.shift_head(weight, shift.bias)
    return moved


def train_all(
    context: TrainingContext, start: Curved, config: FinetuneConfig, system: str
) -> Curved:
    """Step 3: all layers, from the best so far; a finished fit is loaded."""
    network = deepcopy(start).train()
    objective = (SteadySupervised if config.steady_norms else Supervised)(
        context.maker.spec,
        score_loss(config, config.label_rank_weight),
        config.severity_rank_weight,
        config.margin,
    )
    batches = partial(ViewBatches, context.maker, config.plan)
    fit = fit_of(config, len(labelled(context)))
    context.fit(ALL, network, objective, batches, fit, system=f"{system}, all layers")
    return network.eval()


def fit_of(config: FinetuneConfig, pictures: int) -> FitConfig:
    """The optimisation of all layers, in passes over so many pictures."""
    a_pass = math.ceil(pictures / config.plan.labelled)
    steps = min(config.fit.steps, config.passes * a_pass)
    return replace(
        config.fit, steps=steps, warmup=min(config.fit.warmup, steps // 5), validate_every=a_pass
    )


def judged(context: TrainingContext, name: str, network: Curved) -> Candidate:
    """A network with its figures on val, which are logged."""
    figures = context.validate(network)
    logger.info(
        "%s: on val (n = %d) SRCC %.4f, PLCC %.4f",
        *(WORDS[name], len(context.val), figures["srcc"], figures["plcc"]),
    )
    return Candidate(name, network, figures)


def best(candidates: list[Candidate]) -> Candidate:
    """The best on val; of equals, and where figures are not defined, the first."""
    return max(candidates, key=lambda one: np.nan_to_num(one.figures["val_score"], nan=-1.0))


def inherited(start: Run, config: FinetuneConfig, data: list[dict[str, Any]]) -> dict[str, Any]:
    """What the card of the result must say of the start: its data and its licence."""
    licence = start.settings.get("licence", "")
    if (start.folder / zoo.CARD).is_file():
        licence = zoo.load_card(start.folder).licence
    more = {"licence": f"the start's, {config.start}: {licence}"} if licence else {}
    return {
        "data": [*start.settings.get("data", []), *data],
        "faces": config.faces,
        "label_name": str(config.labels.scale),
        **more,
    }


def labelled(context: TrainingContext) -> list[Framed]:
    """The training pictures."""
    return [one for one in context.maker.pictures if one.score is not None]


def raw_scores(context: TrainingContext, network: nn.Module, pictures: list[Framed]) -> Scores:
    """A network's scores (N,) of pictures as they are, not clipped."""
    views = sampled(pictures, context.maker.spec)
    points: FloatArray | None = None
    if uses_landmarks(network):
        points = landmarks(pictures, context.maker.spec)
    return predict_views(network, context.maker.spec, views, points)
