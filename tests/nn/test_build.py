"""Networks from descriptions, and the errors of wrong ones."""

from __future__ import annotations

import pytest
import torch

from facegauge.errors import UsageError
from facegauge.nn import build as networks
from facegauge.nn.regressor import Regressor


def test_build_round_trip_and_errors() -> None:
    member = {"kind": "regressor", "backbone": "shufflenet_v2_x0_5", "depths": "all", "bias": 0.4}
    network = networks.build({"kind": "ensemble", "members": {"a": member}, "flip": True})
    assert network.flip and list(network.members) == ["a"]
    with pytest.raises(UsageError, match="unknown network kind 'tree'"):
        networks.build({"kind": "tree"})
    with pytest.raises(UsageError, match="unknown backbone 'vgg'"):
        Regressor("vgg")
    with pytest.raises(UsageError, match="one of last, all, strides, got"):
        Regressor("mobilenet_v2", depths="some")
    with pytest.raises(UsageError, match="linear or factorised"):
        Regressor("mobilenet_v2", head="deep")
    with torch.device("meta"):
        twin = networks.build(Regressor("mobilenet_v2", head="factorised").config)
    assert len(twin.head) == 2
