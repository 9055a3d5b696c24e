"""Networks that end in a linear head on an embedding, which can be moved in closed form."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from torch import Tensor


@runtime_checkable
class LinearHead(Protocol):
    """A network whose score is a linear function of its embedding."""

    embedding_size: int

    def embed(self, x: Tensor) -> Tensor:
        """Map normalised pictures (N, 3, H, W) to embeddings (N, embedding_size)."""
        ...

    def score_embedding(self, embedding: Tensor) -> Tensor:
        """Map embeddings (N, embedding_size) to scores (N,)."""
        ...

    def shift_head(self, weight: Tensor, bias: float) -> None:
        """Add `weight @ embedding + bias` to every score.

        Args:
            weight: (embedding_size,), on the network's device.
        """
        ...
