"""One ONNX file that scores and that training continues from: what is stored, what is refused."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

from onnx import numpy_helper  # noqa: E402
from torch import nn  # noqa: E402

from facegauge.errors import ScorerError  # noqa: E402
from facegauge.faces.spec import PreprocessSpec  # noqa: E402
from facegauge.nn.onnx_state import is_rounded, parse_model, read_state, stored_dtype  # noqa: E402
from facegauge.training.onnx_export import (  # noqa: E402
    TOLERANCE,
    Shipped,
    check_onnx,
    read_shipped,
    write_onnx,
)

SPEC = PreprocessSpec(width=12, height=16)


class Toy(nn.Module):
    """Convolutions with norms of every kind that matters, and weights that no score needs."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1, bias=False)
        self.stem_norm = nn.BatchNorm2d(8)
        self.wide = nn.Conv2d(8, 64, 3, padding=1)
        self.wide_norm = nn.BatchNorm2d(64, eps=0.01)
        self.depthwise = nn.Conv2d(64, 64, 3, groups=64, bias=False)
        self.depthwise_norm = nn.BatchNorm2d(64)
        self.shared = nn.Conv2d(64, 64, 1, bias=False)
        self.first, self.second = nn.BatchNorm2d(64), nn.BatchNorm2d(64)
        self.pruned = nn.Conv2d(64, 64, 1, bias=False)
        self.pruned_norm = nn.BatchNorm2d(64)
        self.head = nn.Linear(64, 1)
        self.unused = nn.Linear(64, 2)

    def forward(self, x):
        x = self.stem_norm(self.stem(x)).relu()
        x = self.wide_norm(self.wide(x)).relu()
        x = self.depthwise_norm(self.depthwise(x)).relu()
        x = self.first(self.shared(x)).relu() + self.second(self.shared(x.tanh())).relu()
        x = self.pruned_norm(self.pruned(x)).relu()
        return self.head(x.mean((2, 3))).squeeze(1)


@pytest.fixture(scope="module")
def shipped():
    torch.manual_seed(0)
    network = Toy().eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight)
            nn.init.normal_(module.bias)
            module.running_mean.normal_()
            module.running_var.uniform_(0.1, 3)
            module.num_batches_tracked.fill_(7)
    with torch.no_grad():
        network.pruned_norm.weight[3] = 0
    return Shipped(network, flip=True).eval()


@pytest.fixture(scope="module")
def file(shipped, tmp_path_factory):
    file = tmp_path_factory.mktemp("onnx") / "model.onnx"
    write_onnx(shipped, SPEC, file)
    return file


def test_the_file_is_valid_onnx_that_scores_like_torch(shipped, file):
    onnx.checker.check_model(onnx.load(file))
    assert check_onnx(shipped, SPEC, file) <= TOLERANCE


def test_every_tensor_of_the_network_can_be_read_back(shipped, file):
    own = shipped.network.state_dict()
    state = read_state(parse_model(file.read_bytes()), shipped.network)
    assert state.keys() == own.keys()
    for name, values in own.items():
        assert state[name].dtype == values.dtype and state[name].shape == values.shape
        half = stored_dtype(values.numpy()) == np.float16
        folded = name in ("stem.weight", "depthwise.weight")
        if half:
            assert not torch.equal(state[name], values)
            assert is_rounded(state[name].numpy(), values.numpy()), name
        elif folded:  # multiplied and divided again
            assert torch.allclose(state[name], values, rtol=1e-6, atol=0), name
        else:
            assert torch.equal(state[name], values), name
    assert state["unused.weight"].shape == (2, 64) and state["first.num_batches_tracked"] == 7


def test_a_second_export_rounds_nothing_more(shipped, file, tmp_path):
    again = tmp_path / "again.onnx"
    write_onnx(read_shipped(shipped, file), SPEC, again)
    first, second = (
        {
            tensor.name: numpy_helper.to_array(tensor)
            for tensor in onnx.load(one).graph.initializer
            if tensor.data_type == onnx.TensorProto.FLOAT16
        }
        for one in (file, again)
    )
    assert first.keys() == second.keys() and "wide.weight@wide_norm" in first
    for name, values in first.items():
        assert np.array_equal(values, second[name]), name


def test_norms_are_folded_where_the_kernel_can_be_read_back(file):
    graph = onnx.load(file).graph
    norms = {node.input[1] for node in graph.node if node.op_type == "BatchNormalization"}
    assert norms == {"first.weight", "second.weight", "pruned_norm.weight"}
    names = {tensor.name for tensor in graph.initializer if not tensor.name.isdigit()}
    assert {name for name in names if "@" in name} == {
        "stem.weight@stem_norm",
        "wide.weight@wide_norm",
        "depthwise.weight@depthwise_norm",
    }
    assert not any(name.startswith(("unused", "stem_norm", "wide_norm")) for name in names)


def test_weights_can_be_stored_in_full(shipped, tmp_path):
    file = tmp_path / "model.onnx"
    write_onnx(shipped, SPEC, file, half=False)
    types = {tensor.data_type for tensor in onnx.load(file).graph.initializer}
    assert onnx.TensorProto.FLOAT16 not in types
    state = read_state(parse_model(file.read_bytes()), shipped.network)
    for name, values in shipped.network.state_dict().items():
        assert torch.allclose(state[name], values, rtol=1e-6, atol=0), name
    assert check_onnx(shipped, SPEC, file) <= TOLERANCE


@pytest.mark.parametrize("name", ["wide.weight@wide_norm", "head.weight"])
def test_other_weights_than_the_networks_are_refused(shipped, file, tmp_path, name):
    model = onnx.load(file)
    (tensor,) = (tensor for tensor in model.graph.initializer if tensor.name == name)
    values = numpy_helper.to_array(tensor) * np.float16(1.01)
    tensor.CopyFrom(numpy_helper.from_array(values, name))
    onnx.save(model, tmp_path / "model.onnx")
    with pytest.raises(ScorerError, match=f"{name.partition('@')[0]} in model.onnx is not the net"):
        check_onnx(shipped, SPEC, tmp_path / "model.onnx")
