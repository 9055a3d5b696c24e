"""Lists with labels on a scale of their own: `--scale` of every verb that reads labels."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from commands import run

Grey = Callable[..., Path]


@pytest.fixture
def folder(grey: Grey, tmp_path: Path, toy_scorer: Path) -> Path:
    """40 pictures, the labels of 0 to 1 in unit.csv and of 1 to 5 in five.csv, and their scores."""
    labels = np.linspace(0.1, 0.9, 40)
    for name, scaled in (("unit", labels), ("five", 1 + 4 * labels)):
        lines = [
            f"in/{number:02}.png,{label:.6f},{'fm'[number % 2]},{'val' if number % 5 else 'train'}"
            for number, label in enumerate(scaled)
        ]
        (tmp_path / f"{name}.csv").write_text("\n".join(["image,score,sex,split", *lines]))
    for number in range(40):
        grey(f"in/{number:02}.png", 40 + 5 * number)
    done = run("score", tmp_path / "in", "--scorer", toy_scorer, "--faces", "whole",
               "-o", tmp_path / "t.csv")  # fmt: skip
    assert done.exit_code == 0, done.output
    return tmp_path


@pytest.mark.parametrize("words", [["evaluate"], ["audit", "--by", "sex"]])
def test_figures_are_those_of_labels_from_0_to_1(folder: Path, words: list[str]) -> None:
    found = []
    for name, scale in (("unit", []), ("five", ["--scale", "1,5"])):
        out = folder / f"{name}.json"
        done = run(words[0], folder / "t.csv", "--data", folder / f"{name}.csv", *words[1:], *scale,
                   "-o", out)  # fmt: skip
        assert done.exit_code == 0, done.output
        assert ("labels from 1 to 5 become 0 to 1" in done.stderr) is bool(scale)
        found.append(json.loads(out.read_text()))
        found[-1].pop("data")
    assert found[1].pop("label_scale", [1, 5]) == [1, 5]
    assert np.allclose(flat(found[0]), flat(found[1]), atol=1e-5)


def flat(found: object) -> list[float]:
    """All numbers of nested figures."""
    if isinstance(found, dict):
        return [number for one in found.values() for number in flat(one)]
    if isinstance(found, list):
        return [number for one in found for number in flat(one)]
    return [float(found)] if isinstance(found, int | float) else []


def test_a_report_and_a_calibration_take_it_too(folder: Path, toy_scorer: Path) -> None:
    data = ["--data", folder / "five.csv"]
    commands = {
        "report": ["report", folder / "t.csv", "-o", folder / "r.html", "--no-thumbnails"],
        "calibrate": ["calibrate", toy_scorer, "-o", folder / "mine"],
    }
    for command in commands.values():
        refused = run(*command, *data)
        assert refused.exit_code == 2 and "--scale LOW,HIGH, such as 1,5" in refused.stderr
        done = run(*command, *data, "--scale", "1,5")
        assert done.exit_code == 0, done.output


def test_every_verb_that_reads_labels_has_the_option() -> None:
    for verb in ("evaluate", "audit", "report", "calibrate", "quantize", "export", "label",
                 "finetune", "data split"):  # fmt: skip
        assert "--scale" in run(*verb.split(), "--help").stdout, verb


def test_a_curve_and_its_scale_go_together(folder: Path, toy_scorer: Path) -> None:
    done = run("label", toy_scorer, "--data", folder / "in", "-o", folder / "l.csv",
               "--scale", "1,5")  # fmt: skip
    assert done.exit_code == 2 and "--scale goes with --labels" in done.stderr


def test_the_rows_of_a_split_are_told(folder: Path) -> None:
    words = ["evaluate", folder / "t.csv", "--data", folder / "unit.csv"]
    assert "val rows: 32 of 40; --split all takes every row" in run(*words).stdout
    assert " of 40" not in run(*words, "--split", "all").stdout
