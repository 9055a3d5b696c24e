"""A network whose scores go through a monotonic curve, to the scale of other labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from facegauge.nn.build import build
from facegauge.nn.heatmap import network_outputs
from facegauge.nn.predictor import landmark_size, uses_landmarks

LEAST_WIDTH = 1e-3  # of a logistic, in scores


class Curved(nn.Module):
    """A network and a curve on its score: a four-parameter logistic, or a line.

    The curves are those of `evaluation.logistic.FittedCurve`; here they are weights, so that they
    can be trained further together with the network. A network that can be told the size of the
    face is not told it here: the curve is fitted to the scores that it gives without.

    Args:
        network: (N, 3, H, W) and, if it uses them, (N, 10) landmarks to (N,).
        curve: four numbers b1 to b4 of a logistic `b2 + (b1 - b2) sigmoid((x - b3) / b4)`, or two,
            the slope and the offset of a line.
    """

    def __init__(self, network: nn.Module, curve: Sequence[float]) -> None:
        super().__init__()
        self.network = network
        self.curve = nn.Parameter(torch.tensor([*curve], dtype=torch.float32))
        self.uses_landmarks = uses_landmarks(network)
        self.landmark_size = landmark_size(network)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Curved:
        """From the `config` attribute of such a network, without its kind; random weights."""
        return cls(build(config["network"]), [0.0] * config["parameters"])

    @property
    def config(self) -> dict[str, Any]:
        """What `nn.build.build` makes the same network from."""
        inner: Any = self.network.config
        return {"kind": "curved", "network": inner, "parameters": len(self.curve)}

    def forward(self, x: Tensor, *landmarks: Tensor) -> Tensor:
        """Map normalised pictures (N, 3, H, W) to scores (N,)."""
        return self.bend(self.network(x, *landmarks))[0]

    def outputs(self, x: Tensor, landmarks: Tensor | None = None) -> dict[str, Tensor]:
        """Scores and the network's maps (N, h, w).

        A map follows the curve's tangent at the picture's score, so that a heat map's mean is still
        the score. A map of confidences stays as it is.
        """
        found = network_outputs(self.network, x, *(() if landmarks is None else (landmarks,)))
        inner = found["score"]
        score, slope = self.bend(inner)
        bent = {"score": score}
        for name, value in found.items():
            if name == "confidence":
                bent[name] = value
            elif name != "score":
                bent[name] = _places(score) + _places(slope) * (value - _places(inner))
        return bent

    def bend(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The curve and its slope at scores (N,), (N,) each."""
        if len(self.curve) == 2:
            slope, offset = self.curve[0], self.curve[1]
            return slope * x + offset, slope.expand_as(x)
        top, bottom, middle = self.curve[0], self.curve[1], self.curve[2]
        width = self.curve[3].abs().clamp(min=LEAST_WIDTH)
        share = torch.sigmoid((x - middle) / width)
        span = top - bottom
        return bottom + span * share, span * share * (1 - share) / width


def _places(values: Tensor) -> Tensor:
    return values.reshape(-1, 1, 1)
