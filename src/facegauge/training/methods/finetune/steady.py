"""The objective of fine-tuning: labels and order, with batch norms that keep what they know."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from facegauge.training.inputs.views import Batch
from facegauge.training.objectives import Supervised


class SteadySupervised(Supervised):
    """As `Supervised`; batch norms normalise by the statistics of the start.

    A few hundred pictures give poor statistics, and small batches poorer ones.
    """

    def forward(self, network: nn.Module, batch: Batch) -> dict[str, Tensor]:
        for module in network.modules():
            if isinstance(module, _BatchNorm):
                module.eval()
        return super().forward(network, batch)
