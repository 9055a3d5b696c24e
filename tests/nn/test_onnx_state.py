"""The torch state in a scorer's model: which type a tensor is stored in, and how it is read."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("onnx")

import torch
from onnx import TensorProto, helper, numpy_helper

from facegauge.nn.onnx_state import is_rounded, parse_model, read_state, stored_dtype


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [
        ((8, 64, 1, 1), np.float16),
        ((8, 63, 1, 1), np.float32),
        ((960, 1, 3, 3), np.float32),  # a depthwise kernel sums 9 products
        ((16, 8, 3, 3), np.float16),
        ((1, 64), np.float16),
        ((1, 63), np.float32),
        ((4096,), np.float32),
        ((), np.float32),
        ((0, 64), np.float16),
    ],
)
def test_half_precision_is_for_what_sums_many_products(shape, dtype):
    assert stored_dtype(np.ones(shape, np.float32)) == dtype


def test_what_half_precision_cannot_hold_stays_as_it_is():
    assert stored_dtype(np.full((1, 64), 65_504, np.float32)) == np.float16
    assert stored_dtype(np.full((1, 64), -70_000, np.float32)) == np.float32
    assert stored_dtype(np.ones((1, 64), np.int64)) == np.int64
    assert stored_dtype(np.ones((1, 64), np.float64)) == np.float64


def test_rounding_is_told_from_other_weights():
    values = np.random.default_rng(0).normal(size=(3, 100)).astype(np.float32)
    rounded = values.astype(np.float16)
    assert is_rounded(rounded, values)
    assert not is_rounded(rounded[:2], values)
    rounded[1, 7] += 0.01
    assert not is_rounded(rounded, values)


def stored(tensors: dict[str, np.ndarray]):
    initializers = [numpy_helper.from_array(values, name) for name, values in tensors.items()]
    output = helper.make_tensor_value_info("score", TensorProto.FLOAT, ["N"])
    return helper.make_model(helper.make_graph([], "toy", [], [output], initializers))


def test_a_kernel_is_read_without_the_scale_of_its_norm():
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 2, 1, bias=False), torch.nn.BatchNorm2d(2))
    own = {name: value.numpy() for name, value in network.state_dict().items()}
    norm = {
        "1.weight": np.array([2, -3], np.float32),
        "1.running_var": np.array([3, 8], np.float32),
    }
    kernel = np.ones((2, 3, 1, 1), np.float16)
    state = read_state(stored({**norm, "0.weight@1": kernel, "1.eps": np.array(1.0)}), network)
    assert state.keys() == {"0.weight", *norm}
    assert state["0.weight"].dtype == torch.float32
    assert state["0.weight"].flatten().tolist() == [1, 1, 1, -1, -1, -1]
    assert state["1.weight"].tolist() == [2, -3]
    assert own["0.weight"].shape == state["0.weight"].shape
    with pytest.raises(ValueError, match=r"has no '1\.eps', the batch norm of a kernel"):
        read_state(stored({**norm, "0.weight@1": kernel}), network)


def test_what_is_no_model_is_a_value_error():
    with pytest.raises(ValueError, match="not an ONNX model"):
        parse_model(b"no model")
