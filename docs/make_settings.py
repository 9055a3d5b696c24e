"""Writes docs/settings/ from the code: every setting of every method, its range and presets.

What the tables that methods share mean is said once, on a page of its own.

    python docs/make_settings.py

The test `tests/test_docs.py` fails when the folder is not what this script writes.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic_core import PydanticUndefined

from facegauge.training.config import METHODS, config_class, load_preset, to_dict
from facegauge.training.config_errors import bare, expected, is_table, leaves
from facegauge.training.geometry import InputConfig
from facegauge.training.settings import (
    BackboneConfig,
    DistillationConfig,
    FitConfig,
    HeadConfig,
    InitConfig,
    LossConfig,
    PseudoLabelConfig,
    ScoreLossConfig,
    SeverityRankConfig,
    TeacherCacheConfig,
)
from facegauge.training.view_settings import BatchPlan, ViewsConfig

FOLDER = Path(__file__).parent / "settings"
COMMANDS = {
    "light_ensemble": "train ensemble",
    "efficient_fiqa": "train efficient",
    "mspt": "train mspt",
    "dsl_fiqa": "train dsl",
    "photos": "train photos",
}
SHARED: dict[
    str, dict[str, tuple[type[Any], ...]]
] = {  # what methods share: pages of titles, and the tables whose settings stand there
    "shared_pictures.md": {
        "Views": (ViewsConfig,),
        "Input": (InputConfig,),
        "Batch plan": (BatchPlan,),
        "Teacher cache": (TeacherCacheConfig,),
        "Pseudo-labels": (PseudoLabelConfig,),
    },
    "shared_fit.md": {
        "Network": (InitConfig, BackboneConfig, HeadConfig),
        "Loss": (LossConfig, ScoreLossConfig, SeverityRankConfig, DistillationConfig),
        "Fit": (FitConfig,),
    },
}
SHARED_HEADS = {
    "shared_pictures.md": "Shared settings: pictures and batches",
    "shared_fit.md": "Shared settings: networks and fits",
}
SHARED_HEAD = """\
# {title}

What settings mean that several methods have. Their names there have the name of a table in front,
such as `student.fit.lr`; the page of a method lists them with the values of its presets. *Default*
is the value where a file without a preset leaves a setting out; without one, it must be there.
"""
HEAD = """\
# Settings

These pages are written by `python docs/make_settings.py` from the code. Do not edit them by hand.

