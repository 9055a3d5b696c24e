"""Normalises pixels to network inputs, on the device of the network."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from facegauge.faces.spec import PreprocessSpec


class Normalise(nn.Module):
    """Normalises pixels with a spec's mean and std, as `faces.sampling.to_tensor` does.

    Args:
        spec: mean and std.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, spec: PreprocessSpec) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(spec.mean).view(1, 3, 1, 1) * 255)
        self.register_buffer("std", torch.tensor(spec.std).view(1, 3, 1, 1) * 255)

    def forward(self, pixels: Tensor) -> Tensor:
        """Map pixels (..., H, W, 3) uint8 to (M, 3, H, W) float32."""
        flat = pixels.reshape(-1, *pixels.shape[-3:]).permute(0, 3, 1, 2)
        return (flat.float() - self.mean) / self.std
