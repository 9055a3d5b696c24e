"""The spec as JSON."""

from __future__ import annotations

from facegauge.faces.spec import PreprocessSpec


def test_spec_survives_json() -> None:
    spec = PreprocessSpec(width=96, antialias=True, mean=(0.1, 0.2, 0.3), center_x=1 / 3)
    assert PreprocessSpec.from_json(spec.to_json()) == spec
    assert PreprocessSpec.from_json("{}") == PreprocessSpec()
    assert PreprocessSpec(mean=[0.5, 0.5, 0.5]).mean == (0.5, 0.5, 0.5)  # type: ignore[arg-type]
