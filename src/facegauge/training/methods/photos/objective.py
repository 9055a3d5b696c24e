"""The loss: scores and their order within each regime, and the width of the face."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from facegauge.faces.spec import PreprocessSpec
from facegauge.nn.losses import plcc_loss
from facegauge.nn.normalise import Normalise
from facegauge.nn.sized import SizedRegressor
from facegauge.training.inputs.views import Batch
from facegauge.training.methods.photos.batches import CROPS, PHOTOS
from facegauge.training.methods.photos.config import ObjectiveConfig
from facegauge.training.whole_step import whole_step

APART = 0.03  # labels that differ by less have no order
SLOPE, MOST = 0.5, 0.1  # two scores must be half as far apart as their labels, which count to 0.1
SCALE = 8.0  # of the smooth L1 loss
WIDTH_BETA = 0.3  # octaves


class PhotoObjective(nn.Module):
    """What a step learns.

    Args:
        spec: normalisation of the network's input.
        config: the weights of the terms.
    """

    def __init__(self, spec: PreprocessSpec, config: ObjectiveConfig) -> None:
        super().__init__()
        self.normalise, self.config, self.input_width = Normalise(spec), config, spec.width
        self.sees_whole_step = bool(config.corr_weight or config.label_rank_weight)

    def forward(self, network: SizedRegressor, batch: Batch) -> dict[str, Tensor]:
        images = self.normalise(batch["views"]).contiguous(memory_format=torch.channels_last)
        embedding = network.embed(images)
        with torch.autocast(images.device.type, enabled=False):  # bfloat16 has steps of 0.002
            embedding = embedding.float()
            scores = network.score_embedding(embedding)
            octaves = network.estimate_size(embedding)
        scores, octaves, target, labelled, regimes, widths = whole_step(
            *(scores, octaves, batch["score"].float()),
            *(batch["is_label"], batch["regime"], batch["width"].float()),
        )
        config, weight = self.config, torch.where(labelled, 1.0, self.config.pseudo_weight)
        closeness = F.smooth_l1_loss(scores, target, beta=config.beta, reduction="none")
        losses = {"score": SCALE * (closeness * weight).mean()}
        for name, regime in (("photos", PHOTOS), ("crops", CROPS)):
            rows = regimes == regime
            sure = rows & labelled
            losses[name] = config.corr_weight * plcc_loss(scores[rows], target[rows])
            order = label_order(scores[sure], target[sure])
            losses[name] = losses[name] + config.label_rank_weight * order
        known = torch.isfinite(widths)
        if config.width_weight and known.any():
            wanted = torch.log2(widths[known] / self.input_width)
            apart = F.smooth_l1_loss(octaves[known], wanted, beta=WIDTH_BETA)
            losses["width"] = config.width_weight * apart
        else:
            losses["width"] = 0.0 * octaves.sum()  # DDP refuses unused weights
        return losses


def label_order(scores: Tensor, labels: Tensor) -> Tensor:
    """Mean hinge loss of pairs in the order of their labels; scores and labels are (N,)."""
    apart = labels[:, None] - labels[None]
    short = F.relu(SLOPE * apart.clamp(max=MOST) - (scores[:, None] - scores[None]))
    pairs = apart > APART
    return short[pairs].mean() if bool(pairs.any()) else scores.sum() * 0.0
