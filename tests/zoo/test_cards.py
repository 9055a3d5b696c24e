"""Cards: the round trip through TOML, and the errors of wrong ones."""

from __future__ import annotations

import dataclasses
import tomllib
from pathlib import Path

import numpy as np
import pytest

from facegauge import zoo
from facegauge.calibration import Offsets
from facegauge.errors import ScorerError
from toys import toy_card


def test_a_card_survives_the_round_trip() -> None:
    card = dataclasses.replace(
        toy_card(b""),
        summary='Quotes " and \\ and\nnew lines, tabs\t, DEL \x7f, ä and 鏡 and \U0001f600.',
        cost=zoo.Cost(2, 1e-07, "178x218"),
        val=zoo.Validation(
            7,
            "challenge label",
            {
                name: zoo.Figure(np.float64(0.1), np.float32(0.5), 1)
                for name in ("srcc", "plcc", "plcc_fitted")
            },
        ),
    )
    text = zoo.card_to_toml(card)
    assert zoo.card_from_toml(text) == card
    assert tomllib.loads(text)["val"]["srcc"] == {"value": 0.1, "low": 0.5, "high": 1.0}


def test_cards_of_0_1_have_no_version() -> None:
    card = dataclasses.replace(toy_card(b""), version="1.0", same_as=("ab" * 32, "cd" * 32))
    text = zoo.card_to_toml(card)
    assert zoo.card_from_toml(text) == card
    lines = [line for line in text.splitlines() if not line.startswith(("version", "same_as"))]
    assert len(lines) == len(text.splitlines()) - 2
    old = zoo.card_from_toml("\n".join(lines))
    assert (old.version, old.same_as) == ("", ())


def test_the_steps_of_an_older_card_stay_steps(toy_scorer: Path) -> None:
    file = toy_scorer / "card.toml"
    file.write_text(file.read_text().replace("knots = [0.4, 0.6]", "edges = [0.5]"))
    calibration = zoo.load_card(toy_scorer).calibration
    for score, expected in ((0.1, (0.0, 0.25)), (0.4999, (0.3999, 0.6499)), (0.5, (0.3, 0.55))):
        assert calibration.interval(score) == pytest.approx(expected)


def test_figures_on_photos_and_a_second_interval_come_back() -> None:
    card = toy_card(b"")
    calibration = dataclasses.replace(card.calibration, whole=Offsets((0.5,), (0.1,), (0.2,)))
    card = dataclasses.replace(card, photos=card.val, calibration=calibration)
    assert zoo.card_from_toml(zoo.card_to_toml(card)) == card


def test_text_that_is_no_unicode_still_makes_a_card() -> None:
    card = dataclasses.replace(toy_card(b""), data=zoo.Data("x", "train \udcff.csv", "x"))
    zoo.card_to_toml(card).encode("utf-8")
    assert zoo.card_from_toml(zoo.card_to_toml(card)).data.command == "train ?.csv"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('name = "toy"\n', "", r"card.toml: expected text at name, got nothing"),
        ('name = "toy"', "name = 7", r"expected text at name, got 7"),
        ("gflops = 0.0", "gflops = true", r"expected a number at cost.gflops, got True"),
        ("[cost]", "[price]", r"expected a table at cost, got nothing"),
        ("n = 10\n", 'n = "10"\n', r"expected a whole number at val.n, got '10'"),
        ("value = 0.9,", "", r"expected a number at val.srcc.value, got nothing"),
        ("srcc = {", "krcc = {", r"expected a table at val.srcc, got nothing"),
        ("knots = [0.4, 0.6]", 'knots = ["x"]', r"a list of numbers at calibration.interval.knots"),
        ("knots = [0.4, 0.6]", "knots = []", r"at calibration: expected one or more ascending"),
        ("knots = [0.4, 0.6]", "edges = []", r"at calibration: expected 1 lower and upper off"),
        ("sha256 = ", "sha256 = 'abc' # ", r"expected 64 hex digits at sha256, got 'abc'"),
        ("sha256 = ", "version = 1.0\nsha256 = ", r"expected text at version, got 1.0"),
        ("sha256 = ", "same_as = 'x'\nsha256 = ", r"a list of texts at same_as, got 'x'"),
        (
            "sha256 = ",
            "same_as = [1]\nsha256 = ",
            r"a list of texts at same_as, got \[1\]",
        ),
        ("sha256 = ", "same_as = ['abc']\nsha256 = ", r"64 hex digits at same_as, got 'abc'"),
        ("[cost]", "[cost", r"not valid TOML"),
    ],
)
def test_a_wrong_card_names_file_key_and_expectation(
    toy_scorer: Path, old: str, new: str, expected: str
) -> None:
    file = toy_scorer / "card.toml"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))
    with pytest.raises(ScorerError, match=expected):
        zoo.load_card(toy_scorer)
