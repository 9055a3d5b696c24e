"""`facegauge train --recipe FILE`: a user's own recipe, such as an edited copy of a shipped one.

FILE is a Python file with one entry point, which the shipped recipes have too, as this one:

    def run(
        config: LightEnsembleConfig,
        data: Manifest,
        unlabelled: Sequence[Manifest],
        out: Path,
        *,
        resume: bool = False,
        allow_leakage: bool = False,
    ) -> ...

All parameters are annotated, and the command has an option for each:

- `config`: `--preset`, `--config` and `--set`. Its class is a table, see `training.config.table`,
  with `method`, the name of the method. The presets are those in FILE with the ending `.toml`, if
  that is there, else those of the shipped method of that name. To add a setting, copy `config.py`
  too, as `my_config.py` beside FILE, and import the class from `my_config`.
- `data: Manifest`: `--data`; `out: Path`: `--output`; `resume` and `allow_leakage`: the same flags.
- any other `Manifest`: `--its-name`, required; of several files and folders one list is made.
- any other `Sequence[Manifest]`: `--its-name`, which may be repeated.
- a `Predictor`: `--its-name`, a scorer or a run folder.
"""

from __future__ import annotations

import inspect
import logging
import re
import sys
import textwrap
import typing
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Annotated, Any

import typer

from facegauge.cli.carry_out import carry_out
from facegauge.cli.train_options import (
    AllowLeakage,
    ConfigFile,
    Data,
    DryRun,
    Exclude,
    FramingFile,
    Output,
    Pairs,
    Preset,
    Resume,
    read_lists,
    settings_of,
)
from facegauge.cli.verbs import PLAIN, Group
from facegauge.errors import MissingExtra, UsageError

OPTION = "--recipe"
COMMON = ("config", "data", "out", "resume", "allow_leakage")  # parameters of every recipe


