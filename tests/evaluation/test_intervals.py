"""Bootstrap intervals: coverage, repeatability, paired differences."""

from __future__ import annotations

import numpy as np
import pytest

from facegauge.evaluation.intervals import (
    bootstrap,
    difference_interval,
    mean_interval,
    mean_of,
    paired_bootstrap,
    share_interval,
    share_of,
    t_quantile,
)
from facegauge.evaluation.metrics import plcc, srcc
from facegauge.evaluation.strata import draws_interval


def test_bootstrap_of_a_mean_matches_theory_and_repeats():
    x = np.random.default_rng(0).normal(size=400)
    interval = bootstrap(lambda v: float(v.mean()), x, level=0.95)
    assert interval.n == 400
    assert interval.value == pytest.approx(x.mean())
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * x.std() / 20, rel=0.1)
    assert interval == bootstrap(lambda v: float(v.mean()), x, level=0.95)
    narrow = bootstrap(lambda v: float(v.mean()), x, level=0.5)
    assert interval.low < narrow.low < narrow.high < interval.high


def test_one_or_two_rows_have_no_interval():
    for n in (1, 2):
        interval = bootstrap(lambda v: float(v.mean()), np.arange(n))
        assert interval.value == (n - 1) / 2 and np.isnan([interval.low, interval.high]).all()
        assert str(interval).endswith(f"[too few rows: {n}]")
        assert interval.to_dict() == {"value": interval.value, "low": None, "high": None}
    assert bootstrap(lambda v: float(v.mean()), np.arange(3)).high == 2


def test_an_interval_contains_its_estimate_though_all_resamples_lie_below():
    interval = bootstrap(lambda v: float(len(np.unique(v))), np.arange(20), resamples=50)
    assert interval.low < 19 and (interval.value, interval.high) == (20, 20)
    found = draws_interval(20.0, np.arange(10, 19.0), 20, 0.95)
    assert found.low < 11 and found.high == 20


def test_a_statistic_that_many_resamples_do_not_have_has_no_interval():
    labels = np.full(50, 0.5)
    labels[7] = 0.75  # 36 % of the resamples are without it
    found = bootstrap(srcc, np.linspace(0, 1, 50), labels, resamples=100)
    assert np.isfinite(found.value) and np.isnan([found.low, found.high]).all()
    draws = np.where(np.arange(100) < 10, np.nan, np.linspace(0, 1, 100))
    assert np.isnan(draws_interval(0.5, draws, 50, 0.95).low)
    assert draws_interval(0.5, draws[6:], 50, 0.95).low > 0


def test_shares_of_all_or_of_few_are_never_certain():
    for n in (4, 60):
        everyone = share_of(np.ones(n))
        assert everyone == share_interval(np.ones(n)) and everyone.low < everyone.high == 1
    some = np.arange(60) % 3 == 0
    assert share_of(some) == bootstrap(lambda v: float(v.mean()), some * 1.0)
    assert mean_of(np.arange(5)) == mean_interval(np.arange(5))
    assert mean_of(np.arange(60)) == bootstrap(lambda v: float(v.mean()), np.arange(60.0))


def test_bootstrap_covers_the_truth():
    rng = np.random.default_rng(2)
    hits = 0
    for _ in range(60):
        a = rng.normal(size=80)
        b = 0.6 * a + 0.8 * rng.normal(size=80)
        interval = bootstrap(plcc, a, b, resamples=200)
        hits += interval.low <= 0.6 <= interval.high
    assert hits >= 51  # 57 expected


def test_paired_difference_sees_what_separate_intervals_do_not():
    rng = np.random.default_rng(0)
    label = rng.uniform(0, 1, 300)
    a = np.clip(label + rng.normal(0, 0.10, 300), 0, 1)
    b = np.clip(a + np.random.default_rng(9).normal(0, 0.03, 300), 0, 1)
    difference = paired_bootstrap(srcc, a, b, label, resamples=300)
    assert difference.value == pytest.approx(srcc(a, label) - srcc(b, label))
    assert difference.low > 0
    own, other = (bootstrap(srcc, side, label, resamples=300) for side in (a, b))
    assert own.low < other.high
    same = paired_bootstrap(srcc, a, a, label, resamples=50)
    assert (same.value, same.low, same.high) == (0, 0, 0)


@pytest.mark.parametrize(
    ("n", "t"), [(3, 4.303), (5, 2.776), (10, 2.262), (30, 2.045), (1000, 1.962)]
)
def test_the_interval_of_a_mean_is_student_s(n, t):
    values = np.linspace(0, 1, n)
    found = mean_interval(values)
    half = t * values.std(ddof=1) / np.sqrt(n)
    assert found.value == pytest.approx(0.5)
    assert found.high - found.value == pytest.approx(half, rel=4e-4)
    assert found.value - found.low == pytest.approx(found.high - found.value)


def test_too_few_rows_have_a_mean_without_an_interval():
    assert mean_interval([0.25, 0.75]).value == 0.5 and np.isnan(mean_interval([0.25, 0.75]).low)
    assert np.isnan(mean_interval([]).value)
    assert np.isnan(mean_interval([0.5] * 5).low)  # equal rows tell nothing of the spread


@pytest.mark.parametrize(
    ("level", "free", "t"),
    [
        (0.95, 1, 12.706),
        (0.99, 2, 9.925),
        (0.998, 3, 10.215),
        (0.95, 1e6, 1.95997),
    ],
)
def test_quantiles_of_t(level, free, t):
    assert t_quantile(level, free) == pytest.approx(t, rel=3e-3)


def test_welch_and_wilson_by_hand():
    a, b = [0.1, 0.2, 0.3, 0.4], [0.5, 0.9, 0.7]
    found = difference_interval(a, b)
    # standard error 0.1323, 3.23 degrees of freedom (scipy.stats.ttest_ind)
    assert (found.value, found.n) == (pytest.approx(-0.45), 3)
    assert (found.low, found.high) == pytest.approx((-0.85423, -0.04577), abs=1e-5)
    share = share_interval([0, 0, 0, 1, 0])
    assert (share.low, share.high) == pytest.approx((0.0362, 0.6245), abs=1e-4)
    nothing = share_interval([0, 0, 0])
    assert nothing.low == 0 and nothing.high == pytest.approx(0.5615, abs=1e-3)
    assert np.isnan(difference_interval([1.0, 2.0], b).low)


def test_intervals_of_few_rows_hold_as_often_as_they_say():
    """Where those of resampled rows are far too narrow."""
    rng = np.random.default_rng(0)
    rows = [rng.normal(0, 1, 3) for _ in range(400)]
    held = np.mean([abs(one.value) <= one.high - one.value for one in map(mean_interval, rows)])
    resampled = [bootstrap(lambda x: float(x.mean()), one, resamples=200) for one in rows]
    assert held == pytest.approx(0.95, abs=0.03)
    assert np.mean([one.low <= 0 <= one.high for one in resampled]) < 0.85
