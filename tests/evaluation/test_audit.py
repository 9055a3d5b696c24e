"""Audits: figures by hand, honest intervals, gaps that are there and gaps that are explained."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from facegauge.data.groups import Grouping, groupings
from facegauge.errors import UsageError
from facegauge.evaluation.audit import adjusted, audit
from facegauge.evaluation.counterfactual import Drops


def two_by_two(each: int) -> list[Grouping]:
    """Sex and age, each crossing equally often."""
    cells = {"sex": ("f", "f", "m", "m") * each, "age": ("old", "young") * 2 * each}
    return groupings(cells.__getitem__, ["sex,age"])


def test_figures_by_hand() -> None:
    scores = np.array([0.1, 0.2, 0.3, 0.6, 0.5, 0.6, 0.7, 0.8])
    labels = scores - np.array([0, 0, 0, 0, 0.1, 0.1, 0.1, 0.1])
    sex = Grouping("sex", ("f", "f", "f", "f", "m", "m", "m", "m"))
    found = audit(scores, [sex], labels=labels, accept=0.6)
    women, men = found.groups
    assert (found.n, found.mean, found.level) == (8, pytest.approx(0.475), 1 - 0.05 / 2)
    assert (women.name, women.n, women.few) == ("f", 4, True)
    assert women.mean.value == pytest.approx(0.3)
    assert women.spread == pytest.approx(math.sqrt((0.04 + 0.01 + 0 + 0.09) / 3))
    assert women.gap.value == pytest.approx(-0.35) and men.gap.value == pytest.approx(0.35)
    assert women.accepted and men.accepted and men.residual and women.residual and men.srcc
    assert (women.accepted.value, men.accepted.value) == (0.25, 0.75)  # 0.6 itself is accepted
    assert (women.residual.value, men.residual.value) == pytest.approx((0, 0.1))
    assert men.srcc.value == pytest.approx(1)
    (ratio,) = found.ratios
    assert (ratio.least, ratio.greatest, ratio.ratio.value) == ("f", "m", pytest.approx(1 / 3))
    json.dumps(found.to_dict(), allow_nan=False)


def test_the_interval_of_a_mean_is_that_of_theory_at_the_corrected_level() -> None:
    rng = np.random.default_rng(0)
    found = audit(rng.normal(0.5, 0.1, 400), two_by_two(100))
    assert len(found.groups) == 8 and found.level == 1 - 0.05 / 8
    for one in found.groups:
        z = 2.7344  # of 1 - 0.05 / 8, two-sided
        half = z * one.spread / math.sqrt(one.n)
        assert (one.mean.high - one.mean.low) / 2 == pytest.approx(half, rel=0.15)
        assert one.mean.low < one.mean.value < one.mean.high


def test_small_groups_have_wide_intervals_or_none() -> None:
    rng = np.random.default_rng(1)
    few, many = rng.normal(0.5, 0.05, 3), rng.normal(0.5, 0.05, 97)
    scores = np.concatenate([few, many])
    found = audit(scores, [Grouping("g", ("few",) * 3 + ("many",) * 97)], labels=scores, accept=0.5)
    small, large = found.groups
    half = 6.2053 * few.std(ddof=1) / math.sqrt(3)  # t of 2 degrees of freedom at 97.5 %
    assert small.mean.high - small.mean.value == pytest.approx(half, rel=1e-3)
    assert small.gap.high - small.gap.value > 0.6 * half
    assert small.accepted is not None and small.accepted.high - small.accepted.low > 0.4
    assert small.srcc is not None and large.srcc is not None
    assert math.isnan(small.srcc.low) and not math.isnan(large.srcc.low)
    assert math.isnan(found.ratios[0].ratio.low)


def test_all_intervals_together_hold_when_there_is_no_gap() -> None:
    missed = 0
    for seed in range(60):
        scores = np.random.default_rng(seed).normal(0.5, 0.1, 240)
        groups = audit(scores, two_by_two(60), seed=seed).groups
        missed += any(one.gap.low > 0 or one.gap.high < 0 for one in groups)
    assert missed <= 7  # 3 are expected; at 95 % each, about 14 would be


def test_a_gap_is_found_and_belongs_to_its_crossing() -> None:
    rng = np.random.default_rng(1)
    wanted = two_by_two(50)
    rows = np.array([name == "f, old" for name in wanted[2].names])
    found = audit(rng.normal(0.5, 0.05, 200) - 0.2 * rows, wanted)
    gaps = {one.name: one.gap for one in found.groups}
    assert gaps["f, old"].value == pytest.approx(-0.2, abs=0.03) and gaps["f, old"].high < -0.1
    assert gaps["f"].value == pytest.approx(-0.1, abs=0.03)


def test_what_a_factor_explains_is_no_gap_among_alike() -> None:
    rng = np.random.default_rng(2)
    men = np.arange(400) % 2 == 0
    blur = rng.normal(0, 1, 400) + men  # pictures of men are blurred more
    scores = 0.6 - 0.1 * blur + rng.normal(0, 0.01, 400) - 0.05 * men
    sex = [Grouping("sex", tuple("m" if man else "f" for man in men))]
    blur[7] = np.nan
    found = audit(scores, sex, alike={"blur": blur}).groups[1]
    assert found.name == "m" and found.gap.value == pytest.approx(-0.15, abs=0.03)
    assert found.alike and found.alike.value == pytest.approx(-0.05, abs=0.005)
    assert found.alike.n == 199  # the fewer of both sides: picture 7, a woman, is left out
    assert np.isnan(adjusted(scores, [blur], men.astype(np.intp))[7])


def test_drops_by_group() -> None:
    sex = [Grouping("sex", ("f", "m") * 40)]
    falls = np.tile([[0.1, 0.2, 0.3], [0.2, 0.3, 0.4]], (40, 1)).astype(float)
    found = audit(np.full(80, 0.5), sex, drops=Drops({"noise": falls, "dark": falls * 0}))
    women, men = (one for one in found.drops if one.kind == "noise" for _ in [0])
    assert women.drop.value == pytest.approx(0.2) and men.gap.value == pytest.approx(0.1)
    assert found.drop_level == 1 - 0.05 / 4
    assert all(one.drop.value == 0 for one in found.drops if one.kind == "dark")


def test_small_groups_and_shares_of_nothing() -> None:
    sex = [Grouping("sex", ("f", *("m",) * 9))]
    found = audit(np.linspace(0, 0.5, 10), sex, accept=0.9)
    assert math.isnan(found.groups[0].mean.low) and math.isnan(found.groups[0].spread)
    assert math.isnan(found.ratios[0].ratio.value)
    json.dumps(found.to_dict(), allow_nan=False)


@pytest.mark.parametrize(
    ("wanted", "message"),
    [([], "at least one column"), ([Grouping("sex", ("f", "f"))], "sex has one group, f; expect")],
)
def test_one_group_is_refused(wanted: list[Grouping], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        audit(np.array([0.1, 0.2]), wanted)
