"""Soups: weights against a hand-made mean, the record, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from facegauge.cli import app
from facegauge.errors import UsageError
from facegauge.faces.spec import PreprocessSpec
from facegauge.nn.checkpoints import Run, load_run, save_run
from facegauge.nn.regressor import Regressor
from facegauge.training.soup import make_soup


def made(
    folder: Path, seed: int, *, width: int = 64, depths: str = "last", pictures: int = 5
) -> Run:
    torch.manual_seed(seed)
    network = Regressor("mobilenet_v3_small", depths)
    save_run(
        folder,
        system="toy",
        network=network,
        config=network.config,
        spec=PreprocessSpec(width=width, height=80),
        settings={
            "command": f"facegauge train {seed}",
            "commit": "abc",
            "data": [
                {"manifest": "a.csv", "pictures": pictures},
                {"manifest": f"{seed}.csv", "pictures": 1},
            ],
        },
    )
    return load_run(folder)


def test_the_weights_are_the_mean_and_the_record_names_every_run(tmp_path: Path) -> None:
    runs = [made(tmp_path / str(seed), seed, pictures=5 - abs(seed - 2)) for seed in (1, 2, 3)]
    states = [
        {name: value.clone() for name, value in run.network.state_dict().items()} for run in runs
    ]
    make_soup(runs, tmp_path / "mean")
    mean = load_run(tmp_path / "mean")
    for name, value in mean.network.state_dict().items():
        by_hand = (states[0][name] + states[1][name] + states[2][name]) / 3
        assert torch.allclose(value.float(), by_hand.float(), atol=1e-6), name
    assert (mean.system, mean.config, mean.spec) == ("toy", runs[0].config, runs[0].spec)
    assert mean.settings["soup"] == [
        {"command": f"facegauge train {seed}", "commit": "abc"} for seed in (1, 2, 3)
    ]
    learned = {row["manifest"]: row["pictures"] for row in mean.settings["data"]}
    assert learned == {"a.csv": 5, "1.csv": 1, "2.csv": 1, "3.csv": 1}
    assert mean.settings["command"] and mean.settings["commit"]


def test_what_makes_no_soup_is_refused(tmp_path: Path) -> None:
    run = made(tmp_path / "run", 1)
    with pytest.raises(UsageError, match="two runs or more, got 1"):
        make_soup([run], tmp_path / "mean")
    for name, other in {"wide": {"width": 72}, "deep": {"depths": "all"}}.items():
        with pytest.raises(UsageError, match=f"{name} has another network or input"):
            make_soup([run, made(tmp_path / name, 2, **other)], tmp_path / "mean")
    assert not (tmp_path / "mean").exists()
    with pytest.raises(UsageError, match="is in use"):
        make_soup([run, run], tmp_path / "run")


def test_runs_with_different_inputs_need_the_soups_size(tmp_path: Path) -> None:
    folders = [str(made(tmp_path / str(width), width, width=width).folder) for width in (64, 72)]
    asked = ["soup", *folders, "-o", str(tmp_path / "mean"), "--input"]
    done = CliRunner().invoke(app, [*asked, "68x84"])
    assert done.exit_code == 0
    mean = load_run(tmp_path / "mean")
    assert mean.spec == PreprocessSpec(width=68, height=84)
    assert mean.network(torch.zeros(1, 3, 84, 68)).shape == (1,)
    wrong = CliRunner().invoke(app, [*asked, "68"])
    assert wrong.exit_code == 2 and "WIDTHxHEIGHT in pixels, as 208x255, got '68'" in wrong.output


def test_the_verb(tmp_path: Path) -> None:
    folders = [str(made(tmp_path / str(seed), seed).folder) for seed in (1, 2)]
    done = CliRunner().invoke(app, ["soup", *folders, "-o", str(tmp_path / "mean")])
    assert done.exit_code == 0 and "the mean of 2 runs" in done.output
    assert json.loads((tmp_path / "mean" / "run.json").read_text())["system"] == "toy"
    shipped = CliRunner().invoke(app, ["soup", "mobile", "mobile", "-o", str(tmp_path / "same")])
    assert shipped.exit_code == 0
    alone = CliRunner().invoke(app, ["soup", folders[0], "-o", str(tmp_path / "one")])
    assert alone.exit_code == 2 and "two runs or more" in alone.output


def test_the_old_name_is_refused_with_the_new_one() -> None:
    old = CliRunner().invoke(app, ["average", "a", "b", "-o", "c", "--input", "208x255"])
    assert old.exit_code == 2
    assert old.output == (
        "facegauge: 'average' is now called 'soup': facegauge soup RUN... -o OUTPUT\n"
    )
    assert "average" not in CliRunner().invoke(app, ["--help"]).output
