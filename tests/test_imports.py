"""The house: arrows between its rooms point up only, and what stands above nn/ needs no torch."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

SRC = Path(__file__).parents[1] / "src"

# From top to bottom: a module imports from its own room and from the rooms above it. Rooms of one
# line do not import each other. A room is a module, or a package with all its modules, except those
# that have a line of their own.
ROOMS = (
    ("errors", "progress", "arrays", "free_memory", "_pyinstaller"),
    ("guard", "lettering", "onnx_runtime", "outputs", "package_files", "placing"),
    ("schema",),
    ("frames", "ratings"),
    ("results",),
    ("image_scores",),
    ("attribution", "calibration"),
    ("images",),
    ("faces",),
    ("factors",),
    ("zoo",),
    ("predictors",),
    ("tables", "scored"),
    ("scorer",),
    ("default_scorer", "explanation"),
    ("selection", "remaining", "visual"),
    ("data",),
    ("evaluation",),
    ("labelling", "report"),
    ("serve",),
    ("cluster",),
    ("nn",),
    ("metric",),
    ("training",),
    tuple(
        f"training.methods.{name}"
        for name in ("finetune", "photos", "light_ensemble", "efficient_fiqa", "mspt", "dsl_fiqa")
    ),
    ("cli",),
    ("__main__",),
)
TORCH_ROOMS = ("nn", "metric", "training", "cli", "__main__")  # and what is in them
HEAVY = (
    "torch",
    "torchvision",
    "timm",
    "accelerate",
    "fvcore",
    "safetensors",
    "onnx",
    "torchmetrics",
)
UNUSED = (*HEAVY, "pydantic")  # above nn/; some versions of typer bring pydantic
WITH_PYDANTIC = ("serve",)  # which its extra brings with fastapi
BELOW = {  # names that point down the list, as text for importlib: a module -> what it names
    "_pyinstaller.hook-facegauge.cli": ("cli",),
    "nn.build": ("training.methods.dsl_fiqa.encoder", "training.methods.dsl_fiqa.network"),
    "predictors": ("nn.predictor",),
}


@cache
def modules() -> dict[str, Path]:
    """Every module by its name without `facegauge.`; the package itself is ""."""
    found = {}
    for file in sorted((SRC / "facegauge").rglob("*.py")):
        parts = file.relative_to(SRC / "facegauge").with_suffix("").parts
        found[".".join(part for part in parts if part != "__init__")] = file
    return found


def imported(module: str) -> Iterator[str]:
    """All that a module imports, in functions and for type checkers too, by its full name."""
    for node in ast.walk(ast.parse(modules()[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} has a relative import"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield whole if own(whole) in modules() else str(node.module)


def named(module: str) -> Iterator[str]:
    """Modules of ours that a module names in text, as for importlib: "facegauge.a.b:C"."""
    for node in ast.walk(ast.parse(modules()[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            found = re.fullmatch(r"facegauge\.([\w.]+?)(:\w+)?", node.value)
            if found and found[1] in modules():
                yield found[1]


def own(name: str) -> str | None:
    """`facegauge.a.b` to `a.b`, `facegauge` to "", anything else to None."""
    top, _, rest = name.partition(".")
    return rest if top == "facegauge" else None


def place(module: str) -> tuple[int, str]:
    """The line of a module's room, and the room: the longest name that fits."""
    fits = [
        (line, room)
        for line, rooms in enumerate(ROOMS)
        for room in rooms
        if f"{module}.".startswith(f"{room}.")
    ]
    assert fits, f"{module} is in no room; add it to ROOMS, where it belongs"
    return max(fits, key=lambda fit: len(fit[1]))


def wrong(module: str, other: str) -> bool:
    """Whether `module` must not import `other`."""
    (line, room), (their_line, their_room) = place(module), place(other)
    return their_line > line or (their_line == line and their_room != room)


def arrows(module: str) -> Iterator[str]:
    for name in imported(module):
        other = own(name)
        if other:
            yield other


def test_the_walk_sees_every_import_and_every_arrow() -> None:
    assert len(modules()) > 100 and "training.methods.dsl_fiqa.network" in modules()
    assert "facegauge.errors" in imported("faces.detection")
    assert "nn.profile" in arrows("cli.profile")  # in a function
    assert "evaluation.evaluate" in arrows("cli.evaluate")
    assert set(BELOW["nn.build"]) <= set(named("nn.build"))
    assert wrong("training.fit", "cli.train") and not wrong("cli.train", "training.fit")
    assert wrong("training.methods.mspt.recipe", "training.methods.dsl_fiqa.network")
    assert wrong("training.fit", "training.methods.mspt.recipe")
    assert not wrong("training.methods.mspt.recipe", "training.methods.mspt.sources")
    with pytest.raises(AssertionError, match=r"cellar\.wine is in no room"):
        place("cellar.wine")


