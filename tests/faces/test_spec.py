"""The spec as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest

from facegauge.errors import UsageError
from facegauge.faces.spec import PreprocessSpec


def test_spec_survives_json() -> None:
    spec = PreprocessSpec(width=96, antialias=True, mean=(0.1, 0.2, 0.3), center_x=1 / 3)
    assert PreprocessSpec.from_json(spec.to_json()) == spec
    assert PreprocessSpec.from_json("{}") == PreprocessSpec()
    assert PreprocessSpec(mean=[0.5, 0.5, 0.5]).mean == (0.5, 0.5, 0.5)  # type: ignore[arg-type]


def test_a_later_field_is_left_out_at_its_default() -> None:
    """So that old networks keep their fingerprints, which cover this text."""
    fields = json.loads(PreprocessSpec().to_json())
    assert fields.keys() == asdict(PreprocessSpec()).keys() - {
        *("interpolation", "aspect", "crop_mode", "crop_pct", "dense_landmarks")
    }
    linear = PreprocessSpec(interpolation="bilinear")
    assert json.loads(linear.to_json())["interpolation"] == "bilinear"
    assert PreprocessSpec.from_json(linear.to_json()) == linear
    old = json.dumps({**fields, "width": 178, "height": 218})  # as facegauge 0.2 writes it
    assert PreprocessSpec.from_json(old) == PreprocessSpec(width=178, height=218)
    assert PreprocessSpec.from_json(old).interpolation == "bicubic"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("width", value) for value in (0, -5, 4097, 10**30, 24.0, "24", True, None)),
        *(("height", value) for value in (0, float("nan"), [24])),
        *(("face_width", value) for value in (0, 1e-9, 1.5, float("inf"), float("nan"), "0.5")),
        *(("center_x", value) for value in (-0.1, 1.1, float("nan"))),
        *(("framed_tolerance", value) for value in (-1, 2, float("nan"))),
        *(("crops", value) for value in (0, 101, 1.5, float("nan"))),
        *(("aspect", value) for value in (-1, 11, float("nan"), "1")),
        *(("crop_mode", value) for value in ("center", 1, None)),
        *(("crop_pct", value) for value in (0, 1.5, float("nan"))),
        *(("antialias", value) for value in (1, "yes", None)),
        *(("mean", value) for value in ((0.5, 0.5), 0.5, "abc", (0, 0, float("inf")), (0, 0, ""))),
        *(("std", value) for value in ((0, 1, 1), (-1, 1, 1), (1, 1, float("nan")), [1e-9] * 3)),
    ],
)
def test_values_that_cannot_be_are_refused(field: str, value: object) -> None:
    with pytest.raises(UsageError, match=f"expected {field} to be") as caught:
        PreprocessSpec(**{field: value})  # type: ignore[arg-type]
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 200
