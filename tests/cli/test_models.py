"""`facegauge models`, as typed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from commands import run
from facegauge import zoo
from facegauge.cli import terminal


def test_a_narrow_terminal_gets_a_table_without_intervals(
    toy_scorer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zoo, "_HERE", toy_scorer.parent)
    monkeypatch.setattr(terminal, "stdout_console", lambda: Console(width=80))
    shown = run("models").stdout
    assert "(0.800-0.950)" not in shown and "0.900 / " in shown
    assert max(len(line) for line in shown.splitlines()[:4]) <= 80
    assert shown.count("none needed") == 1  # the licence


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
        "toy labels of 10 crops",
        "verified",
    ):
        assert cell in result.stdout
    (toy_scorer / "model.onnx").write_bytes(b"x")
    assert run("models").exit_code == 0
    result = run("models", "--verify")
    assert result.exit_code == 1
    assert "damaged" in result.stderr
    assert zoo.load_card(toy_scorer).summary not in run("models").stdout
    assert zoo.load_card(toy_scorer).summary in run("models", toy_scorer).stdout
    folder = run("models", toy_scorer)
    assert folder.exit_code == 0 and "none needed" in folder.stdout
    assert run("models", "nowhere").exit_code == 1
    monkeypatch.setattr(zoo, "_HERE", toy_scorer)
    assert "has no scorers" in run("models").stderr
