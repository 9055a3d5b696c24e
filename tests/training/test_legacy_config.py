"""Presets and overrides."""

from __future__ import annotations

import pytest

from facegauge.errors import UsageError
from facegauge.training.legacy_config import apply_overrides, load_preset

BASE = {
    "seed": 1,
    "flip": False,
    "fit": {"lr": 5e-4, "steps": 900, "precision": "no"},
    "pairs": [["a", "b"]],
}


def test_every_preset_of_the_ensemble_loads():
    for preset in ("cpu", "paper"):
        assert "members" in load_preset("light_ensemble", preset)
    with pytest.raises(UsageError, match="no preset 'gpu'; expected cpu or paper"):
        load_preset("light_ensemble", "gpu")
    with pytest.raises(UsageError, match="no method 'light_ensembel'"):
        load_preset("light_ensembel", "cpu")


def test_values_are_toml_and_keep_the_presets_type():
    pairs = ["seed=7", "flip=true", "fit.lr=1", "fit.precision=bf16", 'pairs=[["c", "d"]]']
    changed = apply_overrides(BASE, pairs)
    assert changed == {
        "seed": 7,
        "flip": True,
        "fit": {"lr": 1.0, "steps": 900, "precision": "bf16"},
        "pairs": [["c", "d"]],
    }
    assert isinstance(changed["fit"]["lr"], float)
    assert BASE["seed"] == 1 and BASE["fit"]["lr"] == 5e-4
    quoted = apply_overrides(BASE, ['fit.precision="no = yes"', "fit.lr=1e-3"])
    assert quoted["fit"]["precision"] == "no = yes" and quoted["fit"]["lr"] == 1e-3


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        ("fit.stesp=3", "unknown setting 'fit.stesp'; the closest is fit.steps"),
        ("lr=3", "unknown setting 'lr'; the closest is fit.lr"),
        ("fit=3", "fit is a table; set one of fit.lr, fit.steps, fit.precision"),
        ("seed", "expects key=value, got 'seed'"),
        ("seed=1.5", "seed expects a whole number like 1, got 1.5"),
        ("seed=true", "seed expects a whole number"),
        ("flip=1", "flip expects true or false"),
        ("fit.precision=3", "fit.precision expects text"),
        ("pairs=a", "pairs expects a list"),
    ],
)
def test_wrong_overrides_say_what_to_write(pair, message):
    with pytest.raises(UsageError, match=message):
        apply_overrides(BASE, [pair])
