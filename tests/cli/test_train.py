"""The verbs train, evaluate, export and profile, as typed."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
from types import SimpleNamespace

import pytest
import typer
from typer.testing import CliRunner

from facegauge.cli import app

pytest.importorskip("torch")


def run(*words):
    """The output, on both streams, of a command that works."""
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == 0, result.output
    return result.output


def refused(message, *words):
    """What a command says that is refused as wrong usage."""
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == 2, result.output
    assert re.search(message, result.stderr), result.stderr
    return result.stderr


@pytest.fixture
def recipe(monkeypatch):
    """Stands in for the recipe; what it was called with comes back."""
    from facegauge.training.methods.light_ensemble import recipe as ensemble

    calls = []

    def remember(settings, data, unlabelled, out, resume=False):
        calls.append((settings, data, unlabelled, out, resume))

    monkeypatch.setattr(ensemble, "run", remember)
    return calls


def test_train_hands_everything_to_the_recipe(recipe, toy_data, tmp_path):
    run("train", "ensemble", "--data", toy_data, "-o", tmp_path / "run", "--set", "workers=9",
        "--preset", "paper", "--resume")  # fmt: skip
    ((settings, data, unlabelled, out, resume),) = recipe
    assert settings["workers"] == 9 and settings["student"]["weights"] == "imagenet"
    assert (len(data), unlabelled, out, resume) == (90, [], tmp_path / "run", True)


def test_train_refuses_leaks_by_name(recipe, toy_data, tmp_path):
    folder = tmp_path / "data"
    shutil.copytree(toy_data.parent, folder)
    shutil.copy(folder / "000000.png", folder / "000001.png")  # train's, now in val too
    leaky = folder / "labels.csv"
    words = ["train", "ensemble", "--data", leaky, "-o", tmp_path / "run"]
    said = refused("leaks between splits: 1;", *words)
    assert "000000.png in train" in said and "--allow-leakage" in said
    assert recipe == []
    run(*words, "--allow-leakage")
    assert len(recipe) == 1


@pytest.mark.parametrize("main", [True, False])
def test_unlabelled_pictures_of_val_are_left_out_and_named_once(
    recipe, toy_data, tmp_path, monkeypatch, main
):
    process = SimpleNamespace(is_main_process=main)  # or one of the others of a run
    monkeypatch.setattr("facegauge.training.devices.this_process", lambda: process)
    more = tmp_path / "more"
    more.mkdir()
    for name in ("000000.png", "000001.png"):  # in train, which is no harm; in val
        shutil.copy(toy_data.parent / name, more / name)
    shown = run("train", "ensemble", "--data", toy_data, "--unlabelled", more, "-o", tmp_path / "r")
    (kept,) = recipe[0][2]
    assert [path.name for path in kept.paths] == ["000000.png"]
    assert ("left out: same file" in shown) == main
    assert (str(more / "000001.png") in shown) == main


def test_train_names_the_closest_setting(toy_data, tmp_path):
    refused(r"the closest is student\.corr_weight", "train", "ensemble", "--data", toy_data,
            "-o", tmp_path / "r", "--set", "student.corr_wieght=3")  # fmt: skip


def test_missing_torch_is_said_in_one_line(monkeypatch, toy_data, toy_run, tmp_path):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *a: None if name == "torch" else find(name, *a)
    )
    for words in (
        ["train", "ensemble", "--data", toy_data, "-o", tmp_path / "r"],
        ["export", toy_run, "--data", toy_data, "-o", tmp_path / "s"],
        ["evaluate", toy_run, "--data", toy_data],
        ["profile", toy_run],
    ):
        refused(r"^facegauge: .*pip install 'facegauge\[train\]'$", *words)


def test_export_evaluate_profile_in_a_row(toy_run, toy_data, tmp_path):
    scorer = tmp_path / "toy"
    shown = run("export", toy_run, "--data", toy_data, "-o", scorer, "--licence", "test only")
    assert "0.0" in shown and "60 val pictures" in shown

    saved = tmp_path / "eval.json"
    shown = run("evaluate", toy_run, "--data", toy_data, "--by", "colour", "--compare", scorer,
                "--label-name", "rating", "-o", saved)  # fmt: skip
    for words in ("60 pictures, against the rating", "mobilenet_v3_small", "average", "KRCC",
                  "PLCC fitted", "mean of score - rating", "blue"):  # fmt: skip
        assert words in shown
    found = json.loads(saved.read_text())
    assert (found["split"], found["figures"]["average"]["n"]) == ("val", 60)
    # The scorer is the run, so the comparison finds no difference.
    assert found["differences"]["rmse"]["value"] == pytest.approx(0, abs=1e-5)

    assert "score" in run("evaluate", scorer, "--data", toy_data, "--split", "all")
    shown = run("profile", scorer)
    assert "64 x 80" in shown and "fits the challenge  yes" in shown
    assert run("profile", toy_run).splitlines()[:3] == shown.splitlines()[:3]


def test_evaluate_names_what_has_no_score(toy_run, toy_data, tmp_path):
    folder = tmp_path / "data"
    shutil.copytree(toy_data.parent, folder)
    (folder / "000001.png").write_bytes(b"no picture [bold]")
    shown = run("evaluate", toy_run, "--data", folder / "labels.csv")
    assert "59 pictures" in shown
    assert "without a score, left out: 1" in shown and "000001.png" in shown


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--split", "test"], "no rows with split 'test'"),
        (["--by", "age"], "no column age"),
        (["--by", "split"], "no group column split"),
        (["--faces", "all"], "faces must be whole or auto"),
        (["-o", "nowhere/deep/eval.json"], "no folder"),
        (["-o", "."], "expected the name of a JSON file"),
        (["--compare", "nothing"], "no scorer 'nothing'"),
    ],
)
def test_evaluate_says_what_is_wrong(toy_run, toy_data, words, message):
    refused(message, "evaluate", toy_run, "--data", toy_data, *words)


def test_every_option_has_a_help_text():
    group = typer.main.get_command(app)
    verbs = [group.commands[name] for name in ("evaluate", "export", "profile")]
    verbs += [*group.commands["train"].commands.values()]
    assert all(getattr(param, "help", "") for verb in verbs for param in verb.params)
    assert all(verb.help for verb in verbs)