def test_every_room_is_there() -> None:
    for room in (room for rooms in ROOMS for room in rooms):
        assert room in modules(), f"there is no facegauge.{room}: take it out of ROOMS"


def test_arrows_point_up_the_list_of_rooms() -> None:
    wrong_ways = sorted(
        f"{module} imports {other}"
        for module in modules()
        if module  # the package itself may name all that it offers
        for other in set(arrows(module))
        if wrong(module, other)
    )
    assert not wrong_ways, "arrows that run the wrong way:\n" + "\n".join(wrong_ways)


def test_no_module_imports_itself_through_others() -> None:
    needs = {module: {name for name in arrows(module) if name != module} for module in modules()}
    done: set[str] = set()

    def follow(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, "a circle: " + " imports ".join((*path, module))
        if module not in done:
            for other in sorted(needs[module]):
                follow(other, (*path, module))
            done.add(module)

    for module in needs:
        follow(module, ())


def test_only_few_modules_name_what_is_below_them() -> None:
    below = {
        module: tuple(sorted({other for other in named(module) if wrong(module, other)}))
        for module in modules()
        if module
    }
    assert {module: names for module, names in below.items() if names} == BELOW


def test_nothing_above_nn_imports_torch_or_what_comes_with_it() -> None:
    for module in modules():
        if module.split(".")[0] in TORCH_ROOMS:
            continue
        unused = HEAVY if module.split(".")[0] in WITH_PYDANTIC else UNUSED
        heavy = {name for name in imported(module) if name.split(".")[0] in unused}
        assert not heavy, f"{module} imports {', '.join(sorted(heavy))}"


def test_one_module_imports_onnxruntime() -> None:
    """It switches the telemetry off before; elsewhere only type checkers see the import."""
    for module, file in modules().items():
        if module != "onnx_runtime":
            text = file.read_text(encoding="utf-8")
            text = text.replace("if TYPE_CHECKING:\n    import onnxruntime\n", "")
            assert not re.search(r"^\s*(import|from) onnxruntime", text, re.MULTILINE), module


def without(forbidden: tuple[str, ...], code: str, *words: str) -> None:
    """Run code in a process of its own where some packages cannot be imported."""
    refusing = f"import sys\nfor name in {forbidden!r}:\n    sys.modules[name] = None\n"
    environment = {**os.environ, "PYTHONPATH": str(SRC)}
    command = [sys.executable, "-c", refusing + code, *words]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_scoring_imports_neither_tables_nor_the_search_for_installed_packages() -> None:
    """Both would slow down every start of `facegauge score`."""
    without(
        ("importlib.metadata", "facegauge.tables", "facegauge.evaluation", *HEAVY),
        "import facegauge.scorer\nfacegauge.scorer.Scorer('mobile')\n",
    )


def test_nn_imports_without_accelerate_and_fvcore() -> None:
    pytest.importorskip("torch")
    names = [f"facegauge.{name}" for name in modules() if name.split(".")[0] == "nn"]
    without(
        ("accelerate", "fvcore", "pydantic", "scipy"),
        f"import importlib\nfor name in {names!r}:\n    importlib.import_module(name)\n",
    )


@pytest.mark.slow
def test_the_metric_needs_its_own_extra_only() -> None:
    """All shipped scorers, dsl's network from training/ among them."""
    pytest.importorskip("torchmetrics")
    without(
        ("accelerate", "fvcore", "pydantic", "tomli_w"),
        "from facegauge import zoo\nfrom facegauge.metric import FaceQuality\n"
        "for name in zoo.names():\n    if 'int8' not in name:\n        FaceQuality(name)\n",
    )


def test_a_missing_package_of_the_metric_is_named() -> None:
    code = (
        "import importlib.util\nimportlib.util.find_spec = lambda name: None\n"
        "from facegauge.errors import MissingExtra\n"
        "try:\n    from facegauge.metric import FaceQuality\n"
        "except MissingExtra as error:\n    assert error.extra == 'metric'\n"
        "else:\n    raise AssertionError('imported')\n"
    )
    without(HEAVY, code)


def test_the_base_install_evaluates_labels_degrades_and_lists(tmp_path: Path) -> None:
    """All that `.ci/base_install.py` does, which `.ci/run` does again in a real base install."""
    script = Path(__file__).parents[1] / ".ci" / "base_install.py"
    without(
        HEAVY,
        f"import runpy\nsys.argv = ['base_install.py', {str(tmp_path)!r}]\n"
        f"runpy.run_path({str(script)!r}, run_name='__main__')\n",
    )
