"""Pixels to network inputs, on the device that computes."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from facegauge.faces.spec import PreprocessSpec


class Normalise(nn.Module):
    """(..., H, W, 3) uint8 to (M, 3, H, W) float32, as `faces.sampling.to_tensor` does."""

    mean: Tensor
    std: Tensor

    def __init__(self, spec: PreprocessSpec) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(spec.mean).view(1, 3, 1, 1) * 255)
        self.register_buffer("std", torch.tensor(spec.std).view(1, 3, 1, 1) * 255)

    def forward(self, pixels: Tensor) -> Tensor:
        flat = pixels.reshape(-1, *pixels.shape[-3:]).permute(0, 3, 1, 2)
        return (flat.float() - self.mean) / self.std
