"""Typed settings of the methods: presets and files in TOML, `key=value` overrides, saved again.

A method's settings are a frozen dataclass, `LightEnsembleConfig` for `light_ensemble` and so on, in
`methods/<method>/config.py`; every TOML table in it is one too (`settings.py` has those that the
methods share). Types are strict (`"3"` and `true` are no whole numbers), unknown names are refused,
and every error is a `UsageError` of one line: the name, what was expected and what was given.

A file for `--config` holds the settings of one method. With `preset = "cpu"` at its top it holds
only what differs from that preset; `method = "light_ensemble"` says whose settings they are. Tables
are merged key by key; single values and lists replace those of the preset.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module, resources
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar, dataclass_transform

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from facegauge.errors import UsageError
from facegauge.training import config_errors as errors

FILE = "config.toml"  # the resolved settings in a run folder
METHODS = "facegauge.training.methods"
STRICT = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
LISTED = re.compile(r"\[\n((?:\s+[^\[\]\n]+,\n)+)\s*\]")  # a list of values, one a line
HEAD = "# Settings of a run, complete: give them back with --config.\n\n"

T = TypeVar("T")


def setting(doc: str, **options: Any) -> Any:
    """A field of a table.

    Args:
        doc: one line for the settings page.
        options: `default`, unless the field is required; the rest as for `pydantic.Field`.
    """
    return Field(description=doc, **options)


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(setting,))
def table(cls: type[T]) -> type[T]:
    """Make a class a table: a frozen, strict, keyword-only dataclass.

    A class may have `INSTEAD`, fields that exclude each other and are 0 for none. It may have
    `RENAMED`, old names of fields and the new ones, and `RENAMED_VALUES`, the same for values of a
    field; these two serve error messages only. Checks across fields belong into `__post_init__` and
    raise a `ValueError` whose text names the fields.
    """
    made: Any = dataclass(frozen=True, kw_only=True, config=STRICT)(cls)
    validated = made.__init__

    def __init__(self: Any, **values: Any) -> None:
        try:
            validated(self, **values)
        except ValidationError as error:
            raise UsageError(errors.one_line(error, made, values)) from None

    made.__init__ = __init__
    typed: type[T] = made
    return typed


class Config(Protocol):
    """The settings of a method: a table that says whose it is."""

    method: ClassVar[str]


def config_class(method: str) -> type[Any]:
    """The settings' class of a shipped method.

    Raises:
        UsageError: there is no such method.
    """
    folders = resources.files(METHODS).iterdir()
    there = sorted(each.name for each in folders if (each / f"{each.name}.toml").is_file())
    if method not in there:
        raise UsageError(f"there is no method {method!r}; expected {errors.either(there)}")
    name = "".join(part.capitalize() for part in method.split("_")) + "Config"
    found: type[Any] = getattr(import_module(f"{METHODS}.{method}.config"), name)
    return found


def load_preset(method: str, preset: str) -> Any:
    """One preset of a shipped method: a top-level table of `methods/<method>/<method>.toml`.

    Raises:
        UsageError: no such method or preset; the message lists what there is.
    """
    cls = config_class(method)
    return from_dict(cls, preset_table(cls, preset))


def preset_table(cls: type[Config], preset: str, file: Path | None = None) -> dict[str, Any]:
    """A preset as plain tables.

    Args:
        file: with other presets than those that ship with the method.
    """
    shipped = resources.files(METHODS) / cls.method / f"{cls.method}.toml"
    if file is None and not shipped.is_file():
        raise UsageError(
            f"no presets of the method {cls.method} ship; give a complete file with --config, or "
            "write presets into a file beside the recipe, of its name and the ending .toml"
        )
    presets = tomllib.loads((file or shipped).read_text(encoding="utf-8"))
    if preset not in presets:
        raise UsageError(
            f"the method {cls.method} has no preset {preset!r}; expected {errors.either(presets)}"
        )
    table_: dict[str, Any] = presets[preset]
    return table_


def load_config(
    file: str | os.PathLike[str], cls: type[Any] | None = None, presets: Path | None = None
) -> Any:
    """The settings in a file: complete, or what differs from the preset that it names.

    Args:
        cls: the settings' class; by default that of the shipped method that the file names.
        presets: a file with other presets than those that ship with the method.

    Raises:
        UsageError: the file cannot be read, is another method's, or a setting is wrong.
    """
    try:
        data = tomllib.loads(Path(file).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"cannot read the settings in {file}: {error}") from error
    method, preset = data.pop("method", None), data.pop("preset", None)
    if cls is None:
        if method is None:
            raise UsageError(f'{file} names no method; expected a line like method = "mspt"')
        cls = config_class(method)
    elif method not in (None, cls.method):
        raise UsageError(f"{file} has settings of the method {method}, expected {cls.method}")
    try:
        if preset is not None:
            data = _merged(preset_table(cls, preset, presets), data)
        return from_dict(cls, data)
    except UsageError as error:
        raise UsageError(f"{file}: {error}") from None


def apply_overrides(config: T, pairs: Sequence[str]) -> T:
    """The settings with some values replaced; all are checked together, at the end.

    One of two settings that exclude each other, such as steps and epochs, replaces the other.

    Args:
        pairs: "table.key=value". The value is read as TOML (`3`, `1e-4`, `true`, `[1, 2]`,
            `"text"`); where text is expected, quotes may be left out.

    Raises:
        UsageError: a pair without "=", an unknown name (the closest, or its new name, is given), or
            a value that the setting cannot have.
    """
    cls, data = type(config), to_dict(config)
    asked = {pair.partition("=")[0].strip() for pair in pairs}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        path = key.strip().split(".")
        if not equals:
            raise UsageError(f"--set expects key=value, got {pair!r}")
        field = errors.find(cls, path, data)
        if field is None:
            raise UsageError(errors.unknown(path, cls, data))
        inner = data
        for name in path[:-1]:
            inner = inner.setdefault(name, {})
        inner[path[-1]] = _parsed(text.strip(), bare=errors.takes_text(field.annotation))
        other = errors.instead_of(cls, path, data)
        if other is not None and ".".join([*path[:-1], other]) not in asked:
            inner[other] = 0
    return from_dict(cls, data)


def resolve(
    cls: type[Any],
    *,
    preset: str | None = None,
    file: Path | None = None,
    overrides: Sequence[str] = (),
    resumed: Path | None = None,
    presets: Path | None = None,
) -> Any:
    """The settings that a command asks for.

    Args:
        preset: "cpu" where nothing else is asked for.
        file: in the place of a preset.
        overrides: on top, see `apply_overrides`.
        resumed: a run folder that is resumed: its own settings, where neither a preset nor a file
            is asked for.
        presets: a file with other presets than those that ship with the method.

    Raises:
        UsageError: both a preset and a file, or something is wrong with the settings.
    """
    if preset is not None and file is not None:
        raise UsageError('give --preset or --config; a file can begin with preset = "cpu" itself')
    kept = resumed / FILE if resumed else None
    if kept and kept.is_file() and preset is None and file is None:
        base = load_config(kept, cls)
    elif file is not None:
        base = load_config(file, cls, presets)
    else:
        base = from_dict(cls, preset_table(cls, preset or "cpu", presets))
    return apply_overrides(base, overrides)


def from_dict(cls: type[T], data: Mapping[str, Any]) -> T:
    """Plain tables, as TOML gives them, as settings.

    Raises:
        UsageError: the first thing that is wrong with them.
    """
    try:
        # as JSON, where a list may become a tuple and a table a dataclass; all else is strict
        return TypeAdapter(cls).validate_json(json.dumps(data, default=str))
    except ValidationError as error:
        raise UsageError(errors.one_line(error, cls, data)) from None


def to_dict(config: Any) -> dict[str, Any]:
    """Settings as plain tables, as TOML and JSON have them; what is not set is left out."""
    plain: dict[str, Any] = _plain(dataclasses.asdict(config))
    return plain


def to_toml(config: Config) -> str:
    """Settings as the text of a file that `load_config` reads."""
    import tomli_w

    text = tomli_w.dumps({"method": config.method, **to_dict(config)})
    return HEAD + LISTED.sub(_on_one_line, text)


def changed(old: Any, new: Any) -> list[str]:
    """What differs between two settings, one "name: old -> new" each."""
    before, after = (dict(errors.leaves(to_dict(each))) for each in (old, new))
    names = dict.fromkeys([*before, *after])
    return [
        f"{name}: {before.get(name)!r} -> {after.get(name)!r}"
        for name in names
        if before.get(name) != after.get(name)
    ]


def walk(config: Any, prefix: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Every field of the settings and of the tables in them: name, pydantic's field, value."""
    for name, field in type(config).__pydantic_fields__.items():
        value = getattr(config, name)
        inner = value if isinstance(value, dict) else {"": value}
        for key, each in inner.items():
            place = f"{prefix}{name}" + (f".{key}" if key else "")
            if dataclasses.is_dataclass(each):
                yield from walk(each, f"{place}.")
            else:
                yield place, field, each


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items() if inner is not None}
    return [_plain(inner) for inner in value] if isinstance(value, tuple | list) else value


def _on_one_line(listed: re.Match[str]) -> str:
    values = (line.strip().removesuffix(",") for line in listed[1].splitlines())
    return f"[{', '.join(values)}]"


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        old = merged.get(key)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            merged[key] = _merged(old, value)
        else:
            merged[key] = value
    return merged


def _parsed(text: str, bare: bool) -> Any:
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except (tomllib.TOMLDecodeError, KeyError):
        return text
    return text if bare and not isinstance(value, str) else value
