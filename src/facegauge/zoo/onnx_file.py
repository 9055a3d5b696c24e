"""Checks an ONNX file before onnxruntime opens it, without the package onnx.

A scorer folder may come from a stranger. Tensors may be stored in other files, by path, and nodes
may be of operators outside the ONNX standard; neither is needed by a scorer.
"""

from __future__ import annotations

from collections.abc import Iterator

from facegauge.errors import ScorerError

STANDARD = frozenset({"", "ai.onnx"})
MAX_DEPTH = 20  # of graphs in graphs

# numbers of fields in onnx.proto3
MODEL_GRAPH, MODEL_FUNCTIONS = 7, 25
GRAPH_NODE, GRAPH_INITIALIZER, GRAPH_SPARSE = 1, 5, 15
SPARSE_VALUES, SPARSE_INDICES = 1, 2
FUNCTION_NODE, FUNCTION_DOMAIN = 7, 10
NODE_TYPE, NODE_ATTRIBUTE, NODE_DOMAIN = 4, 5, 7
ATTRIBUTE_TENSORS, ATTRIBUTE_GRAPHS, ATTRIBUTE_SPARSE = (5, 10), (6, 11), (22, 23)
TENSOR_EXTERNAL, TENSOR_LOCATION = 13, 14

Field = tuple[int, int | memoryview]


def check_model(data: bytes) -> None:
    """Check that a model has its weights inside and only standard operators.

    Args:
        data: the bytes of an ONNX file.

    Raises:
        ScorerError: it refers to another file or to an operator that is not of ONNX, or is damaged.
    """
    try:
        model = list(_fields(memoryview(data)))
        functions = [_message(value) for number, value in model if number == MODEL_FUNCTIONS]
        domains = STANDARD | {
            bytes(_message(value)).decode()
            for function in functions
            for number, value in _fields(function)
            if number == FUNCTION_DOMAIN
        }
        for function in functions:
            for number, value in _fields(function):
                if number == FUNCTION_NODE:
                    _check_node(_message(value), domains, 0)
        for number, value in model:
            if number == MODEL_GRAPH:
                _check_graph(_message(value), domains, 0)
    except (ValueError, IndexError) as error:
        raise ScorerError("the file is not an ONNX model, or is damaged") from error


def _check_graph(graph: memoryview, domains: frozenset[str], depth: int) -> None:
    if depth > MAX_DEPTH:
        raise ScorerError(f"the model has graphs in graphs, more than {MAX_DEPTH} deep")
    for number, value in _fields(graph):
        if number == GRAPH_NODE:
            _check_node(_message(value), domains, depth)
        elif number == GRAPH_INITIALIZER:
            _check_tensor(_message(value))
        elif number == GRAPH_SPARSE:
            _check_sparse(_message(value))


def _check_node(node: memoryview, domains: frozenset[str], depth: int) -> None:
    fields = list(_fields(node))
    texts = {n: bytes(_message(v)).decode() for n, v in fields if n in (NODE_TYPE, NODE_DOMAIN)}
    domain = texts.get(NODE_DOMAIN, "")
    if domain not in domains:
        raise ScorerError(
            f"the model has the operator {domain}.{texts.get(NODE_TYPE, '')}, which is not of the "
            "ONNX standard"
        )
    for number, value in fields:
        if number != NODE_ATTRIBUTE:
            continue
        for inner, part in _fields(_message(value)):
            if inner in ATTRIBUTE_TENSORS:
                _check_tensor(_message(part))
            elif inner in ATTRIBUTE_GRAPHS:
                _check_graph(_message(part), domains, depth + 1)
            elif inner in ATTRIBUTE_SPARSE:
                _check_sparse(_message(part))


def _check_sparse(sparse: memoryview) -> None:
    for number, value in _fields(sparse):
        if number in (SPARSE_VALUES, SPARSE_INDICES):
            _check_tensor(_message(value))


def _check_tensor(tensor: memoryview) -> None:
    for number, value in _fields(tensor):
        if number == TENSOR_EXTERNAL or (number == TENSOR_LOCATION and value != 0):
            raise ScorerError("the model takes weights from another file; export it as one file")


def _message(value: int | memoryview) -> memoryview:
    if isinstance(value, int):
        raise ValueError("expected a message, got a number")
    return value


def _fields(message: memoryview) -> Iterator[Field]:
    """The fields of a protobuf message, in their order: numbers and values."""
    place = 0
    while place < len(message):
        key, place = _varint(message, place)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, place = _varint(message, place)
            yield number, value
            continue
        if wire == 2:
            size, place = _varint(message, place)
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
        else:
            raise ValueError(f"unknown wire type {wire}")
        if place + size > len(message):
            raise ValueError("a field reaches beyond its message")
        if wire == 2:
            yield number, message[place : place + size]
        place += size


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte = message[place]
        place += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, place
    raise ValueError("a number is too long")
