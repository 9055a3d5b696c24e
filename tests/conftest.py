"""Fixtures made in code: a toy scorer whose score is known, and plain pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from facegauge.preprocess import PreprocessSpec
from facegauge.zoo import card_to_toml
from toys import TOY_SPEC, toy_card, toy_model


@pytest.fixture
def make_scorer(tmp_path: Path) -> Callable[..., Path]:
    """Writes a scorer folder: make_scorer(name="toy-scorer", scale=1.0, spec=TOY_SPEC)."""

    def make(name: str = "toy-scorer", scale: float = 1.0, spec: PreprocessSpec = TOY_SPEC) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        model = toy_model(scale, spec)
        (folder / "model.onnx").write_bytes(model)
        (folder / "card.toml").write_text(card_to_toml(toy_card(model)), encoding="utf-8")
        return folder

    return make


@pytest.fixture
def toy_scorer(make_scorer: Callable[..., Path]) -> Path:
    """A scorer folder; its score is the mean of the pixels, 0..1."""
    return make_scorer()


@pytest.fixture
def grey(tmp_path: Path) -> Callable[..., Path]:
    """Writes an even grey picture: grey("a.png", 51) has the toy score 0.2."""

    def write(name: str, level: int, size: tuple[int, int] = (48, 64)) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size, (level,) * 3).save(path)
        return path

    return write