class MethodGroup(Group):
    """The methods; with `--recipe FILE` first, the recipe in that file takes their place."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0].startswith(f"{OPTION}="):
            args = [OPTION, args[0].partition("=")[2], *args[1:]]
        if args[:1] == [OPTION] and len(args) > 1:
            ctx.meta[OPTION] = Path(args[1])
            ctx.info_name = f"{ctx.info_name} {OPTION}"  # for the line "Usage"
            args = args[1:]
        parsed: list[str] = super().parse_args(ctx, args)
        return parsed

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if OPTION in ctx.meta:
            return recipe_command(ctx.meta[OPTION])
        return super().get_command(ctx, cmd_name)


def recipe_command(file: Path) -> Any:
    """The command of a recipe file, with an option for every parameter of its `run`.

    Raises:
        UsageError: the file cannot be run, or its `run` is not as described above.
        MissingExtra: torch or pydantic is not installed.
    """
    run = load_run_function(file)
    config, own = parameter_types(run, file)

    def command(**given: Any) -> None:
        train_by(file, run, config, own, given)

    command.__doc__, described = docs_of(run)
    options = {
        "data": (Data, inspect.Parameter.empty),
        "output": (Output, inspect.Parameter.empty),
        **{name: _option(kind, described.get(name)) for name, kind in own.items()},
        "preset": (Preset, None),
        "config": (ConfigFile, None),
        "set_": (Pairs, None),
        "framing": (FramingFile, None),
        "resume": (Resume, False),
        "allow_leakage": (AllowLeakage, False),
        "dry_run": (DryRun, False),
        "exclude": (Exclude, None),
    }
    keyword = inspect.Parameter.KEYWORD_ONLY
    command.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            inspect.Parameter(name, keyword, annotation=kind, default=default)
            for name, (kind, default) in options.items()
        ]
    )
    command.__annotations__ = {name: kind for name, (kind, _) in options.items()}
    app = typer.Typer(**PLAIN)
    app.command()(command)
    return typer.main.get_command(app)


def docs_of(run: Callable[..., Any]) -> tuple[str, dict[str, str]]:
    """What the docstring of a recipe's `run` says: what it does, and what its parameters are.

    Returns:
        The paragraphs before the first section, such as "Args:"; and of that section the texts by
        parameter. Brackets are escaped, since the help would take them for markup.
    """
    text = inspect.getdoc(run) or f"Train by {run.__module__}."
    about, _, rest = text.partition("\nArgs:\n")
    about = re.split(r"\n(?:Returns|Raises|Yields|Examples?|Notes?):\n", about)[0]
    described: dict[str, str] = {}
    name = ""
    for line in textwrap.dedent(re.split(r"\n(?=\S)", rest)[0]).splitlines():
        if found := re.match(r"(\w+)(?: \(.*?\))?: +(.*)", line):
            name, described[name] = found.groups()
        elif name:
            described[name] = f"{described[name]} {line.strip()}".strip()
    return about.strip(), described


def load_run_function(file: Path) -> Callable[..., Any]:
    """The function `run` of a Python file; what lies beside the file can be imported there."""
    from importlib.util import find_spec

    if find_spec("torch") is None or find_spec("pydantic") is None:
        raise MissingExtra("training", "train")
    if not file.is_file():
        raise UsageError(f"there is no recipe {file}; expected a Python file with a function run")
    spec = spec_from_file_location(file.stem, file)
    if spec is None or spec.loader is None:
        raise UsageError(f"{file} is no Python file; expected a recipe that ends in .py")
    if file.stem in sys.stdlib_module_names:
        raise UsageError(f"rename {file}: Python itself has a module {file.stem}")
    module = module_from_spec(spec)
    sys.modules[file.stem] = module  # found there, and on the path, by processes that load data
    sys.path.insert(0, str(file.parent.resolve()))
    logging.getLogger(file.stem).parent = logging.getLogger("facegauge")  # shown as ours are
    spec.loader.exec_module(module)
    run: Any = getattr(module, "run", None)
    if not callable(run):
        raise UsageError(f"{file} has no function run(config, data, ..., out)")
    return run  # type: ignore[no-any-return]


def parameter_types(run: Callable[..., Any], file: Path) -> tuple[Any, dict[str, Any]]:
    """The class of a recipe's settings, and the types of the parameters that not all recipes have.

    Raises:
        UsageError: `run` is not as described above.
    """
    from facegauge.data.manifests import Manifest
    from facegauge.predictors import Predictor

    try:
        hints = typing.get_type_hints(run)
    except NameError as error:
        raise UsageError(f"{file}: run has an annotation that is not imported: {error}") from error
    names = list(inspect.signature(run).parameters)
    missing = [name for name in COMMON if name not in names or name not in hints]
    if missing or not hasattr(hints["config"], "method"):
        wrong = f"parameters {', '.join(missing)}" if missing else "a config with a method"
        raise UsageError(f"{file}: expected run to have {wrong}, with annotations")
    own = {name: hints.get(name) for name in names if name not in COMMON}
    for name, kind in own.items():
        if kind not in (Manifest, Predictor, Sequence[Manifest], list[Manifest]):
            raise UsageError(
                f"{file}: expected the parameter {name} of run to be a Manifest, a "
                f"Sequence[Manifest] or a Predictor, got {kind}"
            )
    return hints["config"], own


def train_by(
    file: Path,
    run: Callable[..., Any],
    config: Any,
    own: Mapping[str, Any],
    given: Mapping[str, Any],
) -> None:
    """Call a recipe with what the options give."""
    from facegauge.data.manifests import Manifest, join_unlabelled, load_manifest
    from facegauge.predictors import Predictor, open_predictor

    out, resume = given["output"], given["resume"]
    presets = file.with_suffix(".toml")
    settings = settings_of(
        config,
        preset=given["preset"],
        file=given["config"],
        pairs=given["set_"],
        framing=given["framing"],
        out=out,
        resume=resume,
        presets=presets if presets.is_file() else None,
    )
    read: dict[str, Any] = {"data": load_manifest(given["data"])}
    for name, kind in own.items():
        value = given[name]
        if kind is Predictor:
            read[name] = open_predictor(value)
        elif kind is Manifest:
            read[name] = join_unlabelled(read_lists(value, given["exclude"]))
        else:
            read[name] = read_lists(value, given["exclude"])
    carry_out(
        partial(run, config=settings, **read),
        out,
        settings,
        resume=resume,
        allow_leakage=given["allow_leakage"],
        dry_run=given["dry_run"],
    )


def _option(kind: Any, about: str | None) -> tuple[Any, Any]:
    """The type and the default of a recipe's own option; `about` is what its docstring says."""
    from facegauge.data.manifests import Manifest
    from facegauge.predictors import Predictor

    if kind is Predictor:
        return Annotated[
            str, typer.Option(help=_help(about, "a scorer or a run folder"))
        ], inspect.Parameter.empty
    lists = typer.Option(
        metavar="FILE|FOLDER",
        help=_help(about, "a manifest or a folder of pictures; may be repeated"),
    )
    if kind is Manifest:
        return Annotated[list[Path], lists], inspect.Parameter.empty
    return Annotated[list[Path] | None, lists], None


def _help(about: str | None, what: str) -> str:
    text = f"{about.rstrip('.')}: {what}" if about else what
    return text[0].upper() + text[1:]
