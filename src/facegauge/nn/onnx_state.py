"""The torch state in a scorer's `model.onnx`: one file scores, and training continues from it.

The graph holds the network's tensors under their `state_dict` names, some of them in half
precision. A convolution followed by a batch norm is stored with the norm's scale multiplied in, so
that onnxruntime need not do it at every start; the kernel is then called
`<convolution>.weight@<norm>`. What scoring does not need, such as the vectors of these norms and
their `<norm>.eps`, is in the model's `training_info`, which onnxruntime does not load.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    import onnx

RUN_KEY = "facegauge.run"
FOLDED = "@"
MIN_TERMS = 64
ROUNDING = 2.0**-10
HALF_MAX = float(np.finfo(np.float16).max)

Array = npt.NDArray[Any]


def stored_dtype(values: Array) -> np.dtype[Any]:
    """The type in which a tensor is stored; the computation is float32 in any case.

    Kernels and matrices are stored as float16: an output that sums many products averages their
    rounding errors. Float32 remains where an output sums fewer than 64 products, depthwise
    kernels above all, and for vectors (biases, norms), which take little space.

    Args:
        values: of any shape; its first axis counts the outputs.
    """
    many = values.ndim > 1 and np.prod(values.shape[1:]) >= MIN_TERMS
    if values.dtype == np.float32 and many and np.abs(values).max(initial=0) <= HALF_MAX:
        return np.dtype(np.float16)
    return values.dtype


def norm_scale(weight: Array, running_var: Array, eps: Array | float) -> npt.NDArray[np.float64]:
    """The factor of a batch norm in eval mode for each channel: (C,), (C,) and () to (C,)."""
    deviation = np.sqrt(running_var.astype(np.float64) + eps)
    return np.asarray(weight / deviation, np.float64)


def per_channel(factors: Array, kernel: Array) -> Array:
    """Factors (C,) in a shape that multiplies a kernel (C, ...) along its first axis."""
    return factors.reshape(-1, *[1] * (kernel.ndim - 1))


def is_rounded(found: Array, expected: Array) -> bool:
    """Whether values (C, ...) differ from the expected ones by no more than rounding explains.

    That is 2^-10 of the largest value of the same output, about twice what half precision does.
    """
    if found.shape != expected.shape:
        return False
    rows = expected.astype(np.float64).reshape(len(expected) if expected.ndim > 1 else 1, -1)
    allowed = ROUNDING * np.abs(rows).max(1, keepdims=True, initial=0)
    return bool((np.abs(found.reshape(rows.shape) - rows) <= allowed).all())


def parse_model(model: bytes) -> onnx.ModelProto:
    """Parse an ONNX model.

    Raises:
        ValueError: the bytes are not an ONNX model.
    """
    import onnx
    from google.protobuf.message import DecodeError

    try:
        return onnx.load_model_from_string(model)
    except DecodeError as error:
        raise ValueError(f"not an ONNX model: {error}") from error


def metadata(model: onnx.ModelProto) -> dict[str, str]:
    """The model's metadata, by key."""
    return {entry.key: entry.value for entry in model.metadata_props}


def read_state(model: onnx.ModelProto, network: nn.Module) -> dict[str, Tensor]:
    """The weights in a model, for `network.load_state_dict`.

    Args:
        model: written by `facegauge export` from a network like `network`.
        network: its names and types are used, its weights are not.

    Returns:
        The tensors that were found, in the types that the network has. Kernels are without the
        scale of the norm that was multiplied in.

    Raises:
        ValueError: a tensor is damaged, or the norm of a kernel is missing.
    """
    from onnx import numpy_helper

    tensors = [*model.graph.initializer]
    for info in model.training_info:
        tensors += info.algorithm.initializer
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in tensors}
    for name in [name for name in stored if FOLDED in name]:
        kernel, _, norm = name.partition(FOLDED)
        stored[kernel] = _unfolded(stored[name], norm, stored)
    return {
        name: torch.from_numpy(np.array(stored[name])).to(own.dtype)
        for name, own in network.state_dict().items()
        if name in stored
    }


def _unfolded(kernel: Array, norm: str, stored: Mapping[str, Array]) -> Array:
    """A kernel (C, ...) divided by its norm's scale."""
    try:
        vectors = (stored[f"{norm}.{name}"] for name in ("weight", "running_var", "eps"))
        scale = norm_scale(*vectors)
    except KeyError as error:
        raise ValueError(f"it has no {error}, the batch norm of a kernel") from error
    return (kernel.astype(np.float64) / per_channel(scale, kernel)).astype(np.float32)
