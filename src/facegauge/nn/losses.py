"""Losses on a batch of scores: (N,) prediction and (N,) target, both in 0..1, give a scalar.

Losses against labels take `sample_weight`, (N,) with values >= 0: the weight of each row in the
mean of the errors; None: equal weights.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

EPSILON = 1e-8  # added to variances, for finite gradients in batches with constant scores


def pearson(prediction: Tensor, target: Tensor) -> Tensor:
    """Pearson's correlation coefficient, differentiable.

    Args:
        prediction: (N,).
        target: (N,).

    Returns:
        A scalar in -1..1, with population standard deviations; 0 for constant values.
    """
    p = prediction - prediction.mean()
    t = target - target.mean()
    variance_p, variance_t = p.square().mean() + EPSILON, t.square().mean() + EPSILON
    return (p * t).mean() / (variance_p * variance_t).sqrt()


def mse_corr(
    prediction: Tensor, target: Tensor, weight: float = 1.5, sample_weight: Tensor | None = None
) -> Tensor:
    """MSECorrLoss: MSE + weight * (1 - rho) (arXiv 2509.10114).

    The paper's abstract gives the form. Our choices are the population standard deviation, so that
    the second term is 0 at rho = 1 for every batch size, and the weight 1.5, as in public code of
    that name. A batch of constant values (such as one picture) has rho = 0 and finite gradients.

    Args:
        prediction: (N,).
        target: (N,).
        weight: of the correlation term.
        sample_weight: (N,) weights of the squared errors.
    """
    error = _mean((prediction - target).square(), sample_weight)
    return error + weight * (1 - pearson(prediction, target))


def robust_corr(
    prediction: Tensor, target: Tensor, weight: float = 1.5, sample_weight: Tensor | None = None
) -> Tensor:
    """`mse_corr` with smooth L1 (beta 0.1) instead of MSE, which is robust to label outliers.

    Args:
        prediction: (N,).
        target: (N,).
        weight: of the correlation term.
        sample_weight: (N,) weights of the errors.
    """
    error = _mean(F.smooth_l1_loss(prediction, target, beta=0.1, reduction="none"), sample_weight)
    return error + weight * (1 - pearson(prediction, target))


def charbonnier(
    prediction: Tensor,
    target: Tensor,
    weight: float = 0.0,
    sample_weight: Tensor | None = None,
    epsilon: float = 1e-3,
) -> Tensor:
    """Charbonnier loss of DSL-FIQA (arXiv 2406.09622): mean of sqrt(error^2 + epsilon^2).

    It is a smooth absolute error. The term weight * (1 - rho) is optional and ours.

    Args:
        prediction: (N,).
        target: (N,).
        weight: of the correlation term.
        sample_weight: (N,) weights of the errors.
        epsilon: the loss at error 0.
    """
    error = _mean(((prediction - target).square() + epsilon**2).sqrt(), sample_weight)
    return error + weight * (1 - pearson(prediction, target))


def plcc_loss(prediction: Tensor, target: Tensor) -> Tensor:
    """L_plcc of Efficient-FIQA (arXiv 2507.15709), which equals (1 - rho)(3 + rho) / 8.

    Half the sum of MSE(zp, zy) / 4 and MSE(rho zp, zy) / 4, where zp and zy are z-scores with
    population standard deviations. It is 0 at rho = 1, 3/8 at 0 and 1/2 at -1, where its slope is
    0. Constant values have z-scores of 0 and finite gradients.

    Args:
        prediction: (N,).
        target: (N,).
    """
    p, t = _standardised(prediction), _standardised(target)
    rho = (p * t).mean()
    return (F.mse_loss(p, t) / 4 + F.mse_loss(rho * p, t) / 4) / 2


def mse_plcc(
    prediction: Tensor, target: Tensor, weight: float = 1.0, sample_weight: Tensor | None = None
) -> Tensor:
    """The loss of Efficient-FIQA (arXiv 2507.15709): MSE + weight * L_plcc, with weight 1 there.

    Args:
        prediction: (N,).
        target: (N,).
        weight: of the correlation term.
        sample_weight: (N,) weights of the squared errors.
    """
    mse = _mean((prediction - target).square(), sample_weight)
    return mse + weight * plcc_loss(prediction, target)


def ranking_loss(prediction: Tensor, target: Tensor, scale: float = 0.5) -> Tensor:
    """Pairwise ranking loss (RankNet, Burges et al. 2005) on standardised scores.

    The mean of log(1 + exp(-difference / scale)) over all pairs with unequal targets, where the
    difference is the score of the better picture minus that of the worse one, in standard
    deviations of the batch's scores (our choice), so that scaling the scores has no effect. All
    pairs have the same weight, so that the many pictures in the middle of the labels' range count
    more than for squared errors and correlations, which depend most on the extremes.

    Args:
        prediction: (N,).
        target: (N,).
        scale: of the differences, in standard deviations (our choice).
    """
    score = _standardised(prediction)
    difference = score.unsqueeze(1) - score.unsqueeze(0)
    better = target.unsqueeze(1) > target.unsqueeze(0)
    return (F.softplus(-difference / scale) * better).sum() / better.sum().clamp(min=1)


def _mean(errors: Tensor, sample_weight: Tensor | None) -> Tensor:
    if sample_weight is None:
        return errors.mean()
    return (sample_weight * errors).sum() / sample_weight.sum()


def _standardised(scores: Tensor) -> Tensor:
    centred = scores - scores.mean()
    return centred / (centred.square().mean() + EPSILON).sqrt()


def severity_ranking_loss(scores: Tensor, severities: Tensor, margin: float) -> Tensor:
    """Pairwise margin ranking loss on degraded copies: a more severe copy must score lower.

    Args:
        scores: (G, K), of K copies of each of G pictures.
        severities: (G, K).
        margin: required difference of two scores, per unit of severity.

    Returns:
        Mean over the pairs with different severities; 0 if every pair has its margin.
    """
    gap = severities.unsqueeze(1) - severities.unsqueeze(2)  # [g, i, j]: severity of j minus i
    difference = scores.unsqueeze(2) - scores.unsqueeze(1)  # [g, i, j]: score of i minus j
    worse = gap > 0
    return (F.relu(margin * gap - difference) * worse).sum() / worse.sum().clamp(min=1)


LOSSES = {
    "mse_corr": mse_corr,
    "robust_corr": robust_corr,
    "mse_plcc": mse_plcc,
    "charbonnier": charbonnier,
}
