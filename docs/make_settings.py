"""Writes docs/settings/ from the code: every setting of every method, its range and presets.

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

FOLDER = Path(__file__).parent / "settings"
COMMANDS = {
    "light_ensemble": "train ensemble",
    "efficient_fiqa": "train efficient",
    "mspt": "train mspt",
    "dsl_fiqa": "train dsl",
    "photos": "train photos",
}
HEAD = """\
# Settings

These pages are written by `python docs/make_settings.py` from the code. Do not edit them by hand.

Every recipe has a preset `cpu`, which two cores suffice for. The methods of the papers also have a
preset `paper`, with the paper's networks and its known numbers, for a GPU. `--config FILE` takes a
file of settings, `--set table.key=value` replaces one; see [runs](../training/runs.md#settings).
`<name>` stands for a name that a preset or a file gives to a table. *Default* is the value of a
setting that a file without a preset leaves out; without one, the setting must be there.
"""


def pages() -> dict[str, str]:
    """The pages of docs/settings by their names."""
    listed = "\n".join(
        f"- [{name}]({name}.md): {_sentence(config_class(name))}" for name in methods()
    )
    first = f"{HEAD}\n{listed}\n"
    return {"README.md": first, **{f"{name}.md": _method(name) for name in methods()}}


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
        own = [row for row in rows if (row[0].split(".")[0] if "." in row[0] else "") == top]
        if top:
            parts.append(f"## {method}: {top}\n\n{cls.__pydantic_fields__[top].description}.")
        columns = ["setting", "expects", "default", *values, "what"]
        lines = [columns, ["---"] * len(columns)]
        lines += [_row(name, field, values) for name, field in own]
        parts.append("\n".join(f"| {' | '.join(line)} |" for line in lines))
    return "\n\n".join(parts) + "\n"


def _row(name: str, field: Any, values: dict[str, dict[str, Any]]) -> list[str]:
    given = [_given(name, preset) for preset in values.values()]
    default = "" if field.default is PydanticUndefined else _shown(field.default)
    wanted = expected(field.annotation, field.metadata)
    return [f"`{name}`", wanted, default, *given, str(field.description)]


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
