from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from facegauge import zoo
from facegauge.errors import ScorerError
from facegauge.zoo.onnx_model import Model
from toys import TOY_SPEC, toy_card, toy_model


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
        ("edges = [0.5]", 'edges = ["x"]', r"a list of numbers at calibration.interval.edges"),
        ("edges = [0.5]", "edges = []", r"at calibration: expected 1 lower and upper offsets"),
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


def test_a_folder_opens_by_path_and_a_wrong_name_lists_what_there_is(
    toy_scorer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert zoo.open_folder(toy_scorer) == toy_scorer
    assert zoo.open_folder(str(toy_scorer)) == toy_scorer
    monkeypatch.setattr(zoo, "_HERE", toy_scorer.parent)
    assert zoo.names() == ["toy-scorer"]
    assert zoo.open_folder("toy-scorer") == toy_scorer
    with pytest.raises(ScorerError, match=r"no scorer 'nope'.*\(toy-scorer\)"):
        zoo.open_folder("nope")
    (toy_scorer / "model.onnx").unlink()
    with pytest.raises(ScorerError, match=r"has no model\.onnx"):
        zoo.open_folder("toy-scorer")


def test_every_shipped_scorer_is_whole() -> None:
    for name in zoo.names():
        zoo.verify(zoo.open_folder(name))


def test_a_damaged_model_is_noticed(toy_scorer: Path) -> None:
    zoo.verify(toy_scorer)
    file = toy_scorer / "model.onnx"
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(ScorerError, match="damaged"):
        zoo.verify(toy_scorer)
    with pytest.raises(ScorerError, match="damaged"):
        _ = Model(toy_scorer).spec


def _replace_model(folder: Path, model: bytes) -> Model:
    (folder / "model.onnx").write_bytes(model)
    (folder / "card.toml").write_text(zoo.card_to_toml(toy_card(model)))
    return Model(folder)


def test_a_model_gives_its_spec_and_scores(toy_scorer: Path) -> None:
    model = Model(toy_scorer)
    assert model.spec == TOY_SPEC
    batch = np.stack([np.full((3, 32, 24), level, np.float32) for level in (0.25, 0.5, 1.0)])
    assert model(batch) == pytest.approx([0.25, 0.5, 1.0])
    with pytest.raises(ScorerError, match="2 x 3 x 5 x 5"):
        model(np.zeros((2, 3, 5, 5), np.float32))


def test_a_model_that_does_not_fit_is_refused(make_scorer: Callable[..., Path]) -> None:
    folder = make_scorer()
    with pytest.raises(ScorerError, match="onnxruntime cannot open"):
        _ = _replace_model(folder, b"no model").spec
    model = toy_model()
    with pytest.raises(ScorerError, match=r"expected a model with the input 'image'"):
        _ = _replace_model(folder, model.replace(b"image", b"imago")).spec
    with pytest.raises(ScorerError, match=r"has no facegauge\.spec"):
        _ = _replace_model(folder, model.replace(b"facegauge.spec", b"facegauge.spek")).spec
    with pytest.raises(ScorerError, match=r"facegauge\.spec cannot be read"):
        _ = _replace_model(folder, model.replace(b'"width"', b'"witdh"')).spec


def test_the_command_line_has_the_default_scorer() -> None:
    from inspect import signature

    from facegauge.cli.best import best
    from facegauge.cli.score import score

    for verb in (score, best):
        assert signature(verb).parameters["scorer"].default == zoo.DEFAULT
