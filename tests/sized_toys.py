"""A network that is told the size of the face, with weights that make it count."""

from __future__ import annotations

from pathlib import Path

import torch

from facegauge.faces.spec import PreprocessSpec
from facegauge.nn.checkpoints import save_run
from facegauge.nn.sized import SizedRegressor

SPEC = PreprocessSpec(width=64, height=80)


def sized_network(seed: int = 0, depths: str = "all", head: str = "linear") -> SizedRegressor:
    """With random weights; an octave moves its score by some hundredths."""
    torch.manual_seed(seed)
    network = SizedRegressor("mobilenet_v3_small", depths, 0.5, head)
    for layer in network.head.parameters():
        torch.nn.init.normal_(layer, 0.0, 0.05)
    torch.nn.init.constant_([*network.head.parameters()][-1], 0.5)
    torch.nn.init.normal_(network.width.weight, std=0.05)
    network.coefficients.copy_(torch.tensor([0.02, 0.9, 0.05, 0.04, 0.01, 0.1]))
    network.mean.normal_(std=0.1)
    network.deviation.uniform_(0.5, 2)
    return network.eval()


def sized_run(folder: Path) -> Path:
    """The run folder of such a network, 64 x 80."""
    network = sized_network()
    save_run(
        folder,
        system="photos",
        network=network,
        config=network.config,
        spec=SPEC,
        settings={"data": []},
    )
    return folder
