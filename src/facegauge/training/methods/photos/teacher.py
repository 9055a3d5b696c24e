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
from facegauge.faces.sampling import sample
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

    spec: PreprocessSpec
    mean: FloatArray
    deviation: FloatArray
    weights: Scores
    bias: float


class SizedTeacher:
    """Scores faces in their photos; fitted to labels.

    Args:
        network: its features are used as they are.
        specs: inputs at which they are computed.
        faces: pictures, and the frames in them.
        labels: (N,) of these faces.
        penalty: of the ridge regression on standardised features.
    """

    def __init__(
        self,
        network: Regressor,
        specs: Sequence[PreprocessSpec],
        faces: Sequence[Face],
        labels: Scores,
        penalty: float,
    ) -> None:
        self.network = network.to(this_process().device).eval()
        self.parts = [self._fit(spec, faces, labels, penalty) for spec in specs]

    def __call__(self, faces: Sequence[Face]) -> Scores:
        """Scores (N,) on the labels' scale, 0..1."""
        scores = []
        for part in self.parts:
            columns = _columns(self.features(part.spec, faces), faces, part)
            scores.append(columns @ part.weights + part.bias)
        mean: Scores = np.clip(np.mean(scores, 0), 0, 1)
        return mean

    def start(self, faces: Sequence[Face], spec: PreprocessSpec) -> Scores:
        """What the network itself says at an input."""
        with torch.inference_mode():
            pooled = torch.from_numpy(self.features(spec, faces)).to(this_process().device)
            scores: Scores = self.network.score_embedding(pooled).cpu().numpy().astype(np.float64)
        return scores

    def _fit(
        self, spec: PreprocessSpec, faces: Sequence[Face], labels: Scores, penalty: float
    ) -> Part:
        features = self.features(spec, faces)
        spread = features.std(0) + 1e-3 * features.std()
        part = Part(spec, features.mean(0), spread, np.empty(0), float(labels.mean()))
        columns = _columns(features, faces, part)
        gram = columns @ columns.T + penalty * np.eye(len(columns))
        weights = columns.T @ np.linalg.solve(gram, labels - part.bias)
        return replace(part, weights=weights)

    @torch.inference_mode()
    def features(self, spec: PreprocessSpec, faces: Sequence[Face]) -> FloatArray:
        """The network's embedding of faces at an input, (N, C) float32."""
        device = this_process().device
        normalise = Normalise(spec).to(device)
        rows = []
        starts, total = range(0, len(faces), BATCH), len(faces)
        for start in track(starts, "computing features", total=total, unit="faces", each=BATCH):
            some = faces[start : start + BATCH]
            views = np.stack([sample(pixels, frame, spec) for pixels, frame in some])
            images = normalise(torch.from_numpy(views).to(device))
            images = images.contiguous(memory_format=torch.channels_last)
            with torch.autocast(device.type, torch.bfloat16, enabled=computes_bfloat16(device)):
                rows.append(self.network.embed(images).float().cpu().numpy())
        return np.concatenate(rows)


def _columns(features: FloatArray, faces: Sequence[Face], part: Part) -> Scores:
    """Standardised features, and the logarithm of the size and its square: (N, C + 2)."""
    widths = np.array([frame.width for _, frame in faces]) / TYPICAL
    size = np.log(np.clip(widths, *RANGE))
    scaled = (features - part.mean) / part.deviation / np.sqrt(features.shape[1])
    return np.column_stack([scaled, size, size**2]).astype(np.float64)
