"""The only place that imports onnxruntime, which must not send telemetry."""

from __future__ import annotations

import os
from contextlib import suppress
from importlib import import_module
from typing import Any

from facegauge.errors import UsageError

DEVICES = ("cpu", "cuda")
CUDA = "CUDAExecutionProvider"
TELEMETRY_OFF = "ORT_DISABLE_TELEMETRY"


def import_onnxruntime() -> Any:
    """The module onnxruntime, with its telemetry switched off.

    From version 1.29 on it looks up a host, keeps a database in `~/.cache` and sends events, unless
    this variable is set before it is first imported. A value that the user has set stays.
    """
    os.environ.setdefault(TELEMETRY_OFF, "1")
    import onnxruntime

    return onnxruntime


def import_quantisation() -> Any:
    """Its module of quantisation, which needs the package onnx too."""
    import_onnxruntime()
    return import_module("onnxruntime.quantization")


def check_device(device: str) -> None:
    """Refuse a device that the installed onnxruntime cannot compute on.

    Raises:
        UsageError: neither cpu nor cuda, or cuda without onnxruntime-gpu.
    """
    if device not in DEVICES:
        raise UsageError(f"expected device to be {' or '.join(DEVICES)}, got {device!r}")
    if device == "cuda" and CUDA not in import_onnxruntime().get_available_providers():
        raise UsageError(
            "device cuda needs onnxruntime-gpu in the place of onnxruntime: pip uninstall "
            "onnxruntime, then pip install onnxruntime-gpu"
        )


def open_session(model: bytes | str, options: Any, device: str) -> Any:
    """Open a network.

    Args:
        model: the bytes or the path of an ONNX file.
        options: `onnxruntime.SessionOptions`.
        device: cpu, or cuda: the first GPU, in full float32.

    Raises:
        UsageError: the device cannot be used; onnxruntime itself would fall back to the CPU.
        Exception: of any kind, what onnxruntime raises for a model that it cannot open.
    """
    check_device(device)
    onnxruntime = import_onnxruntime()
    providers: list[Any] = ["CPUExecutionProvider"]
    if device == "cuda":
        providers.insert(0, (CUDA, {"use_tf32": 0}))  # TF32 would move scores
        getattr(onnxruntime, "preload_dlls", lambda: None)()  # of CUDA's packages, from 1.21 on
    session = onnxruntime.InferenceSession(model, options, providers=providers)
    if device == "cuda" and CUDA not in session.get_providers():
        raise UsageError(
            "device cuda cannot be used: onnxruntime-gpu finds no GPU, or not the version of CUDA "
            "and cuDNN that it was built for"
        )
    return session


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
