"""The only place that imports onnxruntime, which must not send telemetry."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Any

TELEMETRY_OFF = "ORT_DISABLE_TELEMETRY"


def import_onnxruntime() -> Any:
    """The module onnxruntime, with its telemetry switched off.

    From version 1.29 on it looks up a host, keeps a database in `~/.cache` and sends events, unless
    this variable is set before it is first imported. A value that the user has set stays.
    """
    os.environ.setdefault(TELEMETRY_OFF, "1")
    import onnxruntime

    return onnxruntime


def shrinking() -> Any:
    """Options of a pass after which a session gives back the memory that it keeps for the next."""
    options = import_onnxruntime().RunOptions()
    options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
    return options


def shrink(session: Any, side: int = 1) -> None:
    """Give back the memory that a session keeps, by a pass on a small input.

    Args:
        session: an `onnxruntime.InferenceSession` with float32 inputs.
        side: of the smallest input, where the network does not fix it.
    """
    import numpy as np

    inputs = {}
    for value in session.get_inputs():
        first, *others = value.shape
        shape = [n if isinstance(n, int) and n > 0 else side for n in others]
        inputs[value.name] = np.zeros((first if isinstance(first, int) else 1, *shape), np.float32)
    with suppress(Exception):  # a network that fails says so where it is used
        session.run(None, inputs, shrinking())
