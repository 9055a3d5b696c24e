"""A traced graph made small and quick to open: norms and constants folded, half precision.

Every step keeps the network's tensors readable; `nn.onnx_state` says how they are stored.
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from facegauge.nn.onnx_state import (
    FOLDED,
    Array,
    is_rounded,
    norm_scale,
    per_channel,
    stored_dtype,
)
from facegauge.onnx_runtime import import_onnxruntime

if TYPE_CHECKING:
    import onnx

    Pairs = list[tuple[onnx.NodeProto, onnx.NodeProto]]

NORM = ("weight", "bias", "running_mean", "running_var")


def compact(
    model: onnx.ModelProto, state: Mapping[str, Array], *, half: bool = True
) -> onnx.ModelProto:
    """The model that ships, from a traced one.

    Args:
        model: traced without constant folding, its initializers listed as inputs.
        state: the network's `state_dict`, whose names the initializers have. All of it can be read
            from the result.
        half: store as float16 what `stored_dtype` allows.
    """
    folded = _fold_norms(model.graph)
    model = _fold_constants(model)
    names = {*state, *folded}
    if half:
        _store_half(model.graph, names)
    _number_others(model.graph, names)
    _add_training_state(model, state, half)
    for name, eps in folded.items():
        _keep(model, f"{name.partition(FOLDED)[2]}.eps", np.array(eps))
    return model


def _fold_norms(graph: onnx.GraphProto) -> dict[str, float]:
    """Multiply batch norms into the kernels before them, as onnxruntime would at every start.

    A norm is folded if nothing else uses its convolution or the kernel. The kernel `a.weight`
    becomes `a.weight@b`, where `b` is the norm.

    Returns:
        The eps of the norms by the names of the new kernels.
    """
    from onnx import numpy_helper

    arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    done = {}
    for name, pairs in _norms_by_kernel(graph).items():
        convolution, first = pairs[0]
        norm = first.input[1].removesuffix(".weight")
        vectors = [f"{norm}.{vector}" for vector in NORM]
        if not {name, *vectors, *convolution.input[2:]} <= arrays.keys() or any(
            list(after.input[1:]) != vectors or before.input[1:] != convolution.input[1:]
            for before, after in pairs
        ):
            continue
        weight, shift, mean, variance = (arrays[vector] for vector in vectors)
        eps = next(attribute.f for attribute in first.attribute if attribute.name == "epsilon")
        scale = norm_scale(weight, variance, eps)
        kernel = (arrays[name] * per_channel(scale, arrays[name])).astype(np.float32)
        if not _can_be_read_back(kernel, scale, arrays[name]):
            continue
        bias = sum(arrays[one].astype(np.float64) for one in convolution.input[2:])
        added = (bias - mean.astype(np.float64)) * scale + shift
        folded = {
            f"{name}{FOLDED}{norm}": kernel,
            f"{FOLDED}{norm}": added.astype(np.float32),
        }
        for new, values in folded.items():
            _add(graph, numpy_helper.from_array(values, new))
        for before, after in pairs:
            before.input[1:] = list(folded)
            before.output[0] = after.output[0]
            graph.node.remove(after)
        done[f"{name}{FOLDED}{norm}"] = eps
    return done


def _norms_by_kernel(graph: onnx.GraphProto) -> dict[str, Pairs]:
    """By kernel, the convolutions that use it and their norms, if all of them have one."""
    made_by = {name: node for node in graph.node for name in node.output}
    uses: dict[str, int] = defaultdict(int)
    for name in [
        *(name for node in graph.node for name in node.input),
        *(value.name for value in graph.output),
    ]:
        uses[name] += 1
    pairs: dict[str, Pairs] = defaultdict(list)
    for node in graph.node:
        before = made_by.get(node.input[0]) if node.op_type == "BatchNormalization" else None
        if before is not None and before.op_type == "Conv" and uses[node.input[0]] == 1:
            pairs[before.input[1]].append((before, node))
    return {kernel: found for kernel, found in pairs.items() if uses[kernel] == len(found)}


def _can_be_read_back(kernel: Array, scale: Array, expected: Array) -> bool:
    """Whether a kernel, rounded and divided by the scale, is as close as rounding alone allows."""
    with np.errstate(divide="ignore", invalid="ignore"):
        found = kernel.astype(stored_dtype(kernel)) / per_channel(scale, kernel)
    return is_rounded(found, expected)


def _add(graph: onnx.GraphProto, tensor: onnx.TensorProto) -> None:
    """An initializer that is an input, too."""
    from onnx import helper

    graph.initializer.append(tensor)
    shape = list(tensor.dims)
    graph.input.append(helper.make_tensor_value_info(tensor.name, tensor.data_type, shape))


def _fold_constants(model: onnx.ModelProto) -> onnx.ModelProto:
    """Let onnxruntime compute now what depends neither on the inputs nor on the weights.

    It takes initializers that are inputs for variable, so the weights stay as they are. In the
    result they are initializers only.
    """
    import onnx

    onnxruntime = import_onnxruntime()

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    weights = {tensor.name for tensor in model.graph.initializer}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.onnx"
        options.optimized_model_filepath = str(file)
        providers = ["CPUExecutionProvider"]
        onnxruntime.InferenceSession(model.SerializeToString(), options, providers=providers)
        model = onnx.load(str(file))
    graph = model.graph
    used = {name for node in graph.node for name in node.input}
    domains = {node.domain for node in graph.node}
    _replace(graph.input, [value for value in graph.input if value.name not in weights])
    tensors = [tensor for tensor in graph.initializer if tensor.name in used]
    _replace(graph.initializer, sorted(tensors, key=lambda tensor: str(tensor.name)))
    _replace(model.opset_import, [one for one in model.opset_import if one.domain in domains])
    _replace(graph.value_info, [])
    return model


def _store_half(graph: onnx.GraphProto, names: set[str]) -> None:
    """Round the tensors of these names that `stored_dtype` gives as float16; cast them on use."""
    from onnx import TensorProto, helper, numpy_helper

    casts = {}
    for tensor in graph.initializer:
        values = numpy_helper.to_array(tensor)
        dtype = stored_dtype(values)
        if tensor.name in names and dtype != values.dtype:
            tensor.CopyFrom(numpy_helper.from_array(values.astype(dtype), tensor.name))
            casts[tensor.name] = f"{tensor.name} as float32"
    for node in graph.node:
        node.input[:] = [casts.get(name, name) for name in node.input]
    nodes = [helper.make_node("Cast", [a], [b], to=TensorProto.FLOAT) for a, b in casts.items()]
    _replace(graph.node, [*nodes, *graph.node])


def _number_others(graph: onnx.GraphProto, names: set[str]) -> None:
    """Number what lies between inputs and outputs: a deep network's names take half a megabyte."""
    kept = {"", *names, *(value.name for value in (*graph.input, *graph.output))}
    numbers: dict[str, str] = {}

    def short(name: str) -> str:
        return name if name in kept else numbers.setdefault(name, str(len(numbers)))

    for node in graph.node:
        node.name = node.doc_string = ""
        node.input[:], node.output[:] = map(short, node.input), map(short, node.output)
    for tensor in graph.initializer:
        tensor.name = short(tensor.name)


def _add_training_state(model: onnx.ModelProto, state: Mapping[str, Array], half: bool) -> None:
    """Put into `training_info` what cannot be read from the graph."""
    readable = {tensor.name.partition(FOLDED)[0] for tensor in model.graph.initializer}
    model.training_info.add().algorithm.name = "state"
    for name, values in state.items():
        if name not in readable:
            _keep(model, name, values.astype(stored_dtype(values)) if half else values)


def _keep(model: onnx.ModelProto, name: str, values: Array) -> None:
    from onnx import numpy_helper

    tensor = numpy_helper.from_array(np.array(values, order="C"), name)
    model.training_info[0].algorithm.initializer.append(tensor)


def _replace(messages: Any, new: list[Any]) -> None:
    """Fill a repeated field anew; its messages are copied first, for they end with their list."""
    copies = [type(message).FromString(message.SerializeToString()) for message in new]
    del messages[:]
    messages.extend(copies)
