"""The usual way to learn degradations, to compare dual sets with: patches of one picture are alike.

A patch-based contrastive baseline as DSL-FIQA (arXiv 2406.09622) compares itself with. Its form is
our choice: InfoNCE, the patches of other pictures being the negatives.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from facegauge.errors import UsageError
from facegauge.faces.spec import PreprocessSpec
from facegauge.nn.normalise import Normalise
from facegauge.training.inputs.views import Batch
from facegauge.training.methods.dsl_fiqa.dual_set import entropy, mean_cell


def patch_loss(one: Tensor, other: Tensor, temperature: float) -> dict[str, Tensor]:
    """InfoNCE between two patches of each of B pictures, both ways.

    Args:
        one, other: embeddings (B, D); row i of both is of picture i.
        temperature: what their cosines are divided by.

    Returns:
        `patches`, the mean cross-entropy of finding the other patch of a picture among all; beside
        it, detached, for the log: `entropy`, the mean entropy of the softmax from `one`, in nats.
    """
    logits = F.normalize(one) @ F.normalize(other).T / temperature
    target = torch.arange(len(one), device=one.device)
    loss = (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2
    return {"patches": loss, "entropy": entropy(logits.softmax(1))}


class PatchContrast(nn.Module):
    """The objective, on the same batches as `DualSet`: every picture of both sets counts alike.

    Two places are drawn at every step, the same ones for all pictures. A patch is described by the
    mean of its cells' embeddings, since its own layout says nothing.

    Args:
        share: of the picture's height and width that a patch has, above 0, up to 1.

    Raises:
        UsageError: the share is out of range, or the temperature not above 0.
    """

    def __init__(self, spec: PreprocessSpec, share: float = 0.5, temperature: float = 0.1) -> None:
        super().__init__()
        if not 0 < share <= 1:
            raise UsageError(f"share must be above 0, up to 1, got {share}")
        if temperature <= 0:
            raise UsageError(f"temperature must be above 0, got {temperature}")
        self.normalise = Normalise(spec)
        self.share, self.temperature = share, temperature

    def forward(self, network: nn.Module, batch: Batch) -> dict[str, Tensor]:
        views = self.normalise(torch.cat([batch["degraded"], batch["real"]]))
        patches = torch.cat([self._cut(views), self._cut(views)])
        cells, embeddings = network(patches.contiguous(memory_format=torch.channels_last))
        with torch.autocast(embeddings.device.type, enabled=False):
            one, other = mean_cell(embeddings, cells).tensor_split(2)
            return patch_loss(one, other, self.temperature)

    def _cut(self, views: Tensor) -> Tensor:
        """One patch of every view, (B, 3, h, w), at a random place: torch's own generator."""
        for axis in (2, 3):
            length = views.shape[axis]
            kept = max(1, round(length * self.share))
            views = views.narrow(axis, int(torch.randint(length - kept + 1, ())), kept)
        return views
