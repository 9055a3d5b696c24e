"""The light ensemble: networks trained apart, their scores averaged (arXiv 2509.10114)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from facegauge.nn.build import build
from facegauge.nn.heatmap import Explains, remapped


class Ensemble(nn.Module):
    """The plain average of several networks' scores, optionally over the mirrored picture too.

    Args:
        members: name to network, each (N, 3, H, W) -> (N,).
        flip: also score the mirrored picture and average; doubles the cost.
    """

    def __init__(self, members: dict[str, nn.Module], flip: bool = False) -> None:
        super().__init__()
        self.members = nn.ModuleDict(members)
        self.flip = flip

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Ensemble:
        """From `members`, a table of networks' descriptions by name, and `flip`; random weights."""
        members = {name: build(member) for name, member in config["members"].items()}
        return cls(members, flip=config.get("flip", False))

    def member_scores(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) to (N, M), one column a member."""
        scores = torch.stack([member(x) for member in self.members.values()], 1)
        if self.flip:
            mirrored = x.flip(3)
            other = torch.stack([member(mirrored) for member in self.members.values()], 1)
            scores = (scores + other) / 2
        return scores

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, H, W), normalised, to scores (N,)."""
        return self.member_scores(x).mean(1)

    def explain(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) to heat maps (N, h, w): the members' average on the first one's grid."""
        heat = self._average(x)
        return (heat + self._average(x.flip(3)).flip(2)) / 2 if self.flip else heat

    def _average(self, x: Tensor) -> Tensor:
        maps: list[Tensor] = []
        for member in self.members.values():
            assert isinstance(member, Explains)
            heat = member.explain(x)
            maps.append(remapped(heat, maps[0].shape[1:]) if maps else heat)
        return torch.stack(maps).mean(0)
