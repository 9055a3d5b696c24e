"""Losses on a batch of scores, (N,) prediction and (N,) target, both on the 0..1 scale.

Losses against labels take `sample_weight`, (N,), not negative: the weight of each target in the
mean of the errors; equal weights by default.
"""

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


def mse_corr(
    prediction: Tensor, target: Tensor, weight: float = 1.5, sample_weight: Tensor | None = None
) -> Tensor:
    """MSECorrLoss: MSE + weight * (1 - rho) (arXiv 2509.10114).

    The paper's abstract gives the form. Ours are the population standard deviation, so that the
    term reaches 0 at rho = 1 for every batch size, and the weight 1.5, which public code of that
    name uses. A batch without spread (one picture, say) has rho = 0 and gives finite gradients.
    """
    closeness = _mean((prediction - target).square(), sample_weight)
    return closeness + weight * (1 - pearson(prediction, target))


def robust_corr(
    prediction: Tensor, target: Tensor, weight: float = 1.5, sample_weight: Tensor | None = None
) -> Tensor:
    """`mse_corr` with smooth L1 (knee at 0.1) in place of the MSE: robust to label outliers."""
    closeness = _mean(
        F.smooth_l1_loss(prediction, target, beta=0.1, reduction="none"), sample_weight
    )
    return closeness + weight * (1 - pearson(prediction, target))


def charbonnier(
    prediction: Tensor,
    target: Tensor,
    weight: float = 0.0,
    sample_weight: Tensor | None = None,
    epsilon: float = 1e-3,
) -> Tensor:
    """Mean of sqrt(error^2 + epsilon^2), DSL-FIQA's loss (arXiv 2406.09622), + weight * (1 - rho).

    It is the absolute error, smooth at 0, where it is `epsilon`. The paper has no second term.
    """
    closeness = _mean(((prediction - target).square() + epsilon**2).sqrt(), sample_weight)
    return closeness + weight * (1 - pearson(prediction, target))


def plcc_loss(prediction: Tensor, target: Tensor) -> Tensor:
    """L_plcc of Efficient-FIQA (arXiv 2507.15709), which equals (1 - rho)(3 + rho) / 8.

    Half the sum of MSE(zp, zy) / 4 and MSE(rho zp, zy) / 4, on population z-scores. It is 0 at
    rho = 1, 3/8 at 0 and 1/2 at -1, where its slope is 0. A side without spread has z-scores of 0
    and gives finite gradients.
    """
    p, t = _standardised(prediction), _standardised(target)
    rho = (p * t).mean()
    return (F.mse_loss(p, t) / 4 + F.mse_loss(rho * p, t) / 4) / 2


def mse_plcc(
    prediction: Tensor, target: Tensor, weight: float = 1.0, sample_weight: Tensor | None = None
) -> Tensor:
    """MSE + weight * L_plcc, Efficient-FIQA's loss (arXiv 2507.15709), where the weight is 1."""
    mse = _mean((prediction - target).square(), sample_weight)
    return mse + weight * plcc_loss(prediction, target)


def ranked(prediction: Tensor, target: Tensor, scale: float = 0.5) -> Tensor:
    """Every pair in its order: mean of log(1 + exp(-lead / scale)) over pairs with unequal targets.

    The lead is how much higher the better one of a pair scores, in standard deviations of the
    batch's scores, so that the scores' order counts and nothing is gained by stretching them. Pairs
    count alike, however far apart, so the many pictures in the middle of the labels' scale are
    sorted with care; squared errors and correlations are ruled by the few at its ends. RankNet's
    loss but for the deviations, which are our choice, as is `scale`.
    """
    score = _standardised(prediction)
    lead = score.unsqueeze(1) - score.unsqueeze(0)
    better = target.unsqueeze(1) > target.unsqueeze(0)
    return (F.softplus(-lead / scale) * better).sum() / better.sum().clamp(min=1)


def _mean(errors: Tensor, sample_weight: Tensor | None) -> Tensor:
    if sample_weight is None:
        return errors.mean()
    return (sample_weight * errors).sum() / sample_weight.sum()


def _standardised(scores: Tensor) -> Tensor:
    centred = scores - scores.mean()
    return centred / (centred.square().mean() + EPSILON).sqrt()


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


LOSSES = {
    "mse_corr": mse_corr,
    "robust_corr": robust_corr,
    "mse_plcc": mse_plcc,
    "charbonnier": charbonnier,
}
