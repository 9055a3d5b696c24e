"""The processes of a run, their devices, and the precision that those compute in."""

from __future__ import annotations

import logging
from datetime import timedelta

import torch
from accelerate import Accelerator, InitProcessGroupKwargs

TIMEOUT = timedelta(days=7)
EMULATING = ("DEFAULT", "AVX2")  # torch's names for CPUs without instructions for bfloat16


def this_process() -> Accelerator:
    """This process among those of the run.

    The others wait while the main one labels, for hours if need be; torch would stop them after
    half an hour or less.
    """
    return Accelerator(kwargs_handlers=[InitProcessGroupKwargs(timeout=TIMEOUT)])


def log_from_main_process() -> None:
    """Let only the main process of the run log; the others would repeat its lines."""
    if not this_process().is_main_process:
        logging.getLogger("facegauge").setLevel(logging.ERROR)


def computes_bfloat16(device: torch.device) -> bool:
    """Whether a device computes in bfloat16 and does not only emulate it; GPUs are assumed to."""
    return device.type != "cpu" or torch.backends.cpu.get_cpu_capability() not in EMULATING
