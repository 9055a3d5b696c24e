"""The convolutions of a scorer's network in 8 bits: less time and half the size.

Static quantisation with onnxruntime's tools: weights per channel, ranges of activations from
pictures (the smallest and the largest value seen). Weights keep 7 of their 8 bits: on processors
without instructions for 8-bit products, sums of two products could otherwise saturate, and scores
would depend on the machine. The first convolutions stay in float32: they see few channels, whose
rounding errors all later ones share.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from facegauge.errors import UsageError, require
from facegauge.onnx_runtime import import_quantisation
from facegauge.zoo.onnx_model import SPEC_KEY

if TYPE_CHECKING:
    import onnx

Inputs = Mapping[str, npt.NDArray[np.float32]]


def quantised(model: bytes, samples: Iterable[Inputs], *, in_float: int) -> bytes:
    """A scorer's ONNX model with its convolutions in int8.

    Training cannot start from the result: it does not hold the network's description.

    Args:
        model: the bytes of a scorer's model.
        samples: inputs by name, one batch after another, that show which values occur.
        in_float: number of convolutions, from the input on, that stay in float32.

    Returns:
        The bytes of the new model, with the same inputs and outputs.

    Raises:
        MissingExtra: without the package onnx.
        UsageError: no convolutions remain, or the model is in int8 already.
    """
    require("onnx", "quantising", "train")
    import onnx

    with _without_hints():
        tools = import_quantisation()
    flat = _in_float32(onnx.load_from_string(model))
    weights = {tensor.name for tensor in flat.graph.initializer}
    if any(node.op_type in ("QuantizeLinear", "DequantizeLinear") for node in flat.graph.node):
        raise UsageError("the scorer's network is in int8 already")
    convolutions = [
        node.name for node in flat.graph.node if node.op_type == "Conv" and node.input[1] in weights
    ]
    if not 0 <= in_float < len(convolutions):
        raise UsageError(
            f"expected fewer than {len(convolutions)} convolutions in float, as many as the "
            f"network has, got {in_float}"
        )
    with TemporaryDirectory() as folder, _without_hints():
        source, target = Path(folder) / "float.onnx", Path(folder) / "int8.onnx"
        source.write_bytes(flat.SerializeToString())
        tools.quantize_static(
            str(source),
            str(target),
            _Reader(samples),
            quant_format=tools.QuantFormat.QDQ,
            per_channel=True,
            reduce_range=True,
            activation_type=tools.QuantType.QUInt8,
            weight_type=tools.QuantType.QInt8,
            calibrate_method=tools.CalibrationMethod.MinMax,
            op_types_to_quantize=["Conv"],
            nodes_to_quantize=convolutions[in_float:],
        )
        result = onnx.load(target)
    smaller: bytes = _with_spec(result, flat).SerializeToString(deterministic=True)
    return smaller


def _in_float32(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with weights that were stored in half precision in float32, and named nodes."""
    from onnx import helper, numpy_helper

    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    nodes = []
    for number, node in enumerate(model.graph.node):
        if node.op_type == "Cast" and node.input[0] in weights:
            values = numpy_helper.to_array(weights[node.input[0]]).astype(np.float32)
            weights[node.output[0]] = numpy_helper.from_array(values, node.output[0])
            continue
        node.name = node.name or f"{node.op_type}_{number}"
        nodes.append(node)
    used = {name for node in nodes for name in node.input}
    graph = helper.make_graph(
        nodes,
        model.graph.name,
        model.graph.input,
        model.graph.output,
        [tensor for name, tensor in weights.items() if name in used],
    )
    out = helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)
    out.metadata_props.extend(model.metadata_props)
    return out


def _with_spec(model: onnx.ModelProto, source: onnx.ModelProto) -> onnx.ModelProto:
    """The model with the metadata that scoring needs, and no other."""
    from onnx import helper

    kept = {one.key: one.value for one in source.metadata_props if one.key == SPEC_KEY}
    del model.metadata_props[:]
    helper.set_model_props(model, kept)
    return model


class _Reader:
    """Samples as onnxruntime's tools ask for them."""

    def __init__(self, samples: Iterable[Inputs]) -> None:
        self._samples: Iterator[Inputs] = iter(samples)

    def get_next(self) -> Inputs | None:
        return next(self._samples, None)

    def __iter__(self) -> Iterator[Inputs]:
        return self._samples

    def __next__(self) -> Any:
        return next(self._samples)


@contextmanager
def _without_hints() -> Iterator[None]:
    """The tools log advice to the root logger, which is meant for the writers of such programs."""
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    root.setLevel(logging.ERROR)
    try:
        yield
    finally:
        root.setLevel(level)
        root.handlers[:] = handlers  # without one, the first line that is logged adds one
