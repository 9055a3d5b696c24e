"""`facegauge train --recipe FILE`: a recipe is copied, edited and run; what it must be like."""

from __future__ import annotations

import importlib.util
import re
import shutil
import sys
from pathlib import Path

import pytest

from commands import run

pytest.importorskip("torch")

from facegauge.data.manifests import Manifest
from facegauge.nn.checkpoints import load_run
from facegauge.training.config import load_config
from facegauge.training.methods import light_ensemble

METHOD = Path(light_ensemble.__file__).parent
FIT = "fit = { steps = 2, lr = 1e-3, warmup = 1, save_every = 2, log_every = 1 }\n"
TINY = f"""
workers = 0
[input]
width = 32
height = 40
[student]
depths = "all"
loss = "mse_corr"
plan = {{ labelled = 6, groups = 0 }}
[members.mobilenet_v3_small]
{FIT}[members.shufflenet_v2_x0_5]
{FIT}"""


@pytest.fixture(autouse=True)
def modules(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a recipe file leaves in the interpreter is taken back."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.startswith("my_"):
            del sys.modules[name]


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """A copy of the light ensemble's recipe, with a line changed."""
    text = (METHOD / "recipe.py").read_text()
    edited = text.replace('SYSTEM = "ensemble"', 'SYSTEM = "my ensemble"')
    assert edited != text
    file = tmp_path / "my_ensemble.py"
    file.write_text(edited)
    return file


def refused(file: Path, *words: str | Path) -> str:
    result = run("train", "--recipe", file, *words)
    assert result.exit_code == 2, result.output
    return result.stderr


def test_a_copied_and_edited_recipe_runs(recipe: Path, toy_data: Path, tmp_path: Path) -> None:
    settings = tmp_path / "tiny.toml"
    settings.write_text(TINY)
    words = ["--data", toy_data, "-o", tmp_path / "run", "--config", settings]
    result = run("train", "--recipe", recipe, *words, "--set", "student.corr_weight=0.5")
    assert result.exit_code == 0, result.output
    trained = load_run(tmp_path / "run")
    assert trained.system == "my ensemble"
    assert list(trained.members) == ["mobilenet_v3_small", "shufflenet_v2_x0_5"]
    assert load_config(tmp_path / "run" / "config.toml").student.corr_weight == 0.5
    assert "is not empty" in refused(recipe, *words)
    again = run("train", f"--recipe={recipe}", *words[:4], "--resume")
    assert again.exit_code == 0, again.output
    assert "setting changed" not in again.stderr


def test_a_setting_can_be_added(tmp_path: Path, toy_data: Path) -> None:
    """With a copy of the settings' class, and presets beside the recipe."""
    text = (METHOD / "config.py").read_text()
    flip = text.index("    flip: bool")
    added = '    suffix: str = setting("Ending of the name", default="")\n'
    (tmp_path / "my_config.py").write_text(text[:flip] + added + text[flip:])
    text = (METHOD / "recipe.py").read_text()
    text = text.replace("facegauge.training.methods.light_ensemble.config", "my_config")
    text = text.replace('context.save("", SYSTEM,', 'context.save("", SYSTEM + config.suffix,')
    (tmp_path / "my_recipe.py").write_text(text)
    tables = re.sub(r"\[(?=[a-z])", "[mine.", TINY)
    (tmp_path / "my_recipe.toml").write_text(tables.replace("workers", "[mine]\nworkers", 1))
    result = run(
        "train", "--recipe", tmp_path / "my_recipe.py", "--data", toy_data, "--preset", "mine",
        "-o", tmp_path / "run", "--set", "suffix= of mine",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert load_run(tmp_path / "run").system == "ensembleof mine"


def test_every_parameter_is_an_option(recipe: Path, tmp_path: Path) -> None:
    shown = run("train", "--recipe", recipe, "--help")
    assert shown.exit_code == 0
    for option in ("--data", "--output", "--unlabelled", "--preset", "--config", "--set",
                   "--resume", "--allow-leakage"):  # fmt: skip
        assert option in shown.output
    assert "Train the ensemble into the run folder" in shown.output
    listed = run("train", "--help").output
    assert "--recipe" in listed and "ensemble" in listed
    assert "student.corr_weight" in refused(
        recipe, "--data", tmp_path, "-o", tmp_path / "r", "--set", "student.corr_wieght=1"
    )


HEAD = """
from collections.abc import Sequence
from pathlib import Path
from facegauge.data.manifests import Manifest
from facegauge.predictors import Predictor
from facegauge.training.methods.light_ensemble.config import LightEnsembleConfig
seen = {}
"""
RUN = """
def run(config: LightEnsembleConfig, data: Manifest, more: Manifest, others: Sequence[Manifest],
        teacher: Predictor, out: Path, *, resume: bool = False, allow_leakage: bool = False):
    seen.update(locals())
"""


def test_lists_and_predictors_are_opened(tmp_path: Path, toy_data: Path, toy_scorer: Path) -> None:
    file = tmp_path / "my_toy.py"
    file.write_text(HEAD + RUN)
    words = ["--more", toy_data, "--more", toy_data.parent, "--teacher", toy_scorer]
    result = run("train", "--recipe", file, "--data", toy_data, *words, "-o", tmp_path / "r",
                 "--preset", "paper", "--allow-leakage")  # fmt: skip
    assert result.exit_code == 0, result.output
    seen = sys.modules["my_toy"].seen
    assert seen["config"].student.init_from == "imagenet"
    assert isinstance(seen["more"], Manifest) and seen["more"].scores is None
    assert (len(seen["data"]), len(seen["more"]), seen["others"]) == (90, 90, [])
    assert seen["teacher"].spec.width == 24 and seen["out"] == tmp_path / "r"
    assert (seen["resume"], seen["allow_leakage"]) == (False, True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1", "has no function run"),
        ("def run(config, data): ...", "expected run to have parameters config, data, out"),
        (RUN.replace("LightEnsembleConfig", "int"), "expected run to have a config with a method"),
        (
            RUN.replace("more: Manifest", "more: float"),
            "the parameter more of run to be a Manifest",
        ),
        (RUN.replace("more: Manifest", "more: Lost"), "annotation that is not imported: .*Lost"),
    ],
)
def test_a_file_that_is_no_recipe_is_refused(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "my_wrong.py"
    file.write_text("from __future__ import annotations\n" + HEAD + text)
    assert re.search(message, refused(file, "--data", tmp_path, "-o", tmp_path / "r"))


def test_a_file_that_cannot_be_loaded_is_refused(tmp_path: Path) -> None:
    assert "there is no recipe" in refused(tmp_path / "my_none.py")
    (tmp_path / "json.py").touch()
    assert "rename" in refused(tmp_path / "json.py")
    (tmp_path / "my_text.txt").touch()
    assert "is no Python file" in refused(tmp_path / "my_text.txt")


def test_missing_torch_is_said_in_one_line(recipe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *a: None if name == "torch" else find(name, *a)
    )
    assert "pip install 'facegauge[train]'" in refused(recipe, "--data", "x", "-o", "y")


def test_presets_of_a_method_that_does_not_ship_are_asked_for(
    tmp_path: Path, toy_data: Path
) -> None:
    text = (
        HEAD
        + "from typing import ClassVar\n"
        + """
from facegauge.training.config import table
from facegauge.training.settings import MethodConfig

@table
class Mine(MethodConfig):
    method: ClassVar[str] = "mine"

def run(config: Mine, data: Manifest, out: Path, *, resume: bool, allow_leakage: bool): ...
"""
    )
    file = tmp_path / "my_method.py"
    file.write_text(text)
    words = ["--data", toy_data, "-o", tmp_path / "r"]
    assert "no presets of the method mine ship" in refused(file, *words)
    shutil.copy(METHOD / "light_ensemble.toml", tmp_path / "my_method.toml")
    assert "unknown setting 'flip'" in refused(file, *words)
    (tmp_path / "my_method.toml").write_text("[cpu]\nworkers = 2\n")
    result = run("train", "--recipe", file, *words)
    assert result.exit_code == 0, result.output


def test_the_help_of_a_recipe_is_made_of_its_docstring(
    recipe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    file = recipe.with_name("my_brackets.py")
    file.write_text(recipe.read_text().replace("Train the ensemble", "Train [all] of it"))
    said = " ".join(run("train", "--recipe", file, "--help").stdout.split())
    assert "Train [all] of it into the run folder" in said
    assert "More faces, for the teacher to score; with a split column, only its train rows" in said
    assert f"train --recipe {file}" in said
    for word in ("Args:", "Returns:", "Raises:", "UsageError", "val_score"):
        assert word not in said
