"""Models that refer to other files or to foreign operators are refused before they are opened."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from facegauge import zoo
from facegauge.errors import ScorerError
from facegauge.zoo.onnx_file import check_model
from toys import toy_model


def external(name: str = "scale", location: str = "../../secret") -> onnx.TensorProto:
    tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=[1])
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", "0"), ("length", "4")):
        tensor.external_data.add(key=key, value=value)
    return tensor


def toy() -> onnx.ModelProto:
    return onnx.load_from_string(toy_model())


def in_initializer() -> onnx.ModelProto:
    model = toy()
    model.graph.initializer.append(external("more"))
    return model


def in_constant() -> onnx.ModelProto:
    model = toy()
    model.graph.node.append(helper.make_node("Constant", [], ["c"], value=external()))
    return model


def with_subgraph(tensor: onnx.TensorProto | None = None, domain: str = "") -> onnx.ModelProto:
    model = toy()
    tensors = [tensor] if tensor else []
    node = helper.make_node("Identity", ["c"], ["d"], domain=domain)
    graph = helper.make_graph([node], "inner", [], [], tensors)
    model.graph.node.append(
        helper.make_node("If", ["b"], ["e"], then_branch=graph, else_branch=graph)
    )
    return model


def in_function() -> onnx.ModelProto:
    model = toy()
    node = helper.make_node("Constant", [], ["c"], value=external())
    imports = [helper.make_opsetid("", 18)]
    model.functions.append(helper.make_function("mine", "F", [], ["c"], [node], imports))
    return model


def in_sparse() -> onnx.ModelProto:
    model = toy()
    indices = numpy_helper.from_array(np.array([0], np.int64))
    model.graph.sparse_initializer.append(
        helper.make_sparse_tensor(external("sparse"), indices, [4])
    )
    return model


def only_location() -> onnx.ModelProto:
    model = in_initializer()
    del model.graph.initializer[-1].external_data[:]
    return model


@pytest.mark.parametrize(
    "make", [in_initializer, in_constant, in_function, in_sparse, only_location]
)
def test_weights_in_another_file_are_refused(make: object) -> None:
    with pytest.raises(ScorerError, match="takes weights from another file"):
        check_model(make().SerializeToString())  # type: ignore[operator]
    with pytest.raises(ScorerError, match="takes weights from another file"):
        check_model(with_subgraph(external()).SerializeToString())


@pytest.mark.parametrize("domain", ["com.microsoft", "ai.onnx.contrib", "evil"])
def test_operators_outside_the_standard_are_refused(domain: str) -> None:
    model = toy()
    model.graph.node.append(helper.make_node("Run", ["image"], ["x"], domain=domain))
    for bad in (model, with_subgraph(domain=domain)):
        with pytest.raises(ScorerError, match=rf"the operator {domain}\.") as caught:
            check_model(bad.SerializeToString())
        assert "\n" not in str(caught.value)


def test_good_models_pass() -> None:
    check_model(toy_model())
    check_model(with_subgraph().SerializeToString())
    for name in zoo.names():
        check_model((zoo.open_folder(name) / "model.onnx").read_bytes())


def test_damaged_models_are_refused_in_one_line() -> None:
    model = toy_model()
    rng = np.random.default_rng(0)
    for _ in range(300):
        data = bytearray(model[: rng.integers(1, len(model))])
        for place in rng.integers(0, len(data), 3):
            data[place] = rng.integers(256)
        try:
            check_model(bytes(data))
        except ScorerError as error:
            assert "\n" not in str(error)
    deep = b""
    for _ in range(60):  # a graph in a node's attribute in a graph ...
        for number in (6, 5, 1):
            size = len(deep)
            length = bytes([size & 127 | 128, size >> 7 & 127 | 128, size >> 14])
            deep = bytes([number << 3 | 2]) + length + deep
    with pytest.raises(ScorerError, match="graphs in graphs"):
        check_model(bytes([7 << 3 | 2, len(deep) & 127 | 128, len(deep) >> 7]) + deep)


def test_a_scorer_from_a_stranger_cannot_read_files(toy_scorer: Path) -> None:
    from facegauge.scorer import Scorer
    from toys import toy_card

    data = in_initializer().SerializeToString()
    (toy_scorer / "model.onnx").write_bytes(data)
    (toy_scorer / "card.toml").write_text(zoo.card_to_toml(toy_card(data)), encoding="utf-8")
    with pytest.raises(ScorerError, match="takes weights from another file"):
        _ = Scorer(toy_scorer, faces="whole").spec
