"""The patch baseline: patches of one picture are positives, those of other pictures negatives.

DSL-FIQA (arXiv 2406.09622) compares itself with such a baseline, the usual way to learn
degradations. Its form, InfoNCE, is our choice.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from facegauge.errors import UsageError
from facegauge.faces.spec import PreprocessSpec
from facegauge.nn.normalise import Normalise
from facegauge.training.inputs.views import Batch
from facegauge.training.methods.dsl_fiqa.dual_set import mean_entropy, mean_over_cells


def patch_loss(one: Tensor, other: Tensor, temperature: float) -> dict[str, Tensor]:
    """InfoNCE between two patches of each of B pictures, in both directions.

    Args:
        one, other: embeddings (B, D); row i of both is of picture i.
        temperature: divisor of the cosine similarities, above 0.

    Returns:
        `patches`, the mean cross-entropy of identifying the other patch of a picture. For the log,
        detached: `entropy`, the mean entropy of the softmax from `one`, in nats.
    """
    logits = F.normalize(one) @ F.normalize(other).T / temperature
    target = torch.arange(len(one), device=one.device)
    loss = (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2
    return {"patches": loss, "entropy": mean_entropy(logits.softmax(1))}


class PatchContrast(nn.Module):
    """The training objective, on the batches of `DualSetBatches`, whose sets are treated alike.

    Each step draws two positions, the same for all pictures. A patch is described by the mean of
    its cells' embeddings.

    Args:
        spec: normalisation of the views.
        patch: height and width of a patch, as a fraction of the view's, above 0 and up to 1.
        temperature: see `patch_loss`.

    Raises:
        UsageError: the fraction is out of range, or the temperature is not above 0.
    """

    def __init__(self, spec: PreprocessSpec, patch: float = 0.5, temperature: float = 0.1) -> None:
        super().__init__()
        if not 0 < patch <= 1:
            raise UsageError(f"expected patch to be above 0 and up to 1, got {patch}")
        if temperature <= 0:
            raise UsageError(f"expected a temperature above 0, got {temperature}")
        self.normalise = Normalise(spec)
        self.patch, self.temperature = patch, temperature

    def forward(self, network: nn.Module, batch: Batch) -> dict[str, Tensor]:
        views = self.normalise(torch.cat([batch["degraded"], batch["real"]]))
        patches = torch.cat([self._crop(views), self._crop(views)])
        cells, embeddings = network(patches.contiguous(memory_format=torch.channels_last))
        with torch.autocast(embeddings.device.type, enabled=False):
            one, other = mean_over_cells(embeddings, cells).tensor_split(2)
            return patch_loss(one, other, self.temperature)

    def _crop(self, views: Tensor) -> Tensor:
        """A patch of every view, (B, 3, h, w), at one random position (torch's generator)."""
        for axis in (2, 3):
            length = views.shape[axis]
            kept = max(1, round(length * self.patch))
            views = views.narrow(axis, int(torch.randint(length - kept + 1, ())), kept)
        return views
