"""Ensembles: the mean of scores and heat maps."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from area import area_means
from facegauge.nn.ensemble import Ensemble
from facegauge.nn.regressor import Regressor


def test_ensembles_average_maps_on_the_first_grid() -> None:
    torch.manual_seed(0)
    names = ("edgenext_xx_small", "shufflenet_v2_x0_5")
    parts = {name: Regressor(name, "all").eval() for name in names}
    for part in parts.values():
        torch.nn.init.normal_(part.head.weight, std=0.3)
    x = torch.randn(2, 3, 106, 90)
    with torch.no_grad():
        first, second = (part.explain(x).numpy() for part in parts.values())
        assert (first.shape, second.shape) == ((2, 6, 5), (2, 7, 6))
        one, both = Ensemble(parts), Ensemble(parts, flip=True)
        for network in (one, both):
            means = network.explain(x).mean((1, 2))
            assert means.numpy() == pytest.approx(network(x).numpy(), abs=1e-5)
        remapped = np.stack([area_means(each, (6, 5)) for each in second])
        assert one.explain(x).numpy() == pytest.approx((first + remapped) / 2, abs=1e-5)
        turned = both.explain(x.flip(3)).flip(2)
        assert torch.allclose(both.explain(x), turned, atol=1e-5)
        assert not torch.allclose(both.explain(x), one.explain(x), atol=1e-3)


def test_ensemble_is_the_plain_average() -> None:
    parts = {name: Regressor(name).eval() for name in ("mobilenet_v3_small", "shufflenet_v2_x0_5")}
    x = torch.randn(3, 3, 64, 64)
    with torch.no_grad():
        mean = (parts["mobilenet_v3_small"](x) + parts["shufflenet_v2_x0_5"](x)) / 2
        assert torch.allclose(Ensemble(parts)(x), mean)
        flipped = Ensemble(parts, flip=True)
        assert torch.allclose(flipped(x), flipped(x.flip(3)), atol=1e-6)
