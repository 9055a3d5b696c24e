"""What a scorer costs, and the challenge's budget."""

from __future__ import annotations

import pytest

from facegauge.evaluation.profile import Profile, median_ms, profile_scorer


@pytest.mark.parametrize(
    ("parameters", "gflops", "fits"),
    [(5_000_000, 0.5, True), (5_000_001, 0.4, False), (1, 0.501, False)],
)
def test_the_challenge_budget(parameters, gflops, fits):
    assert Profile(parameters, gflops, 1.0, 224, 224).fits_challenge is fits


def test_a_scorers_counts_are_its_cards_and_its_time_is_measured():
    found = profile_scorer("mobile", runs=1)
    assert found.parameters > 1_000_000 and 0 < found.gflops < 0.5 and found.fits_challenge
    assert found.latency_ms > 0


def test_the_first_two_calls_are_not_timed():
    calls = []
    assert median_ms(lambda: calls.append(1), 3) < 100
    assert len(calls) == 5
