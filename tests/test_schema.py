"""Columns and schemas: what they refuse, looking up, adding; values that cannot be changed."""

from __future__ import annotations

import pickle

import pytest

from facegauge.errors import UsageError
from facegauge.schema import Column, FrozenValues, Schema

A, B = Column("a", "str", "A text."), Column("b_2", "float", "A number.")


def test_a_column_has_one_of_three_types() -> None:
    with pytest.raises(UsageError, match="type of the column a to be one of str, int, float, got"):
        Column("a", "bool", "")  # type: ignore[arg-type]


def test_a_schema_is_columns_in_order_with_lookup() -> None:
    schema = Schema([A, B])
    assert list(schema) == [A, B] and schema.names == ("a", "b_2") and len(schema) == 2
    assert schema["b_2"] is B and "a" in schema and "c" not in schema
    assert schema == Schema((A, B)) != Schema([B, A]) and hash(schema) == hash(Schema([A, B]))
    assert pickle.loads(pickle.dumps(schema)) == schema


def test_adding_columns_makes_a_new_schema_and_refuses_doubles() -> None:
    schema = Schema([A])
    assert (schema + iter([B])).names == ("a", "b_2") and schema.names == ("a",)
    assert schema + Schema([B]) == Schema([A, B])
    with pytest.raises(UsageError, match=r"more than one column is named a$"):
        schema + Schema([B, A])


def test_frozen_values_are_a_mapping_that_stays_as_it_is() -> None:
    given = {"a": "x", "b": 0.5, "c": None}
    values = FrozenValues(given)
    given["a"] = "y"
    assert values == {"a": "x", "b": 0.5, "c": None} and list(values) == ["a", "b", "c"]
    assert pickle.loads(pickle.dumps(values)) == values
    assert hash(values) == hash(FrozenValues({"c": None, "b": 0.5, "a": "x"}))
    with pytest.raises(TypeError):
        values["a"] = "z"  # type: ignore[index]
