"""Objectives: each turns a network and a batch into named losses, which the loop adds up."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from facegauge.faces.spec import PreprocessSpec
from facegauge.nn.heatmap import resize_area
from facegauge.nn.losses import LOSSES, ranking_loss, severity_ranking_loss
from facegauge.nn.normalise import Normalise
from facegauge.nn.regressor import Regressor
from facegauge.training.inputs.views import Batch
from facegauge.training.settings import DistillationConfig, LossConfig, Pairs
from facegauge.training.whole_step import whole_step


@dataclass(frozen=True, slots=True)
class ScoreLoss:
    """A loss between the scores and labels of a whole step, plus `ranking_loss`.

    Attributes:
        loss: a key of `losses.LOSSES`.
        corr_weight: weight of its correlation term.
        label_rank_weight: weight of `ranking_loss`.
    """

    loss: str
    corr_weight: float
    label_rank_weight: float = 0.0

    @property
    def sees_whole_step(self) -> bool:
        """Whether it has terms that are no means over rows."""
        return bool(self.corr_weight or self.label_rank_weight)

    def __call__(
        self, prediction: Tensor, target: Tensor, sample_weight: Tensor | None = None
    ) -> Tensor:
        """The loss of scores (N,) and labels (N,), with weights (N,), as in `losses.py`."""
        prediction, target, sample_weight = whole_step(prediction, target, sample_weight)
        loss: Tensor = LOSSES[self.loss](
            prediction, target, weight=self.corr_weight, sample_weight=sample_weight
        )
        if self.label_rank_weight:
            loss = loss + self.label_rank_weight * ranking_loss(prediction, target)
        return loss


def score_loss(config: LossConfig, label_rank_weight: float = 0.0) -> ScoreLoss:
    """The loss between scores and labels, plus `ranking_loss` with the given weight."""
    return ScoreLoss(config.loss, config.corr_weight, label_rank_weight)


def all_views(batch: Batch) -> Tensor:
    """Every view of a batch, labelled, distilled, then ordered ones: (B, H, W, 3) uint8."""
    parts = [batch[name] for name in ("labelled", "distilled", "ordered") if name in batch]
    return torch.cat([part.reshape(-1, *part.shape[-3:]) for part in parts])


class Supervised(nn.Module):
    """Labels on plain views and, if the batch has them, the order of degraded copies.

    If the batch has landmarks, the network gets them beside the views.

    Args:
        spec: normalisation of the network's input.
        loss: between scores and labels, see `score_loss`.
        severity_rank_weight: weight of `severity_ranking_loss` on groups of degraded copies.
        margin: of that loss, per unit of severity.
    """

    def __init__(
        self, spec: PreprocessSpec, loss: ScoreLoss, severity_rank_weight: float, margin: float
    ) -> None:
        super().__init__()
        self.normalise = Normalise(spec)
        self.loss, self.severity_rank_weight, self.margin = loss, severity_rank_weight, margin
        self.sees_whole_step = loss.sees_whole_step

    def forward(self, network: nn.Module, batch: Batch) -> dict[str, Tensor]:
        views, count = self.normalise(batch["labelled"]), len(batch["labelled"])
        if "ordered" in batch:
            views = torch.cat([views, self.normalise(batch["ordered"])])
        guides = (batch["landmarks"],) if "landmarks" in batch else ()
        scores = network(views, *guides).float()
        losses = {
            "labels": self.loss(
                scores[:count], batch["score"], sample_weight=batch.get("sample_weight")
            )
        }
        if "ordered" in batch:
            severity = batch["severity"]
            copies = scores[count:].view(severity.shape)
            losses["order"] = self.severity_rank_weight * severity_ranking_loss(
                copies, severity, self.margin
            )
        return losses


class Distilled(nn.Module):
    """Distillation: the teachers' scores and feature maps on cached views, beside the labels.

    The student's maps go through 1x1 convolutions and must match the teacher's, standardised per
    channel, at the same strides; where padding makes their grids differ, the teacher's is resized
    by area. On labelled views the target is a mix of the label and the teachers' score.

    Args:
        spec: normalisation of the student's input.
        channels: of the teacher's maps in the batches, by tap.
        student: the network to be trained; only its channel counts are read.
        config: the weights of the terms.
        pairs: (student tap, teacher tap), maps of equal stride.
    """

    def __init__(
        self,
        spec: PreprocessSpec,
        channels: dict[str, int],
        student: Regressor,
        config: DistillationConfig,
        pairs: Pairs,
    ) -> None:
        super().__init__()
        self.normalise, self.config = Normalise(spec), config
        self.loss = score_loss(config, config.label_rank_weight)
        self.sees_whole_step = bool(config.score_weight) and self.loss.sees_whole_step
        self.pairs = pairs if config.feature_weight else ()  # DDP refuses unused adapters
        self.adapters = nn.ModuleList(
            nn.Conv2d(student.channels[s], channels[t], 1) for s, t in self.pairs
        )
        self.standardise = nn.ModuleList(
            nn.BatchNorm2d(channels[t], affine=False) for _, t in self.pairs
        )

    def forward(self, network: Regressor, batch: Batch) -> dict[str, Tensor]:
        views = self.normalise(all_views(batch)).contiguous(memory_format=torch.channels_last)
        maps = network.features(views)
        with torch.autocast(views.device.type, enabled=False):  # bfloat16 has steps of 0.002
            scores = network.score({name: map_.float() for name, map_ in maps.items()})

        target = batch["teacher_score"].clone()
        count = len(batch.get("labelled", ()))
        if count:
            mix = self.config.label_share
            target[:count] = mix * batch["score"] + (1 - mix) * target[:count]
        losses = {"score": self.config.score_weight * self.loss(scores, target)}
        if self.pairs:
            losses["features"] = self.config.feature_weight * self._imitation(maps, batch)
        weight = self.config.severity_rank_weight
        if "ordered" in batch and weight:
            severity = batch["severity"]
            copies = scores[-severity.numel() :].view(severity.shape)
            order = severity_ranking_loss(copies, severity, self.config.margin)
            losses["order"] = weight * order
        return losses

    def _imitation(self, maps: dict[str, Tensor], batch: Batch) -> Tensor:
        terms = []
        for (ours, theirs), adapter, standardise in zip(
            self.pairs, self.adapters, self.standardise, strict=True
        ):
            map_ = adapter(maps[ours]).float()
            target = standardise(batch[f"maps.{theirs}"].float())
            terms.append(F.mse_loss(map_, resize_area(target, map_.shape[-2:])))
        return torch.stack(terms).mean()