Every recipe has a preset `cpu`, which two cores suffice for. The methods of the papers also have a
preset `paper`, with the paper's networks and its known numbers, for a GPU. `--config FILE` takes a
file of settings, `--set table.key=value` replaces one; see [runs](../training/runs.md#settings).
`<name>` stands for a name that a preset or a file gives to a table. *Default* is the value of a
setting that a file without a preset leaves out; without one, the setting must be there. An empty
cell of a preset stands for the default.

A page lists what only its method has with its range and meaning, and what methods share with the
values of its presets. What those mean is in [pictures and batches](shared_pictures.md) and in
[networks and fits](shared_fit.md).
"""


def pages() -> dict[str, str]:
    """The pages of docs/settings by their names."""
    listed = "\n".join(
        f"- [{name}]({name}.md): {_sentence(config_class(name))}" for name in methods()
    )
    first = f"{HEAD}\n{listed}\n"
    own = {f"{name}.md": _method(name) for name in methods()}
    return {"README.md": first, **{page: _shared_page(page) for page in SHARED}, **own}


def write(folder: Path, texts: dict[str, str]) -> None:
    """Make a folder hold these pages and no other ones."""
    folder.mkdir(exist_ok=True)
    for old in folder.glob("*.md"):
        old.unlink()
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")


def methods() -> list[str]:
    """The shipped methods."""
    folders = resources.files(METHODS).iterdir()
    return sorted(one.name for one in folders if (one / "config.py").is_file())


def presets(method: str) -> list[str]:
    """The presets of a method, as its TOML file has them."""
    file = resources.files(METHODS) / method / f"{method}.toml"
    return list(tomllib.loads(file.read_text(encoding="utf-8")))


def settings(cls: type[Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every setting: its name, with `<name>` for the names in tables of tables, and its field."""
    for name, field in cls.__pydantic_fields__.items():
        kind = bare(field.annotation)
        if is_table(kind):
            yield from settings(kind, f"{prefix}{name}.")
        elif get_origin(kind) is dict:
            yield from settings(bare(get_args(kind)[1]), f"{prefix}{name}.<name>.")
        else:
            yield prefix + name, field


def _shared_page(page: str) -> str:
    parts = [SHARED_HEAD.format(title=SHARED_HEADS[page])]
    for title, classes in SHARED[page].items():
        rows = [
            [f"`{name}`", *_described(field)]
            for cls in classes
            for name, field in cls.__pydantic_fields__.items()
            if name in cls.__annotations__ and not is_table(bare(field.annotation))
        ]
        parts.append(f"## {title}\n")
        parts.append(_table(["setting", "expects", "default", "what"], rows) + "\n")
    return "\n".join(parts)


def _method(method: str) -> str:
    cls = config_class(method)
    values = {
        preset: dict(leaves(to_dict(load_preset(method, preset)))) for preset in presets(method)
    }
    command = COMMANDS.get(method, method)
    parts = [f"# {method}", f"{_sentence(cls)} `facegauge {command}`."]
    rows = list(settings(cls))
    tables = dict.fromkeys(name.split(".")[0] if "." in name else "" for name, _ in rows)
    for top in sorted(tables, key=lambda name: name != ""):
        if top:
            parts.append(f"## {top}\n\n{cls.__pydantic_fields__[top].description}.")
        of_table = [row for row in rows if (row[0].split(".")[0] if "." in row[0] else "") == top]
        parts += _own(of_table, values) + _of_all(of_table, values)
    return "\n\n".join(parts) + "\n"


Rows = list[tuple[str, Any]]
Values = dict[str, dict[str, Any]]


def _own(rows: Rows, values: Values) -> list[str]:
    """The settings that only this method has, with what they mean."""
    lines = []
    for name, field in rows:
        if not _shared(field):
            wanted, default, what = _described(field)
            given = ["" if one == default else one for one in _all_given(name, values)]
            lines.append([f"`{name}`", wanted, default, *given, what])
    return [_table(["setting", "expects", "default", *values, "what"], lines)] if lines else []


def _of_all(rows: Rows, values: Values) -> list[str]:
    """The settings that methods share: the values of the presets alone, where they set one."""
    shared = [(name, field, *found) for name, field in rows if (found := _shared(field))]
    if not shared:
        return []
    links = dict.fromkeys(
        f"[{title}]({page}#{title.lower().replace(' ', '-')})" for *_, page, title in shared
    )
    lines = []
    for name, field, *_ in shared:
        given, default = _all_given(name, values), _described(field)[1]
        if not default or set(given) - {default, ""}:
            lines.append([f"`{name}`", *given])
    others = " Those that are not listed have their defaults in all presets."
    parts = [f"Shared: {', '.join(links)}.{others if len(lines) < len(shared) else ''}"]
    return [*parts, _table(["setting", *values], lines)] if lines else parts


def _shared(field: Any) -> tuple[str, str] | None:
    """The page and the title under which a setting is explained for all methods, if it is."""
    wanted = _described(field)
    for page, titles in SHARED.items():
        for title, classes in titles.items():
            for cls in classes:
                if any(_described(each) == wanted for each in cls.__pydantic_fields__.values()):
                    return page, title
    return None


def _described(field: Any) -> list[str]:
    """What a setting expects, its default, what it is."""
    default = "" if field.default is PydanticUndefined else _shown(field.default)
    return [expected(field.annotation, field.metadata), default, str(field.description)]


def _table(columns: list[str], rows: list[list[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _all_given(name: str, values: Values) -> list[str]:
    return [_given(name, preset) for preset in values.values()]


def _given(name: str, preset: dict[str, Any]) -> str:
    """The value in a preset; in tables of tables by name, where it differs."""
    places = name.split(".")
    found = {}
    for key, value in preset.items():
        parts = key.split(".")
        if len(parts) == len(places) and all(
            place in ("<name>", part) for part, place in zip(parts, places, strict=True)
        ):
            names = (part for part, place in zip(parts, places, strict=True) if place == "<name>")
            found[".".join(names)] = _shown(value)
    if len(set(found.values())) <= 1:
        return next(iter(found.values()), "")
    return ", ".join(f"{one}: {value}" for one, value in found.items())


def _shown(value: Any) -> str:
    """A value as TOML has it."""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, str):
        return f'`"{value}"`'
    if isinstance(value, tuple | list):
        return f"`[{', '.join(_shown(each).replace('`', '') for each in value)}]`"
    return f"`{value}`" if value is not None else ""


def _sentence(cls: type[Any]) -> str:
    return " ".join(str(cls.__doc__).split())


if __name__ == "__main__":
    write(FOLDER, pages())
