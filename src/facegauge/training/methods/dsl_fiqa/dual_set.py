"""Dual-set degradation learning: an encoder learns the degradation, not whose face it is.

Source: DSL-FIQA (arXiv 2406.09622). Set S is one clean face under several degradations: the same
content. Set R is many real faces: content and quality vary. Each member of S is reconstructed from
the members of R, closer ones with larger weights (soft proximity mapping), and the reconstruction
must be closer to that member than to the others in S; the same from R through S. The sets have only
degradations in common. The loss is that of the public code, which keeps the positive in the
denominator; the printed formula leaves it out. See `dual_set_batches` for the sets.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from facegauge.errors import UsageError
from facegauge.faces.spec import PreprocessSpec
from facegauge.nn.normalise import Normalise
from facegauge.training.inputs.views import Batch

DISTANCES = ("sum", "mean")
WAYS = ("both", "s_r_s", "r_s_r")
EPSILON = 1e-4  # added to standard deviations


def soft_proximity(
    source: Tensor, target: Tensor, temperature: float = 1.0, distance: str = "sum"
) -> tuple[Tensor, Tensor]:
    """Each row of one set, reconstructed from the rows of another by a softmax over distances.

    Args:
        source: embeddings (M, D).
        target: embeddings (N, D).
        temperature: divisor of the squared distances, above 0; the paper's is 1.
        distance: "sum" of the squared differences over D, as in the public code, or their "mean".
            Sums over thousands of dimensions saturate the softmax: only the closest row counts.

    Returns:
        The reconstructions (M, D), and the weights (M, N) of the target's rows; each row sums to 1.
    """
    weights = _similarity(source, target, temperature, distance).softmax(1)
    return weights @ target, weights


def dual_set_loss(
    s: Tensor, r: Tensor, temperature: float = 1.0, distance: str = "sum"
) -> dict[str, Tensor]:
    """The bidirectional contrastive loss.

    Args:
        s: embeddings of S, (M, D).
        r: embeddings of R, (N, D).
        temperature, distance: see `soft_proximity`.

    Returns:
        `s_r_s` and `r_s_r`: the cross-entropies of identifying each member from its reconstruction
        from the other set. For the log, detached: `entropy_r` and `entropy_s`, the mean entropy of
        the weights of R's and of S's members, in nats: ln N and ln M for equal weights, 0 for a
        saturated softmax. They add nothing to the gradient.
    """
    through_r, entropy_r = _cycle(s, r, temperature, distance)
    through_s, entropy_s = _cycle(r, s, temperature, distance)
    return {"s_r_s": through_r, "r_s_r": through_s, "entropy_r": entropy_r, "entropy_s": entropy_s}


def _cycle(own: Tensor, other: Tensor, temperature: float, distance: str) -> tuple[Tensor, Tensor]:
    """The loss of the way through another set and back, and the entropy of the weights there."""
    reconstructed, weights = soft_proximity(own, other, temperature, distance)
    logits = _similarity(reconstructed, own, temperature, distance)
    loss = F.cross_entropy(logits, torch.arange(len(own), device=own.device))
    return loss, mean_entropy(weights)


def mean_over_cells(embeddings: Tensor, cells: Tensor) -> Tensor:
    """The mean embedding over the cells.

    Args:
        embeddings: (N, K * C), of K cells each.
        cells: (N, K, any), for their number.

    Returns:
        (N, C) float32.
    """
    mean: Tensor = embeddings.float().view(len(cells), cells.shape[1], -1).mean(1)
    return mean


def mean_entropy(weights: Tensor) -> Tensor:
    """Mean entropy, in nats, of the rows of (M, N), each summing to 1; detached."""
    mean: Tensor = torch.special.entr(weights.detach()).sum(1).mean()
    return mean


def _similarity(a: Tensor, b: Tensor, temperature: float, distance: str) -> Tensor:
    """Negative squared distances, divided by the temperature: (M, D), (N, D) -> (M, N)."""
    centre = b.detach().mean(0)  # against cancellation: keeps the numbers small
    a, b = a - centre, b - centre
    squared = a.square().sum(1, keepdim=True) + b.square().sum(1) - 2 * a @ b.T
    return -squared / (temperature * (a.shape[1] if distance == "mean" else 1))


class DualSet(nn.Module):
    """The training objective of a `DegradationEncoder`, on S and R in one forward pass.

    Args:
        spec: normalisation of the views.
        temperature, distance: see `soft_proximity`.
        ways: "both", as in the paper, or, for ablation, "s_r_s" or "r_s_r" alone.
        pooled: compare the mean over a picture's cells. The paper compares all cells in order, and
            with them also positions on the face. Ours.
        standardised: first give every dimension mean 0 and standard deviation 1 over the batch.
            Otherwise brightness, which varies most, dominates fine changes such as JPEG blocks.
            Ours.

    Raises:
        UsageError: an unknown distance or way, or a temperature that is not above 0.
    """

    def __init__(
        self,
        spec: PreprocessSpec,
        *,
        temperature: float = 1.0,
        distance: str = "sum",
        ways: str = "both",
        pooled: bool = False,
        standardised: bool = False,
    ) -> None:
        super().__init__()
        if distance not in DISTANCES:
            raise UsageError(f"expected distance to be {' or '.join(DISTANCES)}, got {distance!r}")
        if temperature <= 0:
            raise UsageError(f"expected a temperature above 0, got {temperature}")
        if ways not in WAYS:
            raise UsageError(f"expected ways to be {' or '.join(WAYS)}, got {ways!r}")
        self.normalise = Normalise(spec)
        self.temperature, self.distance = temperature, distance
        self.pooled, self.standardised = pooled, standardised
        self.excluded = {"both": "", "s_r_s": "r_s_r", "r_s_r": "s_r_s"}[ways]

    def forward(self, network: nn.Module, batch: Batch) -> dict[str, Tensor]:
        views = self.normalise(torch.cat([batch["degraded"], batch["real"]]))
        cells, embeddings = network(views.contiguous(memory_format=torch.channels_last))
        with torch.autocast(embeddings.device.type, enabled=False):
            compared = mean_over_cells(embeddings, cells) if self.pooled else embeddings.float()
            if self.standardised:
                compared = (compared - compared.mean(0)) / (compared.std(0) + EPSILON)
            s, r = compared.tensor_split([len(batch["degraded"])])
            losses = dual_set_loss(s, r, self.temperature, self.distance)
        losses.pop(self.excluded, None)
        return losses
