"""The pages say what the code does: every command line parses, every name, link and file is there.

What needs the shipped scorer is skipped while there is none.
"""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from facegauge import zoo
from facegauge.calibration import BAND_EDGES, BANDS
from facegauge.cli.recipe_file import recipe_command
from facegauge.results import COLUMNS, Status
from facegauge.training.config import config_class, load_config, resolve

ROOT = Path(__file__).parent.parent
FOLDERS = (".", "benchmarks", "examples")
READMES = [ROOT / folder / "README.md" for folder in FOLDERS]
PAGES = sorted([*READMES, *ROOT.glob("docs/**/*.md")])
SITE = ("*.md", "docs/**/*.md", "benchmarks/**/*.md", "examples/*.md")  # as docs/mkdocs_hook.py has
SITE_PAGES = sorted({page for pattern in SITE for page in ROOT.glob(pattern)})
MOST_WORDS = 1200
LONG_PAGES = {  # and why they may be
    "CHANGELOG.md": "nobody reads it from end to end: one looks up a version",
}
SOURCES = ROOT / "src" / "facegauge"
METHOD = SOURCES / "training" / "methods" / "light_ensemble"

needs_scorer = pytest.mark.skipif(
    zoo.DEFAULT not in zoo.names(), reason=f"the scorer {zoo.DEFAULT} is not shipped yet"
)


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"{path.parent.name}_{path.stem}", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


make_cli = load(ROOT / "docs" / "make_cli.py")
make_columns = load(ROOT / "docs" / "make_columns.py")
make_settings = load(ROOT / "docs" / "make_settings.py")
make_table = load(ROOT / "docs" / "make_table.py")
COMMANDS = dict(make_cli.commands())
CONFIGS = sorted((ROOT / "benchmarks" / "configs").glob("*.toml"))
TRAINED = {
    "ensemble": "light_ensemble",
    "efficient": "efficient_fiqa",
    "mspt": "mspt",
    "dsl": "dsl_fiqa",
    "photos": "photos",
}


def blocks(page: Path, language: str) -> list[str]:
    text = page.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def texts(folder: Path) -> dict[str, str]:
    """The pages of a folder by their names."""
    return {page.name: page.read_text(encoding="utf-8") for page in folder.glob("*.md")}


def command_lines() -> Iterator[tuple[str, list[str]]]:
    """Every `facegauge ...` of the pages: where it stands, and its words."""
    for page in PAGES:
        if page.parent == make_cli.FOLDER:
            continue
        text = page.read_text(encoding="utf-8")
        shell = "\n".join(blocks(page, "sh")).replace("\\\n", " ").splitlines()
        for line in [*shell, *re.findall(r"`(facegauge [^`\n]+)`", text)]:
            for part in re.split(r"&&|\||;", line):
                words = shlex.split(part, comments=True)
                if words[:1] == ["facegauge"]:
                    yield f"{page.relative_to(ROOT)}: {part.strip()}", words[1:]


LINES = list(command_lines())


def split_verb(words: list[str]) -> tuple[tuple[str, ...], list[str]]:
    """The verb, as far as the words name one, and the rest."""
    verb: tuple[str, ...] = ()
    while len(words) > len(verb) and (*verb, words[len(verb)]) in COMMANDS:
        verb = (*verb, words[len(verb)])
    return verb, words[len(verb) :]


def test_the_command_page_is_what_the_code_says() -> None:
    assert texts(make_cli.FOLDER) == make_cli.pages(), "run: python docs/make_cli.py"


def test_the_pages_of_columns_are_what_the_code_says() -> None:
    for name, text in make_columns.pages().items():
        written = (make_columns.FOLDER / name).read_text(encoding="utf-8")
        assert written == text, "run: python docs/make_columns.py"


def test_the_command_page_names_every_verb_and_option() -> None:
    pages = texts(make_cli.FOLDER)
    for path, command in COMMANDS.items():
        written = pages[f"{'-'.join(path) or 'README'}.md"]
        assert not path or f"# facegauge {' '.join(path)}\n" in written
        for option in make_cli.options(command):
            assert all(name in written for name in option.opts)


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_and_option_has_help(path: tuple[str, ...]) -> None:
    command = COMMANDS[path]
    assert command.help and command.help.strip()
    for parameter in command.params:
        assert parameter.help and parameter.help.strip(), f"{parameter.name} has no help"


