"""A regressor that is told the size of the face, and does not believe what it cannot see.

Labels of photos follow what the original resolves. At the network's input a face of 400 pixels and
one of 1,000 look nearly alike, so the size of the face is a second input. An enlarged photo claims
a size that its pixels do not show: the network estimates the size from the pixels too, and learns
from enlarged photos when to discount the claim. Our choice.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from facegauge.nn.regressor import Regressor

UNITS = 16
GAIN = 4.0  # of the correction, which must be learned as fast as the trained layers move
TYPICAL_SCORE, SCORE_GAIN, SIZE_GAIN = 0.4, 2.0, 0.5  # bring the inputs near -1..1


class SizedRegressor(Regressor):
    """A `Regressor` whose score is corrected by the size of the face.

    The correction depends on the score too, so `shift_head` adds what it says to the score before
    the correction.

    Args:
        backbone, depths, bias, head: as for `Regressor`.

    Attributes:
        uses_size: true: the network takes sizes (N, 1) in octaves, see `faces.guide`.
        width: linear head that estimates the size from the standardised embedding.
        correction: small network from the size, its estimate, their difference and the score.
        mean: (embedding_size,), standardises embeddings for `width`, with `deviation`.
        deviation: (embedding_size,), above 0.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(
        self, backbone: str, depths: str = "last", bias: float = 0.36, head: str = "linear"
    ) -> None:
        super().__init__(backbone, depths, bias, head)
        self.config["kind"] = "sized_regressor"
        self.uses_size = True
        self.register_buffer("mean", torch.zeros(self.embedding_size))
        self.register_buffer("deviation", torch.ones(self.embedding_size))
        self.width = nn.Linear(self.embedding_size, 1)
        last = nn.Linear(UNITS, 1)
        for layer in (self.width, last):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)
        self.correction = nn.Sequential(nn.Linear(4, UNITS), nn.Tanh(), last)

    @classmethod
    def from_regressor(cls, network: Regressor) -> SizedRegressor:
        """With the weights of a trained regressor; its scores do not change yet."""
        config: dict[str, Any] = {k: v for k, v in network.config.items() if k != "kind"}
        sized = cls(**config)
        sized.load_state_dict(network.state_dict(), strict=False)
        return sized

    def estimate_size(self, embedding: Tensor) -> Tensor:
        """Map embeddings (N, C) to the size of the face in its original (N,), in octaves."""
        octaves: Tensor = self.width((embedding - self.mean) / self.deviation).squeeze(1)
        return octaves

    def correct(self, score: Tensor, estimate: Tensor, size: Tensor | None) -> Tensor:
        """Map scores (N,), estimates (N,) and sizes (N, 1) to corrected scores (N,).

        Args:
            size: None or nan where it is not known; the estimate takes its place.
        """
        told = estimate if size is None else size[:, 0]
        told = torch.where(torch.isnan(told), estimate, told)
        seen = SCORE_GAIN * (score - TYPICAL_SCORE)
        inputs = [SIZE_GAIN * told, SIZE_GAIN * estimate, SIZE_GAIN * (told - estimate), seen]
        correction: Tensor = self.correction(torch.stack(inputs, 1)).squeeze(1)
        return score + GAIN * correction

    def score_embedding(self, embedding: Tensor, size: Tensor | None = None) -> Tensor:
        """Map embeddings (N, C) and sizes (N, 1) to scores (N,)."""
        plain = super().score_embedding(embedding)
        return self.correct(plain, self.estimate_size(embedding), size)

    def forward(self, x: Tensor, size: Tensor | None = None) -> Tensor:
        """Map normalised pictures (N, 3, H, W) and sizes (N, 1) to scores (N,)."""
        return self.score_embedding(self.embed(x), size)

    def explain(self, x: Tensor) -> Tensor:
        """Map normalised pictures to heat maps (N, h, w), whose means are the scores.

        The scores are those of faces whose size is not known.
        """
        return self.outputs(x)["heat_map"]

    def outputs(self, x: Tensor, size: Tensor | None = None) -> dict[str, Tensor]:
        """Scores (N,) and heat maps (N, h, w), whose means are the scores.

        The correction is the same in every cell.
        """
        maps = self.features(x)
        heat = self.heat_map(maps)
        plain = heat.mean((1, 2))
        score = self.correct(plain, self.estimate_size(self._pool(maps)), size)
        return {"score": score, "heat_map": heat + (score - plain)[:, None, None]}
