"""What a network costs: parameters, multiply-adds, time; and the challenge's budget."""

from __future__ import annotations

import logging
import statistics
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facegauge.faces.spec import PreprocessSpec

if TYPE_CHECKING:
    from torch import nn

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
        return {**asdict(self), "fits_challenge": self.fits_challenge}


def profile_network(network: nn.Module, spec: PreprocessSpec, runs: int = 20) -> Profile:
    """Count and time a network at the spec's size.

    Operations that fvcore does not count (activations, sums, means) are left out, as they were
    in the challenge's own numbers.

    Args:
        network: (1, 3, height, width) float32 -> (1,).
        runs: timed repetitions, after two that are not; 0: no timing.
    """
    import torch

    was_training = network.training
    network.eval()
    first = next(network.parameters(), None)
    device = first.device if first is not None else torch.device("cpu")
    image = torch.zeros(1, 3, spec.height, spec.width, device=device)
    try:
        gflops = _multiply_adds(network, image) / 1e9
        latency = _latency_ms(network, image, runs) if runs else float("nan")
    finally:
        network.train(was_training)
    parameters = sum(weight.numel() for weight in network.parameters())
    return Profile(parameters, gflops, latency, spec.width, spec.height)


def profile_folder(folder: str | Path) -> Profile:
    """The cost of a run folder, or of a scorer (a shipped one's name, or a folder).

    A run is counted and timed in torch. A scorer has its counts from its card and is timed in
    onnxruntime, so that torch is not needed.

    Raises:
        UsageError, ScorerError: there is neither.
        MissingExtra: a run folder without torch.
    """
    from facegauge.evaluation.evaluate import is_run, open_run

    if is_run(folder):
        run = open_run(folder)
        return profile_network(run.network, run.spec)
    return _profile_scorer(folder)


def _profile_scorer(folder: str | Path, runs: int = 20) -> Profile:
    import numpy as np

    from facegauge import zoo
    from facegauge.zoo.onnx_model import Model

    where = zoo.open_folder(folder)
    cost = zoo.load_card(where).cost
    model = Model(where, threads=1)
    spec = model.spec
    image = np.zeros((1, 3, spec.height, spec.width), np.float32)
    latency = _median_ms(lambda: model(image), runs)
    parameters = round(cost.parameters_m * 1e6)
    return Profile(parameters, cost.gflops, latency, spec.width, spec.height)


def _multiply_adds(network: nn.Module, image: Any) -> float:
    import torch

    with _quiet(), torch.no_grad():
        from fvcore.nn import FlopCountAnalysis  # warns on import, too

        analysis = FlopCountAnalysis(network, image)
        analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
        analysis.tracer_warnings("none")
        return float(analysis.total())


def _latency_ms(network: nn.Module, image: Any, runs: int) -> float:
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.inference_mode():
            # .cpu() brings the result home, so an accelerator is waited for
            return _median_ms(lambda: network(image).cpu(), runs)
    finally:
        torch.set_num_threads(threads)


def _median_ms(once: Callable[[], object], runs: int) -> float:
    """Median time of a call, in milliseconds, after two that do not count."""
    times = []
    for _ in range(runs + 2):
        start = time.perf_counter()
        once()
        times.append(time.perf_counter() - start)
    return 1000 * statistics.median(times[2:])


@contextmanager
def _quiet() -> Iterator[None]:
    """Neither fvcore's log lines nor the tracer's deprecation warnings."""
    logger = logging.getLogger("fvcore.nn.jit_analysis")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
