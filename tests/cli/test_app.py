"""The command as a whole: its version, its help, how it starts and how errors end it."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import version as installed_version
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import typer.main
from PIL import Image

from commands import MAIN, run
from facegauge import cli, scorer
from facegauge.cli.verbs import VERBS
from facegauge.errors import UsageError


@pytest.mark.parametrize("arguments", [["score"], ["score", "x", "--threads", "0"], ["nonsense"]])
def test_what_cannot_be_parsed_is_exit_2(arguments: list[str]) -> None:
    assert run(*arguments).exit_code == 2


def _fail(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(scorer.Scorer, "__init__", fail)


def test_an_unexpected_error_is_one_line_unless_debugging(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _fail(monkeypatch, RuntimeError("out of luck"))
    result = run("score", "x.png")
    assert result.exit_code == 1
    assert re.fullmatch(
        r"facegauge: unexpected RuntimeError: out of luck; .*--debug.*\n", result.stderr
    )
    for result in (
        run("--debug", "score", "x.png"),
        run("score", "x.png", env={"FACEGAUGE_DEBUG": "1"}),
    ):
        assert result.exit_code == 1
        assert "Traceback (most recent call last)" in result.stderr
    _fail(monkeypatch, UsageError("not so"))
    result = run("--debug", "score", "x.png")
    assert result.exit_code == 2
    assert "Traceback" in result.stderr


def test_version() -> None:
    result = run("--version")
    assert result.exit_code == 0
    assert re.fullmatch(r"facegauge \S+\n", result.stdout)
    assert installed_version("facegauge") in result.stdout


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["score", "--help"]])
def test_help_imports_nothing_heavy(words: list[str]) -> None:
    """Neither what scoring needs, nor the verbs that are not asked for, nor rich."""
    code = (
        "import atexit, sys\n"
        "from facegauge.__main__ import main\n"
        "atexit.register(lambda: print('imported', *sorted(sys.modules)))\n"
        f"sys.argv = ['facegauge', *{words!r}]\n"
        "main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    imported = set(done.stdout.splitlines()[-1].split()[1:])
    assert "facegauge.cli.app" in imported
    heavy = {"numpy", "onnxruntime", "torch", "PIL", "pyarrow", "rich.console", "typer.rich_utils"}
    verbs = {f"facegauge.cli.{verb}" for verb in VERBS if verb not in words}
    assert not (heavy | verbs) & imported


def test_the_list_of_verbs_says_what_their_own_help_says() -> None:
    commands = typer.main.get_command(cli.app).commands
    for verb, text in VERBS.items():
        assert " ".join(commands[verb].help.split("\n\n")[0].split()) == text
    assert [name for name, command in commands.items() if command.hidden] == ["average"]
    shown = " ".join(run("--help").stdout.split())
    assert all(f" {verb} {text}" in shown for verb, text in VERBS.items())


def test_a_misspelt_verb_gets_a_suggestion() -> None:
    result = run("scroe")
    assert result.exit_code == 2 and "Did you mean 'score'" in result.stderr


def test_help_texts_are_there_and_end_alike() -> None:
    """Commands are described in sentences; options and arguments in phrases without a full stop."""

    def visit(command: Any, name: str) -> None:
        for parameter in command.params:
            text = getattr(parameter, "help", None)
            assert text and not text.endswith("."), f"{name} {parameter.name}: {text}"
        assert (command.help or "").rstrip().endswith("."), f"{name}: {command.help}"
        for inner, child in getattr(command, "commands", {}).items():
            visit(child, f"{name} {inner}")

    visit(typer.main.get_command(cli.app), "facegauge")


def test_libraries_remarks_on_odd_files_are_kept_from_people(
    toy_scorer: Path, tmp_path: Path
) -> None:
    photo = tmp_path / "photo.jpg"
    exif = b"Exif\0\0II*\0\x08\0\0\0\xff\xff"  # of which Pillow warns
    Image.new("RGB", (24, 32), "grey").save(photo, exif=exif)
    words = ["score", "--scorer", str(toy_scorer), "--faces", "whole", str(photo)]
    done = subprocess.run([*MAIN, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "photo.jpg" in done.stdout
    said = "1 picture, 1 face, 0 without a face, 0 failed; mean score 0.502; 1 good"
    assert done.stderr == f"facegauge: {said}\n"


def test_the_package_runs_as_a_module() -> None:
    done = subprocess.run([*MAIN, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == run("--version").stdout


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_shows_the_verbs(flag: str) -> None:
    result = run(flag)
    assert result.exit_code == 0
    assert all(f" {verb} " in result.stdout for verb in ("score", "best", "train", "export"))


def test_the_package_says_that_it_is_typed() -> None:
    assert files("facegauge").joinpath("py.typed").is_file()
