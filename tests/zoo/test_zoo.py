from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from facegauge import zoo
from facegauge.errors import ScorerError
from facegauge.zoo.onnx_model import Model


def test_a_folder_opens_by_path_and_a_wrong_name_lists_what_there_is(
    toy_scorer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert zoo.open_folder(toy_scorer) == toy_scorer
    assert zoo.open_folder(str(toy_scorer)) == toy_scorer
    monkeypatch.setattr(zoo, "_HERE", toy_scorer.parent)
    assert zoo.names() == ["toy-scorer"]
    assert zoo.open_folder("toy-scorer") == toy_scorer
    with pytest.raises(ScorerError, match=r"no scorer 'nope'.*\(toy-scorer\)"):
        zoo.open_folder("nope")
    (toy_scorer / "model.onnx").unlink()
    with pytest.raises(ScorerError, match=r"has no model\.onnx"):
        zoo.open_folder("toy-scorer")


def test_every_shipped_scorer_is_whole() -> None:
    for name in zoo.names():
        zoo.verify(zoo.open_folder(name))


def test_a_damaged_model_is_noticed(toy_scorer: Path) -> None:
    zoo.verify(toy_scorer)
    file = toy_scorer / "model.onnx"
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(ScorerError, match="damaged"):
        zoo.verify(toy_scorer)
    with pytest.raises(ScorerError, match="damaged"):
        _ = Model(toy_scorer).spec


def test_the_command_line_has_the_default_scorer() -> None:
    from inspect import signature

    from facegauge.cli.best import best
    from facegauge.cli.score import score

    for verb in (score, best):
        assert signature(verb).parameters["scorer"].default == zoo.DEFAULT


def test_a_package_in_an_archive_says_what_to_do(tmp_path: Path) -> None:
    source = Path(zoo.__file__).parents[1]
    with zipfile.ZipFile(tmp_path / "facegauge.zip", "w") as archive:
        for file in source.rglob("*.py"):
            archive.write(file, file.relative_to(source.parent))
    done = subprocess.run(
        [sys.executable, "-c", "import facegauge; facegauge.score('a.jpg')"],
        env={**os.environ, "PYTHONPATH": str(tmp_path / "facegauge.zip")},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert "install it with pip" in last and "--collect-data facegauge" in last, done.stderr


def test_a_package_in_an_archive_scores_and_leaves_nothing_behind(
    tmp_path: Path, toy_scorer: Path, grey: Callable[..., Path]
) -> None:
    package = Path(zoo.__file__).parents[1]
    with zipfile.ZipFile(tmp_path / "facegauge.zip", "w") as archive:
        for file in [*package.rglob("*.py"), *package.glob("_detector/*")]:
            archive.write(file, file.relative_to(package.parent))
        for file in toy_scorer.iterdir():
            archive.write(file, f"facegauge/zoo/toy/{file.name}")
    (tmp_path / "temporary").mkdir()
    program = (
        "import facegauge, sys\n"
        "from concurrent.futures import ThreadPoolExecutor\n"
        "assert '.zip' in facegauge.__file__\n"
        "with ThreadPoolExecutor(4) as pool:\n"
        "    scorers = list(pool.map(facegauge.Scorer, ['toy'] * 4))\n"
        "print(scorers[0].detector(__import__('numpy').zeros((64, 64, 3), 'uint8')))\n"
        "whole = facegauge.Scorer('toy', faces='whole')\n"
        "print(round(whole.score(sys.argv[1]).score, 3))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, grey("a.png", 51)],
        env={
            **os.environ,
            "PYTHONPATH": str(tmp_path / "facegauge.zip"),
            "TMPDIR": str(tmp_path / "temporary"),
        },
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "[]\n0.2\n", done.stderr
    assert not list((tmp_path / "temporary").iterdir())