@pytest.mark.parametrize("words", [w for _, w in LINES], ids=[name for name, _ in LINES])
def test_every_command_line_of_the_pages_parses(words: list[str]) -> None:
    verb, rest = split_verb(words)
    if not verb:
        assert rest and all(word in ("--help", "--version", "--debug") for word in rest)
    elif all(word.startswith("-") for word in rest):  # a verb that is spoken of, or one option
        assert set(rest) <= {name for p in COMMANDS[verb].params for name in p.opts}
    elif verb == ("train",):  # a copy of the light ensemble's recipe
        option, file, *others = rest
        assert option == "--recipe" and file.endswith(".py")
        command = recipe_command(METHOD / "recipe.py")
        if others != ["--help"]:
            check_settings("light_ensemble", command.make_context(file, others).params)
    elif "COLUMN" in rest:
        assert "--by" in rest
    else:
        context = COMMANDS[verb].make_context(" ".join(verb), list(rest))
        assert not context.args
        if verb[0] == "train" and verb[1] in TRAINED:
            check_settings(TRAINED[verb[1]], context.params)


def check_settings(method: str, given: dict[str, Any]) -> None:
    """The settings that a command asks for are there; files of a run's folder are not yet."""
    file = given["config"] and ROOT / given["config"]
    if file is None or "runs" not in given["config"].parts:
        sets = given["set_"] or []
        resolve(config_class(method), preset=given["preset"], file=file, overrides=sets)


@pytest.mark.parametrize("file", CONFIGS, ids=lambda file: file.name)
def test_every_file_of_settings_loads_and_is_used(file: Path) -> None:
    assert load_config(file).method in TRAINED.values()
    used = [words for _, words in LINES if f"benchmarks/configs/{file.name}" in words]
    card = ROOT / f"src/facegauge/zoo/{file.stem}/card.toml"
    assert used or card.is_file(), f"no page has {file.name}, and it is named after no scorer"


def test_the_settings_page_is_what_the_code_says() -> None:
    assert texts(make_settings.FOLDER) == make_settings.pages(), "run: python docs/make_settings.py"


def test_every_setting_has_a_line_of_explanation_and_a_place() -> None:
    pages = make_settings.pages()
    shared = "".join(pages[page] for page in make_settings.SHARED)
    for method in make_settings.methods():
        for name, field in make_settings.settings(config_class(method)):
            own, last = pages[f"{method}.md"], name.rpartition(".")[2]
            explained = own if f"| {field.description} |" in own else shared
            assert f"| {field.description} |" in explained, name
            assert f"| `{name if explained == own else last}` |" in explained, name
            assert field.description and "\n" not in field.description, name


@needs_scorer
def test_the_table_of_scorers_is_what_the_cards_say() -> None:
    found = make_table.TABLE.search((ROOT / "README.md").read_text(encoding="utf-8"))
    assert found and found[0] == make_table.table(), "run: python docs/make_table.py"


@needs_scorer
def test_cards_say_the_largest_gap_of_the_page_on_fairness() -> None:
    text = (ROOT / "docs" / "fairness.md").read_text(encoding="utf-8")
    part = text[text.index("## Gap to all others") : text.index("## Gap among pictures alike")]
    rows = [re.split(r" *\| *", line)[1:-1] for line in part.splitlines() if line.startswith("| ")]
    for place, name in enumerate(rows[0][2:], 2):
        group, *cells = max(rows[2:], key=lambda row: abs(float(row[place].split()[0])))
        said = zoo.load_card(zoo.open_folder(name)).fairness
        assert f"{cells[place - 1]} ({group})" in said


@needs_scorer
def test_the_readme_is_short_and_shows_what_score_prints() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.split()) <= 700
    assert "](docs/figure.jpg)" in text
    assert (ROOT / "docs" / "figure.jpg").stat().st_size < 200_000
    from facegauge import score

    shown = re.findall(r"^([\d.]{5}) .* (examples/\S+)$", text, re.MULTILINE)
    found = {f"examples/{Path(one.path).name}": one.score or 0 for one in score(ROOT / "examples")}
    assert {path: float(score) for score, path in shown} == pytest.approx(found, abs=0.002)


def test_the_pages_do_show_commands() -> None:
    shown = {split_verb(words)[0] for _, words in LINES}
    assert shown >= {path for path in COMMANDS if path and path != ("train",)}


