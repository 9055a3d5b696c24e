"""Factors: which are accepted, how their values are converted, and what a failing one leaves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from facegauge.errors import ScorerError, UsageError
from facegauge.faces.spec import PreprocessSpec
from facegauge.factors import FACTORS, Factor, measure_face, resolve, schema_with
from facegauge.results import COLUMNS, Box, Face
from facegauge.schema import Column

SPEC = PreprocessSpec()
PIXELS = np.zeros((40, 30, 3), np.uint8)
FRAME = Box(0, 0, 30, 40)


class Toy:
    """A factor whose columns and values are given."""

    def __init__(self, name: str = "toy", values: Any = None, **columns: str) -> None:
        self.name = name
        self.values = values
        self.columns = tuple(Column(key, kind, "A toy.") for key, kind in columns.items())

    def measure(self, pixels: Any, face: Face | None, frame: Box) -> Mapping[str, Any]:
        if isinstance(self.values, Exception):
            raise self.values
        return self.values


def test_names_and_objects_become_factors_in_order() -> None:
    toy = Toy(a="int")
    first, second = resolve(["resolution", toy], SPEC)
    assert first.name == "resolution" and second is toy
    assert resolve("resolution", SPEC)[0].columns == first.columns
    assert resolve([], SPEC) == ()
    schema = schema_with([first, second])
    assert schema.names == (*COLUMNS.names, *(column.name for column in first.columns), "a")


@pytest.mark.parametrize("name", FACTORS)
def test_every_shipped_factor_is_one_with_its_name_and_documented_columns(name: str) -> None:
    (factor,) = resolve([name], SPEC)
    assert isinstance(factor, Factor) and factor.name == name
    assert all(column.doc.endswith(".") for column in factor.columns)


class NoMeasure:
    name = "half"
    columns = (Column("a", "int", "A toy."),)


@pytest.mark.parametrize(
    ("factors", "message"),
    [
        (["resolutoin"], r"no factor 'resolutoin'; did you mean resolution\?"),
        (["zzz"], "no factor 'zzz'; there are: .*resolution"),
        ([NoMeasure()], "name, columns and measure, got <.*NoMeasure"),
        ([Toy], "name, columns and measure, got <class"),
        ([3], "name, columns and measure, got 3"),
        ([Toy()], "the factor toy has no columns"),
        ([Toy(score="float")], "factor toy has a column score, as has every score table; rename"),
        (["resolution", Toy(upscale="int")], "column upscale, as has the factor resolution"),
        ([Toy("a", x="int"), Toy("a", y="int")], "two factors are named a"),
        (["resolution", "resolution"], "two factors are named resolution"),
    ],
)
def test_what_is_no_factor_or_collides_is_refused_in_one_line(factors: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message) as info:
        resolve(factors, SPEC)
    assert "\n" not in str(info.value)


def test_columns_that_are_no_columns_are_refused() -> None:
    toy = Toy(a="int")
    toy.columns = ("a",)  # type: ignore[assignment]
    with pytest.raises(UsageError, match="toy: expected columns of Column, got 'a'"):
        resolve([toy], SPEC)


@pytest.mark.parametrize("name", ["", "A", "2b", "a b", "a-b", "a,b", "ä", "a\n"])
def test_columns_have_plain_names(name: str) -> None:
    with pytest.raises(UsageError, match="factor toy: expected a column's name in lower-case"):
        resolve([Toy(**{name: "int"})], SPEC)


def test_values_are_converted_to_the_columns_types() -> None:
    toy = Toy(a="int", b="float", c="str", d="float", e="int")
    toy.values = {"a": np.float32(3), "b": np.float32(0.5), "c": "x", "d": float("nan")}
    values, message = measure_face([toy], PIXELS, None, FRAME)
    assert (values, message) == ({"a": 3, "b": 0.5, "c": "x", "d": None, "e": None}, "")
    assert [type(values[key]) for key in "abc"] == [int, float, str]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (ZeroDivisionError("no\nluck"), "factor toy failed: ZeroDivisionError: no luck"),
        ({"a": 1.5}, "factor toy failed: ValueError: expected a whole number or None for a"),
        ({"a": "x"}, "factor toy failed: ValueError"),
        ({"b": 3}, "factor toy failed: TypeError: expected text or None for b, got 3"),
        ({"z": 1, "a": 1}, "factor toy failed: ValueError: measured z, which is none"),
        (None, "factor toy failed: TypeError"),
    ],
)
def test_a_factor_that_fails_leaves_none_and_a_message(values: Any, message: str) -> None:
    toy = Toy(values=values, a="int", b="str")
    measured, said = measure_face([toy, Toy("other", {"c": 2}, c="int")], PIXELS, None, FRAME)
    assert measured == {"a": None, "b": None, "c": 2}
    assert said.startswith(message) and "\n" not in said


def test_two_failing_factors_have_one_line() -> None:
    toys = [Toy(name, RuntimeError("no"), **{name: "int"}) for name in ("a", "b")]
    _, said = measure_face(toys, PIXELS, None, FRAME)
    assert said == "factor a failed: RuntimeError: no; factor b failed: RuntimeError: no"


def test_a_factor_whose_own_model_is_damaged_ends_the_run() -> None:
    with pytest.raises(ScorerError, match="damaged"):
        measure_face([Toy(values=ScorerError("damaged"), a="int")], PIXELS, None, FRAME)


def test_a_factor_cannot_change_the_pixels() -> None:
    class Vandal(Toy):
        def measure(self, pixels: Any, face: Face | None, frame: Box) -> Mapping[str, Any]:
            pixels[:] = 255
            return {"a": 1}

    pixels = PIXELS.copy()
    values, message = measure_face([Vandal(a="int")], pixels, None, FRAME)
    assert values == {"a": None} and "read-only" in message
    assert pixels.max() == 0 and pixels.flags.writeable
