"""Labels on other scales, mapped to 0..1."""

from __future__ import annotations

import pytest

from facegauge.data.label_scale import LabelScale
from facegauge.data.manifests import load_manifest
from facegauge.errors import UsageError


def test_the_ends_become_0_and_1(folder):
    file = folder / "list.csv"
    file.write_text("image,score\n000012.png,1\nb.png,4\nc.png,5\n")
    assert load_manifest(file, scale=LabelScale.parse("1,5")).scores.tolist() == [0, 0.75, 1]
    assert load_manifest(file, scale=LabelScale.parse("5,1")).scores.tolist() == [1, 0.25, 0]
    assert str(LabelScale(1, 5, "MOS")) == "MOS, 1 to 5 as 0 to 1"
    assert str(LabelScale(name="MOS")) == "MOS"


def test_labels_outside_the_scale_are_named_with_it(folder):
    file = folder / "list.csv"
    file.write_text("image,score\n000012.png,1\nb.png,6\n")
    with pytest.raises(UsageError, match=r"row 3: expected a score from 1 to 5, got '6'$"):
        load_manifest(file, scale=LabelScale(1, 5))
    with pytest.raises(
        UsageError, match=r"row 3: expected a score from 0 to 1, got '6'; .*--scale"
    ):
        load_manifest(file)


@pytest.mark.parametrize("text", ["1", "1,2,3", "low,high", "3,3", "0,inf", "nan,1"])
def test_what_is_no_scale_is_refused(text):
    with pytest.raises(UsageError, match="scale"):
        LabelScale.parse(text)
