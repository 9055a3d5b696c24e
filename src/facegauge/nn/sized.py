"""A regressor whose score is corrected by the size of the face, as far as its pixels bear it out.

Labels of photos follow what the original resolves. At the network's input a face of 400 pixels and
one of 1,000 look nearly alike, so the size of the face is a second input. An enlarged photo claims
a size that its pixels do not show: the network estimates the size from the pixels too, and a claim
counts up to a margin above the estimate. Our choice.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from facegauge.nn.regressor import Regressor

MARGIN = 0.75  # octaves above the estimate up to which a size is believed
NO_CORRECTION = (0.0, 1.0, 0.0, 0.0, 0.0, 0.0)  # of the `terms`


class SizedRegressor(Regressor):
    """A `Regressor` with a correction that is quadratic in its score and the size of the face.

    Without a size, as for framed crops whose original is unknown, the score is the regressor's.

    Args:
        backbone, depths, bias, head: as for `Regressor`.

    Attributes:
        uses_size: true: the network takes sizes (N, 1) in octaves, see `faces.guide`.
        width: linear head that estimates the size from the standardised embedding.
        coefficients: (6,) of the `terms`; at first those that change nothing.
        mean: (embedding_size,), standardises embeddings for `width`, with `deviation`.
        deviation: (embedding_size,), above 0.
    """

    mean: Tensor
    deviation: Tensor
    coefficients: Tensor

    def __init__(
        self, backbone: str, depths: str = "last", bias: float = 0.36, head: str = "linear"
    ) -> None:
        super().__init__(backbone, depths, bias, head)
        self.config["kind"] = "sized_regressor"
        self.uses_size = True
        self.register_buffer("mean", torch.zeros(self.embedding_size))
        self.register_buffer("deviation", torch.ones(self.embedding_size))
        self.register_buffer("coefficients", torch.tensor(NO_CORRECTION))
        self.width = nn.Linear(self.embedding_size, 1)
        nn.init.zeros_(self.width.weight)
        nn.init.zeros_(self.width.bias)

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
            size: None or nan where it is not known: such a score stays.
        """
        if size is None:
            return score
        told, unknown = size[:, 0], torch.isnan(size[:, 0])
        known = torch.where(unknown, estimate, told)  # nan would spoil the gradients of all
        corrected = terms(score, estimate, known) @ self.coefficients
        return torch.where(unknown, score, corrected)

    def forward(self, x: Tensor, size: Tensor | None = None) -> Tensor:
        """Map normalised pictures (N, 3, H, W) and sizes (N, 1) to scores (N,)."""
        embedding = self.embed(x)
        return self.correct(self.score_embedding(embedding), self.estimate_size(embedding), size)

    def outputs(self, x: Tensor, size: Tensor | None = None) -> dict[str, Tensor]:
        """Scores (N,) and heat maps (N, h, w), whose means are the scores.

        The correction is the same in every cell.
        """
        maps = self.features(x)
        heat = self.heat_map(maps)
        plain = heat.mean((1, 2))
        score = self.correct(plain, self.estimate_size(self._pool(maps)), size)
        return {"score": score, "heat_map": heat + (score - plain)[:, None, None]}


def terms(score: Tensor, estimate: Tensor, size: Tensor) -> Tensor:
    """The terms of the correction, (N, 6), from scores, estimates and sizes (N,).

    They are 1, score, size, score x size and the squares of size and score, where the size is at
    most `MARGIN` above its estimate.
    """
    believed = torch.minimum(size, estimate + MARGIN)
    columns = [torch.ones_like(score), score, believed, score * believed, believed**2, score**2]
    return torch.stack(columns, 1)
