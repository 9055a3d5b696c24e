"""Groups by columns, crossings and ranges."""

from __future__ import annotations

from collections import Counter

import numpy as np

from facegauge.data.groups import groupings, ranges

CELLS = {"sex": ("f", "m", "f", ""), "age": ("old", "old", "young", "old")}


def test_columns_with_commas_are_crossed_and_repeated_ones_are_not() -> None:
    crossed = groupings(CELLS.__getitem__, ["sex,age"])
    assert [one.by for one in crossed] == ["sex", "age", "sex, age"]
    assert crossed[2].names == ("f, old", "m, old", "f, young", "(empty), old")
    assert [one.by for one in groupings(CELLS.__getitem__, ["sex", "age", "sex"])] == ["sex", "age"]
    assert crossed[0].take([True, False, True, False]).names == ("f", "f")


def test_ranges_are_of_equal_size_and_in_order() -> None:
    values = np.random.default_rng(0).permutation(100) / 100
    found = ranges("label", values)
    assert found.ordered and set(Counter(found.names).values()) == {20}
    assert sorted(set(found.names))[0] == "0.000 to 0.198"
    lowest = [value for value, name in zip(values, found.names, strict=True) if name[:3] == "0.0"]
    assert max(lowest) == 0.19


def test_tied_values_give_fewer_ranges() -> None:
    assert set(ranges("label", [0.5] * 9 + [0.9]).names) == {"0.500 to 0.900"}
    assert len(set(ranges("label", [0.5, 0.5, 0.5, 0.7, 0.9]).names)) == 3
    assert ranges("label", []).names == ()
