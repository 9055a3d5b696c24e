"""The example pictures are what `examples/make.py` makes, and a face is found in each."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from facegauge.faces.detection import CenterFace
from facegauge.images.loading import open_picture

EXAMPLES = Path(__file__).parents[2] / "examples"
PICTURES = sorted(EXAMPLES.glob("*.jpg"))

pytestmark = pytest.mark.skipif(not PICTURES, reason="no examples in this tree")


def test_the_copies_are_what_the_script_makes() -> None:
    spec = importlib.util.spec_from_file_location("make", EXAMPLES / "make.py")
    assert spec and spec.loader
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    assert {make.ORIGINAL.name, *make.COPIES} == {path.name for path in PICTURES}
    original = open_picture(make.ORIGINAL)
    for name, kind in make.COPIES.items():
        stored, made = open_picture(EXAMPLES / name), make.degraded(original, kind)
        away, change = (np.abs(other.astype(float) - made).mean() for other in (stored, original))
        assert away < 0.4 * change, f"{name} is {away:.2f} grey levels off"  # a little, by JPEG


@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.name)
def test_one_face_is_found(picture: Path) -> None:
    (face,) = CenterFace()(open_picture(picture))
    box = face.box
    assert (box.left, box.top, box.right, box.bottom) == pytest.approx((184, 65, 269, 175), abs=6)


def test_they_stay_small() -> None:
    assert sum(path.stat().st_size for path in PICTURES) < 1_000_000
