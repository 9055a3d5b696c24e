"""A recipe's numbers: presets from its TOML file, and `key=value` overrides from the command."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterator, Sequence
from importlib import resources
from typing import Any

from facegauge.errors import UsageError

Settings = dict[str, Any]


def load_preset(recipe: str, preset: str) -> Settings:
    """One preset: a top-level table of `methods/<method>/<method>.toml`.

    Raises:
        UsageError: no such recipe or preset; the message lists what there is.
    """
    file = resources.files("facegauge.training.methods") / recipe / f"{recipe}.toml"
    if not file.is_file():
        raise UsageError(f"there is no method {recipe!r}")
    presets = tomllib.loads(file.read_text(encoding="utf-8"))
    if preset not in presets:
        raise UsageError(
            f"the recipe {recipe} has no preset {preset!r}; expected {' or '.join(presets)}"
        )
    return dict(presets[preset])


def apply_overrides(settings: Settings, pairs: Sequence[str]) -> Settings:
    """A copy of the settings with some values replaced.

    Args:
        settings: nested tables; they are left as they are.
        pairs: "table.key=value". The value is read as TOML (`3`, `1e-4`, `true`, `[1, 2]`,
            `"text"`); what is not TOML is taken as text, so quotes may be left out.

    Raises:
        UsageError: a pair without "=", a key that is not in the settings (the closest is named),
            or a value of another type than the preset's.
    """
    changed: Settings = _copy(settings)
    for pair in pairs:
        key, equals, text = pair.partition("=")
        key = key.strip()
        if not equals:
            raise UsageError(f"--set expects key=value, got {pair!r}")
        known = dict(_leaves(settings))
        if key not in known:
            raise UsageError(_unknown(key, list(known)))
        *tables, last = key.split(".")
        table = changed
        for name in tables:
            table = table[name]
        table[last] = _as_type_of(known[key], _parse(text.strip()), key)
    return changed


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copy(inner) for key, inner in value.items()}
    return list(value) if isinstance(value, list) else value


def _leaves(settings: Settings, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in settings.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def _unknown(key: str, known: list[str]) -> str:
    inside = [name for name in known if name.startswith(f"{key}.")]
    if inside:
        return f"{key} is a table; set one of {', '.join(inside)}"
    close = difflib.get_close_matches(key, known, n=1, cutoff=0)
    same_end = [name for name in known if name.split(".")[-1] == key]
    return f"unknown setting {key!r}; the closest is {' or '.join(same_end or close)}"


def _parse(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (tomllib.TOMLDecodeError, KeyError):
        return text


def _as_type_of(old: Any, new: Any, key: str) -> Any:
    if isinstance(old, float) and isinstance(new, int) and not isinstance(new, bool):
        return float(new)
    if type(new) is not type(old):
        expected = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}
        what = expected.get(type(old), "a list")
        raise UsageError(f"{key} expects {what} like {old!r}, got {new!r}")
    return new