def words(text: str) -> int:
    """Words as a reader sees them, in tables and code too: without targets of links, and lines."""
    return sum(bool(re.search(r"\w", word)) for word in re.sub(r"\]\([^)]*\)", "]", text).split())


def test_words_are_counted_as_a_reader_sees_them() -> None:
    assert words("| a `b --c` | [d e](f/g.md#h) |\n|---|---|\n| 0.1 [0.0, 0.2] | - |") == 8


@pytest.mark.parametrize("page", SITE_PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_pages_are_short_and_begin_with_what_they_answer(page: Path) -> None:
    name, text = str(page.relative_to(ROOT)), page.read_text(encoding="utf-8")
    count = words(text)
    if name not in LONG_PAGES:
        assert count <= MOST_WORDS, f"{name} has {count} words; divide it by what readers ask"
    heading, first = text.split("\n\n", 2)[:2]
    assert heading.startswith("# ") and "\n" not in heading, f"{name} begins with no title"
    if name.startswith("docs/"):
        assert not first.startswith(("#", "|", "```", "- ")), f"{name} does not say what it answers"


@pytest.mark.parametrize("page", SITE_PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    for target, _, anchor in re.findall(r"\]\(([^)#]*)(#([^)]*))?\)", text):
        if not target.startswith(("http:", "https:")):
            linked = page.parent / target if target else page
            assert linked.exists(), f"{page.name} links to {target}"
            if anchor:
                assert anchor in anchors(linked), f"{page.name} links to {target}#{anchor}"


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_names_in_python_blocks_exist(page: Path) -> None:
    for block in blocks(page, "python"):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom):
                module = import_module(node.module or "")
                assert all(hasattr(module, alias.name) for alias in node.names)
            elif (
                isinstance(node, ast.Attribute)
                and isinstance(node.value, ast.Name)
                and node.value.id == "facegauge"
            ):
                assert hasattr(import_module("facegauge"), node.attr)


def test_the_page_of_the_api_has_every_public_name() -> None:
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    shown = {name.rpartition(".")[2] for name in re.findall(r"^::: (\S+)$", page, re.M)}
    assert shown >= {name for name in import_module("facegauge").__all__ if name != "__version__"}


def test_extras_of_the_pages_exist() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    for page in PAGES:
        for named in re.findall(r"`?'?\.\[([a-z,]+)\]", page.read_text(encoding="utf-8")):
            assert set(named.split(",")) <= set(extras), f"{page.name} names .[{named}]"


def test_bands_columns_and_statuses_are_those_of_the_code() -> None:
    rows = re.findall(r"^\| (\w+) \| (.+) \|$", (ROOT / "docs/meaning.md").read_text(), re.M)
    table = {name: range_ for name, range_ in rows if name in BANDS}
    edges = [f"{edge:.2f}" for edge in BAND_EDGES]
    inner = [f"{low} to below {high}" for low, high in pairwise(edges)]
    expected = [f"below {edges[0]}", *inner, f"{edges[-1]} and above"]
    assert table == dict(zip(BANDS, expected, strict=True))
    readme = " ".join((ROOT / "README.md").read_text().split())
    assert f"{', '.join(edges[:-1])} and {edges[-1]}: {', '.join(BANDS)}" in readme
    tables = (ROOT / "docs/tables.md").read_text()
    assert all(f"`{column}`" in tables for column in COLUMNS.names)
    assert all(f"| `{status.value}` |" in tables for status in Status)


def test_the_design_names_every_module_and_no_other() -> None:
    pages = sorted((ROOT / "docs" / "modules").glob("*.md"))
    named = [name for page in pages for name in rooms(page.read_text(encoding="utf-8"))]
    assert sorted(named) == sorted(
        str(path.relative_to(SOURCES)) for path in SOURCES.rglob("*.py")
    ), "name every module once in docs/modules/"


def rooms(text: str) -> Iterator[str]:
    """Modules of the design's list; what comes after "planned:" in a line is not there yet."""
    listed = re.search(r"^src/facegauge/\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert listed
    folder = [""]
    for line in listed[1].splitlines():
        depth = (len(line) - len(line.lstrip())) // 2
        there = re.sub(r"^\s*\S+\s+planned:.*|planned:.*", "", line)
        if line.split()[0].endswith("/"):
            folder[depth:] = [folder[depth - 1] + line.split()[0]]
            names = re.findall(r"[\w.-]+\.py\b", there)
        else:
            folder[depth:] = []
            names = re.findall(r"[\w.-]+\.py\b", re.match(r"(\s*[\w.-]+\.py)*", there)[0])  # type: ignore[index]
        yield from (folder[-1] + name for name in names)


def test_ci_runs_the_commands_of_the_readme() -> None:
    use, development = (block.strip() for block in blocks(ROOT / "README.md", "sh")[:2])
    assert use == "pip install . && facegauge score examples"
    checks = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    install, test = development.split(" && ")
    assert install.replace("pip install", "pip install -q") in checks
    assert re.search(rf"^ *{test}$", checks, re.M)
    assert re.search(r"^ *facegauge score .*examples", checks, re.M)


@needs_scorer
def test_no_degraded_example_beats_the_clean_one() -> None:
    from facegauge import score

    pictures = sorted((ROOT / "examples").glob("*.jpg"))
    scores = {
        path.name: result.score for path, result in zip(pictures, score(pictures), strict=True)
    }
    assert None not in scores.values()
    assert max(scores, key=lambda name: scores[name] or 0) == "astronaut.jpg"


@pytest.fixture
def reader(tmp_path: Path) -> Callable[[list[str]], str]:
    """Runs a command of a page where a reader has pictures; fails where the command does."""
    pictures = sorted((ROOT / "examples").glob("*.jpg"))
    for folder, n in {"examples": 6, "photos": 2, "albums/one": 1, "albums/two": 1}.items():
        (tmp_path / folder).mkdir(parents=True)
        for picture in pictures[:n]:
            shutil.copy(picture, tmp_path / folder)
    shutil.copy(pictures[0], tmp_path / "portrait.jpg")
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    env = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT / "src")}

    def run(command: list[str]) -> str:
        done = subprocess.run(
            command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


PYTHON_PAGES = ("README", "docs/start", "docs/python", "docs/explain")
SLOW_PAGE = pytest.param("docs/metric", marks=pytest.mark.slow)
PYTHON_GUIDES = ("docs/guides/data-engineer", "docs/guides/researcher", "docs/api")


@needs_scorer
@pytest.mark.parametrize("page", [*PYTHON_PAGES, *PYTHON_GUIDES, SLOW_PAGE])
def test_python_blocks_run(page: str, reader: Callable[[list[str]], str]) -> None:
    for block in blocks(ROOT / f"{page}.md", "python"):
        reader([sys.executable, "-c", block])


@needs_scorer
@pytest.mark.parametrize("page", ["start", "tables", "best", "explain", "factors"])
def test_shell_blocks_run(page: str, reader: Callable[[list[str]], str], tmp_path: Path) -> None:
    kept = {*tmp_path.rglob("*")}
    for block in blocks(ROOT / "docs" / f"{page}.md", "sh"):
        if "pip " not in block:
            reader(["bash", "-e", "-o", "pipefail", "-c", block])
            for file in {*tmp_path.rglob("*")} - kept:
                if file.is_file():
                    file.unlink()


@needs_scorer
def test_no_placeholder_is_left() -> None:
    for page in PAGES:
        left = re.findall(r"<!-- (?:sample|figures) -->", page.read_text(encoding="utf-8"))
        assert not left, f"{page.relative_to(ROOT)} still has {left[0]}"


def written_twice(text: str) -> list[str]:
    """Files that the shell commands of a page write again, which facegauge refuses."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    written: list[str] = []
    for line in lines:
        if "facegauge" not in line or re.search(r"--(overwrite|resume|dry-run)\b", line):
            continue
        written += re.findall(r"(?:-o|--output|facegauge merge) ([^\s|;)'\"]+)", line)
    return sorted({one for one in written if written.count(one) > 1})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_pages_run_from_top_to_bottom(page: Path) -> None:
    assert written_twice(page.read_text(encoding="utf-8")) == []


def test_a_file_that_is_written_twice_is_noticed() -> None:
    page = "```sh\nfacegauge score a -o t.csv\nfacegauge {} \n```\n"
    assert written_twice(page.format("merge t.csv p.csv")) == ["t.csv"]
    assert written_twice(page.format("score b -o t.csv --overwrite")) == []
