"""Which devices compute in bfloat16, and which only imitate it, several times slower."""

from __future__ import annotations

import torch

IMITATING = ("DEFAULT", "AVX2")  # what torch calls CPUs without instructions for it


def computes_bfloat16(device: torch.device) -> bool:
    """Whether bfloat16 is no slower than float32 there; GPUs are taken to be able to."""
    return device.type != "cpu" or torch.backends.cpu.get_cpu_capability() not in IMITATING
