"""A scorer's network on onnxruntime."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from facegauge import zoo
from facegauge.errors import ScorerError
from facegauge.zoo.onnx_model import Model
from toys import TOY_SPEC, toy_card, toy_model


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
    with pytest.raises(ScorerError, match="not an ONNX model, or is damaged"):
        _ = _replace_model(folder, b"no model").spec
    model = toy_model()
    with pytest.raises(ScorerError, match="onnxruntime cannot open"):
        _ = _replace_model(folder, model.replace(b"ReduceMean", b"RebuceMean")).spec
    with pytest.raises(ScorerError, match=r"expected a model with the input 'image'"):
        _ = _replace_model(folder, model.replace(b"image", b"imago")).spec
    with pytest.raises(ScorerError, match=r"has no facegauge\.spec"):
        _ = _replace_model(folder, model.replace(b"facegauge.spec", b"facegauge.spek")).spec
    with pytest.raises(ScorerError, match=r"facegauge\.spec cannot be read"):
        _ = _replace_model(folder, model.replace(b'"width"', b'"witdh"')).spec


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"width": 24', '"width":  0', "expected width to be a whole number from 1 to 4096"),
        ('"width": 24', '"width":1e9', "expected width to be a whole number"),
        ('"crops": 1', '"crops": 0', "expected crops"),
        ("[1.0, 1.0, 1.0]", "[1.0, 0.0, 1.0]", "expected std to be three numbers"),
        ("[0.0, 0.0, 0.0]", "[0.0, NaN, 0.0]", "expected mean to be three numbers"),
        ("[0.0, 0.0, 0.0]", "[0.0,0.0   ,[]]", "expected mean to be three numbers"),
        ('"antialias": false', '"antialias": 12345', "expected antialias to be true or false"),
    ],
)
def test_a_spec_out_of_its_ranges_is_refused_in_one_line(
    make_scorer: Callable[..., Path], old: str, new: str, message: str
) -> None:
    model = toy_model()
    assert model.count(old.encode()) == 1 and len(old) == len(new)
    with pytest.raises(ScorerError, match=message) as caught:
        _ = _replace_model(make_scorer(), model.replace(old.encode(), new.encode())).spec
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300


def test_a_card_and_a_model_that_are_too_large_are_not_read(
    make_scorer: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_scorer()
    with (folder / "model.onnx").open("r+b") as file:
        file.truncate(2_000_000_000)  # sparse
    with pytest.raises(ScorerError, match="larger than 1 GB"):
        _ = Model(folder).spec
    with (folder / "card.toml").open("r+b") as file:
        file.truncate(2_000_000)
    with pytest.raises(ScorerError, match="no card is"):
        _ = Model(folder).spec
