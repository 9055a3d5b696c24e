"""The cost of a scorer: parameters, multiply-adds and latency; the challenge's limits."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

MAX_PARAMETERS = 5_000_000
MAX_GFLOPS = 0.5


@dataclass(frozen=True, slots=True)
class Profile:
    """The cost of one face.

    Attributes:
        parameters: number of parameters of all members.
        gflops: 1e9 multiply-adds as counted by fvcore, for all views of a face.
        latency_ms: median time for one face on one thread of this machine; nan: not measured.
        width: of the input, in pixels.
        height: of the input, in pixels.
    """

    parameters: int
    gflops: float
    latency_ms: float
    width: int
    height: int

    @property
    def fits_challenge(self) -> bool:
        """Whether the cost is within the limits of VQualA 2025: 5 M parameters, 0.5 GFLOPs."""
        return self.parameters <= MAX_PARAMETERS and self.gflops <= MAX_GFLOPS


def profile_scorer(name_or_folder: str | Path, runs: int = 20) -> Profile:
    """Measure a scorer: parameters and GFLOPs are those of its card, the time is measured here.

    Args:
        name_or_folder: name of a shipped scorer, or a scorer folder.
        runs: number of timed runs, after two warm-up runs; at least 1.

    Raises:
        ScorerError: the scorer does not exist, or is damaged.
    """
    from facegauge import zoo
    from facegauge.zoo.onnx_model import Model

    folder = zoo.open_folder(name_or_folder)
    cost = zoo.load_card(folder).cost
    model = Model(folder, threads=1)
    spec = model.spec
    image = np.zeros((1, 3, spec.height, spec.width), np.float32)
    latency = median_ms(lambda: model(image), runs)
    parameters = round(cost.parameters_m * 1e6)
    return Profile(parameters, cost.gflops, latency, spec.width, spec.height)


def median_ms(call: Callable[[], object], runs: int) -> float:
    """Median time of a call in milliseconds.

    Args:
        call: the function to time.
        runs: number of timed calls, after two warm-up calls; at least 1.
    """
    times = []
    for _ in range(runs + 2):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return 1000 * statistics.median(times[2:])
