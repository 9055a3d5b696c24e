"""The processes of a run, their devices, and the precision that those compute in."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from accelerate import Accelerator, InitProcessGroupKwargs
from accelerate.utils import broadcast_object_list
from torch import distributed as dist

TIMEOUT = timedelta(days=7)
EMULATING = ("DEFAULT", "AVX2")  # torch's names for CPUs without instructions for bfloat16

T = TypeVar("T")
Number = TypeVar("Number", np.float32, np.float64)


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


def from_main(make: Callable[[], T]) -> T:
    """What the main process makes, for all; the others wait for it."""
    process = this_process()
    if process.num_processes == 1:
        return make()
    made: list[Any] = [make() if process.is_main_process else None]
    broadcast_object_list(made)
    found: T = made[0]
    return found


def own_rows(total: int) -> npt.NDArray[np.int64]:
    """Which of `total` rows are this process's share; each row is one process's."""
    process = this_process()
    return np.arange(process.process_index, total, process.num_processes)


def of_all_processes(own: npt.NDArray[Number], total: int) -> npt.NDArray[Number]:
    """Rows (total, ...) from those that each process computed of its `own_rows`."""
    process = this_process()
    if process.num_processes == 1:
        return own
    whole = torch.zeros((total, *own.shape[1:]), dtype=torch.from_numpy(own[:0]).dtype)
    whole[own_rows(total)] = torch.from_numpy(own)
    whole = whole.to(process.device)
    dist.all_reduce(whole)
    summed: npt.NDArray[Number] = whole.cpu().numpy()
    return summed


def computes_bfloat16(device: torch.device) -> bool:
    """Whether a device computes in bfloat16 and does not only emulate it; GPUs are assumed to."""
    return device.type != "cpu" or torch.backends.cpu.get_cpu_capability() not in EMULATING
