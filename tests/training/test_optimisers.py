"""Which weights go to which optimiser, and what is refused."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from facegauge.errors import UsageError
from facegauge.training.optimisers import adamw, muon

has_muon = pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="this torch has no Muon")


def shapes(group: dict) -> list[tuple[int, ...]]:
    return [tuple(weight.shape) for weight in group["params"]]


def parts() -> tuple[nn.Module, nn.Module]:
    """A network with a convolution, a matrix and a last row; and an objective's matrix."""
    network = nn.Sequential(nn.Conv2d(3, 2, 1), nn.Linear(3, 4), nn.Linear(4, 1))
    return network, nn.Linear(5, 6, bias=False)


def test_adamw_spares_vectors_the_decay() -> None:
    network, objective = parts()
    weights = [*network.parameters(), *objective.parameters()]
    (only,) = adamw(network, weights, 0.1, 0.02)
    decaying, steady = only.param_groups
    assert shapes(decaying) == [(2, 3, 1, 1), (4, 3), (1, 4), (6, 5)]
    assert shapes(steady) == [(2,), (4,), (1,)]
    assert (decaying["weight_decay"], steady["weight_decay"]) == (0.02, 0.0)


@has_muon
def test_muon_takes_the_networks_matrices_and_leaves_the_rest_to_adamw() -> None:
    network, objective = parts()
    weights = [*network.parameters(), *objective.parameters()]
    first, second = muon(network, weights, 0.1, 0.02)
    assert shapes(first.param_groups[0]) == [(4, 3)]
    decaying, steady = second.param_groups
    assert shapes(decaying) == [(2, 3, 1, 1), (1, 4), (6, 5)]
    assert shapes(steady) == [(2,), (4,), (1,)]


@has_muon
def test_muon_is_refused_where_it_would_do_nothing() -> None:
    network = nn.Conv2d(3, 4, 3)
    with pytest.raises(UsageError, match="has none; use adamw"):
        muon(network, list(network.parameters()), 0.1, 0.0)


def test_muon_asks_for_a_torch_that_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.optim, "Muon", raising=False)
    network, _ = parts()
    with pytest.raises(UsageError, match=r"torch 2\.9 or later"):
        muon(network, list(network.parameters()), 0.1, 0.0)
