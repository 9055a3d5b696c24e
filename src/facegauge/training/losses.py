"""Losses on a batch of scores, (N,) prediction and (N,) target, both on the 0..1 scale."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

EPSILON = 1e-8  # added to variances: keeps the gradient finite when a batch has no spread


def pearson(prediction: Tensor, target: Tensor) -> Tensor:
    """Pearson correlation with population standard deviations; 0 when either has no spread."""
    p = prediction - prediction.mean()
    t = target - target.mean()
    variance_p, variance_t = p.square().mean() + EPSILON, t.square().mean() + EPSILON
    return (p * t).mean() / (variance_p * variance_t).sqrt()


def mse_corr(prediction: Tensor, target: Tensor, weight: float = 1.5) -> Tensor:
    """MSECorrLoss: MSE + weight * (1 - rho) (arXiv 2509.10114).

    The paper's abstract gives the form. Ours are the population standard deviation, so that the
    term reaches 0 at rho = 1 for every batch size, and the weight 1.5, which public code of that
    name uses. A batch without spread (one picture, say) has rho = 0 and gives finite gradients.
    """
    return F.mse_loss(prediction, target) + weight * (1 - pearson(prediction, target))


def robust_corr(prediction: Tensor, target: Tensor, weight: float = 1.5) -> Tensor:
    """`mse_corr` with smooth L1 (knee at 0.1) for the MSE: bears labels that are plainly wrong."""
    closeness = F.smooth_l1_loss(prediction, target, beta=0.1)
    return closeness + weight * (1 - pearson(prediction, target))


def ordered(scores: Tensor, severities: Tensor, margin: float) -> Tensor:
    """Pairwise hinge on degraded copies: a more severe copy must score lower.

    Args:
        scores: (G, K), K copies of each of G pictures.
        severities: (G, K).
        margin: how far apart two copies must score, per unit of severity.

    Returns:
        Mean over the pairs whose severities differ; 0 when every pair keeps its margin.
    """
    gap = severities.unsqueeze(1) - severities.unsqueeze(2)  # [g, i, j]: how much worse j is
    lead = scores.unsqueeze(2) - scores.unsqueeze(1)  # [g, i, j]: how much higher i scores
    worse = gap > 0
    return (F.relu(margin * gap - lead) * worse).sum() / worse.sum().clamp(min=1)


LOSSES = {"mse_corr": mse_corr, "robust_corr": robust_corr}
