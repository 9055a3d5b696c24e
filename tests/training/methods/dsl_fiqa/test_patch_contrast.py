"""The patch baseline: its loss against a slow loop, and its patches."""

from __future__ import annotations

import math

import pytest
import torch

from dual_sets import SPEC
from facegauge.errors import UsageError
from facegauge.training.methods.dsl_fiqa.patch_contrast import PatchContrast, patch_loss


def test_patches_are_compared_as_a_slow_loop_does() -> None:
    generator = torch.Generator().manual_seed(0)
    one, other = (torch.randn(4, 5, dtype=torch.float64, generator=generator) for _ in range(2))
    total = 0.0
    for a, b in ((one, other), (other, one)):
        for i in range(4):
            cosines = [(a[i] @ b[j] / a[i].norm() / b[j].norm()).item() / 0.2 for j in range(4)]
            total -= cosines[i] - math.log(sum(math.exp(c) for c in cosines))
    assert patch_loss(one, other, 0.2)["patches"].item() == pytest.approx(total / 8, rel=1e-9)


def test_patches_of_one_picture_find_each_other_when_it_alone_has_their_colour() -> None:
    class Colour(torch.nn.Module):
        """Two cells that say the mean colour."""

        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            cells = x.mean((2, 3)).unsqueeze(1).repeat(1, 2, 1)
            return cells, cells.flatten(1)

    colours = torch.tensor([[255, 0, 0], [0, 255, 0], [0, 0, 255]], dtype=torch.uint8)
    views = colours[:, None, None].repeat(1, 32, 24, 1)
    losses = PatchContrast(SPEC, temperature=0.01)(
        Colour(), {"degraded": views[:1], "real": views[1:]}
    )
    assert losses["patches"].item() == pytest.approx(0, abs=1e-4)
    assert losses["entropy"].item() == pytest.approx(0, abs=1e-3)


def test_patches_have_their_share_and_move() -> None:
    objective, seen = PatchContrast(SPEC, patch=0.5), set()
    places = torch.arange(32 * 24).view(1, 1, 32, 24)
    torch.manual_seed(0)
    for _ in range(30):
        patch = objective._crop(places)
        assert patch.shape == (1, 1, 16, 12)
        assert torch.equal(patch, places[..., :16, :12] + patch[0, 0, 0, 0])
        seen.add(patch[0, 0, 0, 0].item())
    assert len(seen) > 20
    with pytest.raises(UsageError, match="patch"):
        PatchContrast(SPEC, patch=1.5)
