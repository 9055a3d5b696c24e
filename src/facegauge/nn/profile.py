"""The cost of a torch network: parameters, multiply-adds and latency."""

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
    """Measure the network of a run folder.

    Raises:
        UsageError: the folder is not a run folder.
    """
    run = load_run(folder)
    return profile_network(run.network, run.spec)


def profile_network(network: nn.Module, spec: PreprocessSpec, runs: int = 20) -> Profile:
    """Count parameters and multiply-adds of a network, and time it, on its current device.

    Operations that fvcore does not count (activations, sums, means) are excluded, as in the
    figures of the challenge.

    Args:
        network: (1, 3, height, width) float32 to (1,).
        spec: width and height of the input.
        runs: number of timed runs, after two warm-up runs; 0: no timing.
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
        from fvcore.nn import FlopCountAnalysis  # warns on import

        analysis = FlopCountAnalysis(network, image)
        analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
        analysis.tracer_warnings("none")
        return float(analysis.total())


def _latency_ms(network: nn.Module, image: Tensor, runs: int) -> float:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.inference_mode():
            # .cpu() waits for the result of an accelerator
            return median_ms(lambda: network(image).cpu(), runs)
    finally:
        torch.set_num_threads(threads)


@contextmanager
def _quiet() -> Iterator[None]:
    """Suppress fvcore's log and the tracer's deprecation warnings."""
    logger = logging.getLogger("fvcore.nn.jit_analysis")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
