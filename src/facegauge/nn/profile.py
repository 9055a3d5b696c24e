"""What a torch network costs: parameters, multiply-adds, time."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn

from facegauge.evaluation.profile import Profile, median_ms
from facegauge.faces.spec import PreprocessSpec
from facegauge.nn.checkpoints import load_run


def profile_run(folder: str | Path) -> Profile:
    """The cost of a run folder's network, counted and timed in torch.

    Raises:
        UsageError: it is not a run folder.
    """
    run = load_run(folder)
    return profile_network(run.network, run.spec)


def profile_network(network: nn.Module, spec: PreprocessSpec, runs: int = 20) -> Profile:
    """Count and time a network at the spec's size, on the device that it is on.

    Operations that fvcore does not count (activations, sums, means) are left out, as they were
    in the challenge's own numbers.

    Args:
        network: (1, 3, height, width) float32 -> (1,).
        spec: width and height of the input.
        runs: timed repetitions, after two that are not timed; 0: no timing.
    """
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


def _multiply_adds(network: nn.Module, image: Tensor) -> float:
    with _quiet(), torch.no_grad():
        from fvcore.nn import FlopCountAnalysis  # warns on import, too

        analysis = FlopCountAnalysis(network, image)
        analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
        analysis.tracer_warnings("none")
        return float(analysis.total())


def _latency_ms(network: nn.Module, image: Tensor, runs: int) -> float:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.inference_mode():
            # .cpu() brings the result home, so an accelerator is waited for
            return median_ms(lambda: network(image).cpu(), runs)
    finally:
        torch.set_num_threads(threads)


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
