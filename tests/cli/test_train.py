"""The verbs train, evaluate, export and profile, as typed."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil

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
    monkeypatch.setattr("facegauge.training.rehearsal.LONG", 1e9)  # no run is timed before

    def remember(config, data, unlabelled, out, **options):
        calls.append((config, data, unlabelled, out, options))

    monkeypatch.setattr(ensemble, "run", remember)
    return calls


def test_train_hands_everything_to_the_recipe(recipe, toy_data, tmp_path):
    run("train", "ensemble", "--data", toy_data, "-o", tmp_path / "run", "--set", "workers=9",
        "--preset", "paper", "--resume", "--allow-leakage",
        "--unlabelled", toy_data.parent)  # fmt: skip
    ((config, data, (more,), out, options),) = recipe
    assert config.workers == 9 and config.student.init_from == "imagenet"
    assert (len(data), len(more), out) == (90, 90, tmp_path / "run")
    assert options == {"resume": True, "allow_leakage": True}


def test_train_takes_a_file_of_settings(recipe, toy_data, tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text('preset = "paper"\nworkers = 3\n[student]\ncorr_weight = 0.5\n')
    words = ["train", "ensemble", "--data", toy_data, "-o", tmp_path / "run", "--config", file]
    run(*words, "--set", "flip=true")
    config = recipe[0][0]
    assert (config.workers, config.student.corr_weight, config.flip) == (3, 0.5, True)
    assert config.student.init_from == "imagenet"
    refused("--preset or --config", *words, "--preset", "cpu")
    file.write_text('method = "mspt"')
    refused("mine.toml has settings of the method mspt, expected light_ensemble", *words)
    assert len(recipe) == 1


def test_a_resumed_run_keeps_its_settings_unless_others_are_given(recipe, toy_data, tmp_path):
    from facegauge.training.config import apply_overrides, load_preset, to_toml

    out = tmp_path / "run"
    out.mkdir()
    own = apply_overrides(load_preset("light_ensemble", "paper"), ["workers=5"])
    (out / "config.toml").write_text(to_toml(own))
    words = ["train", "ensemble", "--data", toy_data, "-o", out]
    run(*words, "--resume")
    run(*words, "--resume", "--set", "flip=true")
    run(*words, "--resume", "--preset", "cpu")
    run(*words[:-1], tmp_path / "new")
    cpu = load_preset("light_ensemble", "cpu")
    assert [call[0] for call in recipe] == [own, apply_overrides(own, ["flip=true"]), cpu, cpu]


def test_train_refuses_leaks_by_name(toy_data, tmp_path):
    folder = tmp_path / "data"
    shutil.copytree(toy_data.parent, folder)
    shutil.copy(folder / "000000.png", folder / "000001.png")  # train's, now in val too
    leaky = folder / "labels.csv"
    said = refused(
        "leaks between splits: 1;", "train", "ensemble", "--data", leaky, "-o", tmp_path / "run"
    )
    assert "000000.png in train" in said and "--allow-leakage" in said
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("student.corr_wieght=3", r"the closest is student\.corr_weight"),
        ("pool.batches=3", "'pool.batches': it is now 'teacher_cache.batches'"),
        ("teacher_cache.plan.free=3", "it is now 'teacher_cache.plan.distilled'"),
        ("teacher_cache.plan.distilled=-3", "0 or more, got -3"),
        ("teachers.mobilenet_v2.plan.labelled=-4", "0 or more, got -4"),
        ("teachers.mobilenet_v2.plan.copies=1", "expected copies of 2 or more"),
        ("views.integer_shift_prob=7", "from 0 to 1, got 7"),
        ("views.exact=7", "'views.exact': it is now 'views.integer_shift_prob'"),
        ("student.corr_weight=-1", "0 or more, got -1"),
        ("members.mobilenet_v3_small.fit.warmup=7000", "the 6000 steps, got warmup 7000"),
        ("members.mobilenet_v3_small.fit.precision=no", "'no' is now 'fp32'"),
        ('teacher_cache.teachers=["vgg"]', "teacher_cache.teachers to name some of mobilenet_v2"),
        ("teachers.mobilenet_v2.init_from=nowhere.pth", "there is no 'nowhere.pth'; expected"),
        ("student.init_from=nowhere", "student.init_from: there is no 'nowhere'; expected"),
    ],
)
def test_wrong_settings_are_refused_before_a_picture_is_read(
    toy_data, tmp_path, monkeypatch, wrong, message
):
    monkeypatch.setattr("PIL.Image.open", None)
    out = tmp_path / "r"
    said = refused(message, "train", "ensemble", "--data", toy_data, "-o", out, "--set", wrong)
    assert said.count("\n") == 1 and not out.exists()


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


@pytest.mark.slow
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
        (["-o", "."], "expected the name of a file"),
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
