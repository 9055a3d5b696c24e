"""What a run computes on: its processes, their device, and what that computes in."""

from __future__ import annotations

import logging
from datetime import timedelta

import torch
from accelerate import Accelerator, InitProcessGroupKwargs

PATIENCE = timedelta(days=7)
IMITATING = ("DEFAULT", "AVX2")  # what torch calls CPUs without instructions for bfloat16


def this_process() -> Accelerator:
    """This process among those of the run.

    The others wait while the main one labels or makes a pool, for hours if need be; torch would
    end them after half an hour or less.
    """
    return Accelerator(kwargs_handlers=[InitProcessGroupKwargs(timeout=PATIENCE)])


def log_from_main_process() -> None:
    """Let only the main process of the run log; the others would repeat its lines."""
    if not this_process().is_main_process:
        logging.getLogger("facegauge").setLevel(logging.ERROR)


def computes_bfloat16(device: torch.device) -> bool:
    """Whether bfloat16 is no slower than float32 there; GPUs are taken to be able to."""
    return device.type != "cpu" or torch.backends.cpu.get_cpu_capability() not in IMITATING
