"""Scores put on the labels' scale by a straight line, after a ranking term has stretched them.

`losses.ranked` drives scores apart without end, and what is beside it holds them only so far. A
line leaves the order, the raw PLCC and the exactness of heat maps as they are, and the head takes
it up.
"""

from __future__ import annotations

import numpy as np
from torch import nn

from facegauge.errors import UsageError
from facegauge.preprocess import PreprocessSpec
from facegauge.training.job import predict
from facegauge.training.manifests import Manifest
from facegauge.training.networks.regressor import Regressor
from facegauge.training.objectives import Normalise
from facegauge.training.pictures import load_framed, sampled


def onto_labels(
    network: nn.Module, spec: PreprocessSpec, data: Manifest, batch: int = 64
) -> tuple[float, float]:
    """Change a network in place so that its scores fit labels as well as a line can make them.

    Args:
        network: a `Regressor`.
        data: labelled pictures that it has not learned from, taken whole.

    Returns:
        The slope and the offset of the line, from old scores to new ones.

    Raises:
        UsageError: another kind of network, or a line that does not rise.
    """
    if not isinstance(network, Regressor):
        raise UsageError("only a single network with a linear head can be rescaled")
    pictures = load_framed(data, spec, "whole")
    labels = np.array([picture.score for picture in pictures], np.float64)
    scores = predict(network, sampled(pictures, spec), Normalise(spec), batch).astype(np.float64)
    slope = float(np.cov(scores, labels)[0, 1] / np.var(scores, ddof=1)) if np.ptp(scores) else 0.0
    if slope <= 0:
        raise UsageError(f"scores do not rise with the labels of {data.name}: the slope is {slope}")
    offset = float(labels.mean() - slope * scores.mean())
    network.rescale(slope, offset)
    return slope, offset
