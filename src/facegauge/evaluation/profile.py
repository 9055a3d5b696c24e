"""What a scorer costs: parameters, multiply-adds, time; and the challenge's budget."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

MAX_PARAMETERS = 5_000_000
MAX_GFLOPS = 0.5


@dataclass(frozen=True, slots=True)
class Profile:
    """The cost of one face.

    Attributes:
        parameters: learned weights, all members together.
        gflops: 1e9 multiply-adds by fvcore's count, every view (such as a mirrored one) counted.
        latency_ms: median time of a batch of one on one thread of this machine; nan: not measured.
        width, height: of the input, in pixels.
    """

    parameters: int
    gflops: float
    latency_ms: float
    width: int
    height: int

    @property
    def fits_challenge(self) -> bool:
        """Within the VQualA 2025 limits, 5 M parameters and 0.5 GFLOPs."""
        return self.parameters <= MAX_PARAMETERS and self.gflops <= MAX_GFLOPS

    def to_dict(self) -> dict[str, Any]:
        """The fields and `fits_challenge`, as plain JSON types."""
        return {**asdict(self), "fits_challenge": self.fits_challenge}


def profile_scorer(name_or_folder: str | Path, runs: int = 20) -> Profile:
    """The cost of a scorer: counted when it was exported, timed here in onnxruntime.

    Args:
        name_or_folder: a shipped scorer's name, or a scorer folder.
        runs: timed repetitions, after two that are not timed; 1 or more.

    Raises:
        UsageError, ScorerError: there is no such scorer, or it is damaged.
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
        call: what is timed.
        runs: timed calls, after two that are not timed; 1 or more.
    """
    times = []
    for _ in range(runs + 2):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return 1000 * statistics.median(times[2:])
