"""The light ensemble: the mean score of separately trained networks (arXiv 2509.10114)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from facegauge.nn.build import build
from facegauge.nn.heads import LinearHead
from facegauge.nn.heatmap import Explainable, resize_area


class Ensemble(nn.Module):
    """The mean of several networks' scores.

    Args:
        members: networks by name, each (N, 3, H, W) to (N,).
        flip: average over the mirrored picture too, which doubles the cost.
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

    @property
    def config(self) -> dict[str, Any]:
        """What `nn.build.build` makes the network from, if it can make the members."""
        members: dict[str, Any] = {name: one.config for name, one in self.members.items()}
        return {"kind": "ensemble", "members": members, "flip": self.flip}

    def member_scores(self, x: Tensor) -> Tensor:
        """Map normalised pictures (N, 3, H, W) to scores (N, M), one column per member."""
        scores = torch.stack([member(x) for member in self.members.values()], 1)
        if self.flip:
            mirrored = torch.stack([member(x.flip(3)) for member in self.members.values()], 1)
            scores = (scores + mirrored) / 2
        return scores

    def forward(self, x: Tensor) -> Tensor:
        """Map normalised pictures (N, 3, H, W) to scores (N,)."""
        return self.member_scores(x).mean(1)

    @property
    def embedding_size(self) -> int:
        """Number of values in the members' embeddings together."""
        return sum(head.embedding_size for head in self._heads())

    def embed(self, x: Tensor) -> Tensor:
        """Map (N, 3, H, W) to the members' embeddings, side by side (N, embedding_size)."""
        embedded = torch.cat([head.embed(x) for head in self._heads()], 1)
        if self.flip:
            mirrored = torch.cat([head.embed(x.flip(3)) for head in self._heads()], 1)
            embedded = (embedded + mirrored) / 2
        return embedded

    def score_embedding(self, embedding: Tensor) -> Tensor:
        """Map what `embed` gives to scores (N,)."""
        parts = torch.split(embedding, [head.embedding_size for head in self._heads()], 1)
        pairs = zip(self._heads(), parts, strict=True)
        return torch.stack([head.score_embedding(part) for head, part in pairs]).mean(0)

    def shift_head(self, weight: Tensor, bias: float) -> None:
        """Add `weight @ embedding + bias` to every score; see `heads.LinearHead`."""
        heads = self._heads()
        parts = torch.split(weight, [head.embedding_size for head in heads])
        for head, part in zip(heads, parts, strict=True):
            head.shift_head(part * len(heads), bias)

    def _heads(self) -> list[LinearHead]:
        heads: list[LinearHead] = []
        for member in self.members.values():
            assert isinstance(member, LinearHead)
            heads.append(member)
        return heads

    def explain(self, x: Tensor) -> Tensor:
        """Map (N, 3, H, W) to the members' mean heat maps (N, h, w), on the first member's grid."""
        heat = self._mean_map(x)
        return (heat + self._mean_map(x.flip(3)).flip(2)) / 2 if self.flip else heat

    def _mean_map(self, x: Tensor) -> Tensor:
        maps: list[Tensor] = []
        for member in self.members.values():
            assert isinstance(member, Explainable)
            heat = member.explain(x)
            maps.append(resize_area(heat, maps[0].shape[1:]) if maps else heat)
        return torch.stack(maps).mean(0)
