"""`facegauge models`, as typed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from commands import run
from facegauge import zoo


def test_models(toy_scorer: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zoo, "_HERE", toy_scorer.parent)
    card = replace(zoo.load_card(toy_scorer), version="2.1")
    (toy_scorer / "card.toml").write_text(zoo.card_to_toml(card))
    result = run("models", "--verify")
    assert result.exit_code == 0
    for cell in (
        "toy-scorer",
        "2.1",
        "none needed",
        "0.900 (0.800-0.950)",
        "10 toy labels",
        "verified",
    ):
        assert cell in result.stdout
    (toy_scorer / "model.onnx").write_bytes(b"x")
    assert run("models").exit_code == 0
    result = run("models", "--verify")
    assert result.exit_code == 1
    assert "damaged" in result.stderr
    monkeypatch.setattr(zoo, "_HERE", toy_scorer)
    assert "has no scorers" in run("models").stderr
