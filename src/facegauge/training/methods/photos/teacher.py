"""The teacher: frozen features at several inputs, and the size of the face, to the label.

The label of a photo follows what its original resolves, and the size of the face alone has an SRCC
of about 0.75 with it. The teacher believes that size, so it must not score enlarged photos.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from facegauge.arrays import FloatArray, Pixels, Scores
from facegauge.faces.sampling import sample_frame
from facegauge.faces.spec import PreprocessSpec
from facegauge.nn.normalise import Normalise
from facegauge.nn.regressor import Regressor
from facegauge.progress import track
from facegauge.results import Box
from facegauge.training.devices import computes_bfloat16, this_process

BATCH = 16
TYPICAL = 206.0  # width of a frame whose face is 100 pixels wide
RANGE = (0.35, 9.0)  # of the frame's width beside it: a ridge must not leave what it has seen

Face = tuple[Pixels, Box]


@dataclass(frozen=True, slots=True)
class Part:
    """A ridge regression on the features at one input."""

    network: Regressor
    spec: PreprocessSpec
    mean: FloatArray
    deviation: FloatArray
    weights: Scores
    bias: float
    left_out: Scores


class SizedTeacher:
    """Scores faces in their photos; fitted to labels.

    Args:
        networks: their features are used as they are; the first knows degraded copies, see `start`.
        specs: inputs at which they are computed.
        faces: pictures, and the frames in them.
        labels: (N,) of these faces.
        penalty: of the ridge regression on standardised features.

    Attributes:
        left_out: (N,) scores of these faces, each without its own label (leave one out).
    """

    def __init__(
        self,
        networks: Sequence[Regressor],
        specs: Sequence[PreprocessSpec],
        faces: Sequence[Face],
        labels: Scores,
        penalty: float,
    ) -> None:
        self.networks = list(networks)
        self.parts = [
            _fit(network, spec, faces, labels, penalty)
            for network in self.networks
            for spec in specs
        ]
        self.left_out: Scores = np.clip(np.mean([part.left_out for part in self.parts], 0), 0, 1)

    def __call__(self, faces: Sequence[Face]) -> Scores:
        """Scores (N,) on the labels' scale, 0..1."""
        scores = []
        for part in self.parts:
            columns = _columns(features(part.network, part.spec, faces), faces, part)
            scores.append(columns @ part.weights + part.bias)
        mean: Scores = np.clip(np.mean(scores, 0), 0, 1)
        return mean

    def start(self, faces: Sequence[Face], spec: PreprocessSpec) -> Scores:
        """What the first network itself says at an input."""
        network = self.networks[0]
        with torch.inference_mode():
            pooled = torch.from_numpy(features(network, spec, faces)).to(this_process().device)
            scores: Scores = network.score_embedding(pooled).cpu().numpy().astype(np.float64)
        return scores


@torch.inference_mode()
def features(network: Regressor, spec: PreprocessSpec, faces: Sequence[Face]) -> FloatArray:
    """The network's embedding of faces at an input, (N, C) float32."""
    device = this_process().device
    network, normalise = network.to(device).eval(), Normalise(spec).to(device)
    rows = []
    starts, total = range(0, len(faces), BATCH), len(faces)
    for start in track(starts, "computing features", total=total, unit="faces", each=BATCH):
        some = faces[start : start + BATCH]
        views = np.stack([sample_frame(pixels, frame, spec) for pixels, frame in some])
        images = normalise(torch.from_numpy(views).to(device))
        images = images.contiguous(memory_format=torch.channels_last)
        with torch.autocast(device.type, torch.bfloat16, enabled=computes_bfloat16(device)):
            rows.append(network.embed(images).float().cpu().numpy())
    return np.concatenate(rows)


def _fit(
    network: Regressor,
    spec: PreprocessSpec,
    faces: Sequence[Face],
    labels: Scores,
    penalty: float,
) -> Part:
    seen = features(network, spec, faces)
    spread = seen.std(0) + 1e-3 * seen.std()
    none, bias = np.empty(0), float(labels.mean())
    part = Part(network, spec, seen.mean(0), spread, none, bias, none)
    columns = _columns(seen, faces, part)
    inverse = np.linalg.inv(columns @ columns.T + penalty * np.eye(len(columns)))
    dual = inverse @ (labels - bias)
    left_out = labels - dual / np.diag(inverse)  # exact, for a fixed mean
    return replace(part, weights=columns.T @ dual, left_out=left_out)


def _columns(features: FloatArray, faces: Sequence[Face], part: Part) -> Scores:
    """Standardised features, and the logarithm of the size and its square: (N, C + 2)."""
    widths = np.array([frame.width for _, frame in faces]) / TYPICAL
    size = np.log(np.clip(widths, *RANGE))
    scaled = (features - part.mean) / part.deviation / np.sqrt(features.shape[1])
    return np.column_stack([scaled, size, size**2]).astype(np.float64)
