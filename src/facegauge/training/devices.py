"""What a run computes on: its processes, their device, and what that computes in."""

from __future__ import annotations

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


def computes_bfloat16(device: torch.device) -> bool:
    """Whether bfloat16 is no slower than float32 there; GPUs are taken to be able to."""
    return device.type != "cpu" or torch.backends.cpu.get_cpu_capability() not in IMITATING
