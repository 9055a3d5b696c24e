"""What is wrong with settings, in one line: the name, what is expected, what was given."""

from __future__ import annotations

import difflib
import types
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import ValidationError
from pydantic.fields import FieldInfo

UNKNOWN, MISSING, OWN = "unexpected_keyword_argument", "missing", "value_error"
CLOSE = 0.6  # similarity of a name that is worth a suggestion, 0..1
KINDS = {str: "text", bool: "true or false", int: "a whole number", float: "a number"}
MANY = {str: "texts", int: "whole numbers", float: "numbers"}


@dataclass(frozen=True)
class Expected:
    """In a type's metadata: what to call its values, where the type alone does not say it."""

    text: str


def either(names: Iterable[str]) -> str:
    """a, b or c."""
    *first, last = names
    return f"{', '.join(first)} or {last}" if first else last


def one_line(error: ValidationError, cls: type[Any], data: Mapping[str, Any]) -> str:
    """The first thing that is wrong; a wrong name before what is missing for want of it."""
    found = error.errors()
    first = min(found, key=lambda each: each["type"] != UNKNOWN)
    path = [str(part) for part in first["loc"]]
    if first["type"] == UNKNOWN:
        return unknown(path, cls, data)
    names = path
    field = None
    while names and (field := find(cls, names, data, tables=True)) is None:
        names = names[:-1]  # a place in a list
    name = ".".join(names)
    if first["type"] == OWN:
        message = str(first["ctx"]["error"])
        if field is None:  # of the whole
            return message
        got = "" if is_table(field.annotation) else f", got {_got(data, names)}"
        return f"{name}: {message}{got}"
    if field is None:
        return f"expected tables of settings, got {data!r}"
    wanted = expected(field.annotation, field.metadata)
    if first["type"] == MISSING and names == path:
        return f"{name} is missing; expected {wanted}"
    value = _value(data, names)
    new = _renamed_value(cls, names, value, data)
    return (
        f"{name}: {value!r} is now {new!r}" if new else f"{name}: expected {wanted}, got {value!r}"
    )


def unknown(path: Sequence[str], cls: type[Any], data: Mapping[str, Any]) -> str:
    """What to say of a name that the settings do not have."""
    key = ".".join(path)
    field = find(cls, path, data, tables=True)
    if field is not None:
        inside = [name for name in known(cls, data) if name.startswith(f"{key}.")]
        return f"{key} is a table; set one of {', '.join(inside)}"
    new = _renamed(cls, path)
    if new:
        return f"unknown setting {key!r}: it is now {new!r}"
    names = list(known(cls, data))
    same_end = [name for name in names if name.split(".")[-1] == key]
    near = same_end or difflib.get_close_matches(key, names, n=1, cutoff=CLOSE)
    if not near:
        return f"unknown setting {key!r}; there are {', '.join(sorted(data))}, see docs/settings"
    return f"unknown setting {key!r}; the closest is {either(near)}"


def find(
    cls: type[Any], path: Sequence[str], data: Mapping[str, Any], *, tables: bool = False
) -> FieldInfo | None:
    """The field at a path, if there is one.

    Args:
        data: the settings' values, which have the names in tables of tables.
        tables: whether a table is meant too, or only what is in tables.
    """
    kind: Any = cls
    field: FieldInfo | None = None
    inner: Any = data
    for name in path:
        inner = inner.get(name) if isinstance(inner, Mapping) else None
        if is_table(kind):
            field = kind.__pydantic_fields__.get(name)
            kind = bare(field.annotation) if field else None
        elif get_origin(kind) is dict and inner is not None:
            kind = bare(get_args(kind)[1])
            field = FieldInfo.from_annotation(kind)
        else:
            return None
    if field is None or (not tables and (is_table(kind) or get_origin(kind) is dict)):
        return None
    return field


def instead_of(cls: type[Any], path: Sequence[str], data: Mapping[str, Any]) -> str | None:
    """The name of the field that the one at a path excludes, if any; see `config.table`."""
    table: Any = cls
    if path[:-1]:
        field = find(cls, path[:-1], data, tables=True)
        table = bare(field.annotation) if field else None
    names: Mapping[str, str] = getattr(table, "INSTEAD", {})
    return names.get(path[-1])


def known(cls: type[Any], data: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """The name of every setting; in tables of tables, of those that `data` has."""
    for name, field in cls.__pydantic_fields__.items():
        kind, inner = bare(field.annotation), data.get(name)
        inside = inner if isinstance(inner, Mapping) else {}
        if is_table(kind):
            yield from known(kind, inside, f"{prefix}{name}.")
        elif get_origin(kind) is dict:
            for key, each in inside.items():
                each_ = each if isinstance(each, Mapping) else {}
                yield from known(bare(get_args(kind)[1]), each_, f"{prefix}{name}.{key}.")
        else:
            yield prefix + name


def leaves(data: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every value of nested tables with its name."""
    for key, value in data.items():
        if isinstance(value, Mapping):
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def takes_text(annotation: Any) -> bool:
    """Whether a setting's value is text."""
    kind = bare(annotation)
    return kind is str or (
        get_origin(kind) is Literal and all(isinstance(each, str) for each in get_args(kind))
    )


def expected(annotation: Any, metadata: Iterable[Any] = ()) -> str:
    """What a type and its range allow, in words."""
    annotation, notes = _unwrapped(annotation)
    notes = [*notes, *_flat(metadata)]
    own = [note.text for note in notes if isinstance(note, Expected)]
    if own:
        return own[0]
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return either(map(_shown, inner))
    if origin is tuple:
        kinds = inner[:1] if inner[-1] is Ellipsis else inner
        kind, each = _unwrapped(kinds[0])
        if get_origin(kind) is tuple:
            plural = expected(kind).replace("a list", "lists", 1)
        else:
            plural = MANY[kind] + _range(each)
        return (
            f"a list of {plural}" if inner[-1] is Ellipsis else f"a list of {len(inner)} {plural}"
        )
    return KINDS.get(annotation, "a table") + _range(notes)


def _range(notes: Sequence[Any]) -> str:
    low = next((note for note in notes if isinstance(note, Ge | Gt)), None)
    high = next((note for note in notes if isinstance(note, Le | Lt)), None)
    if isinstance(low, Ge) and isinstance(high, Le):
        return f" from {low.ge} to {high.le}"
    if isinstance(low, Gt) and high is None:
        return f" above {low.gt}"
    bounds = []
    if low is not None:
        bounds += [f"{low.ge} or more"] if isinstance(low, Ge) else [f"above {low.gt}"]
    if high is not None:
        bounds += [f"{high.le} or less"] if isinstance(high, Le) else [f"below {high.lt}"]
    return f", {' and '.join(bounds)}" if bounds else ""


def _shown(value: Any) -> str:
    return value if isinstance(value, str) and value else repr(value)


def _flat(metadata: Iterable[Any]) -> list[Any]:
    """Notes of a type, with those that pydantic keeps inside of fields."""
    flat: list[Any] = []
    for note in metadata:
        flat += note.metadata if isinstance(note, FieldInfo) else [note]
    return flat


def _unwrapped(annotation: Any) -> tuple[Any, list[Any]]:
    """A type without `Annotated` and `| None`, and its notes."""
    if get_origin(annotation) is Annotated:
        kind, *notes = get_args(annotation)
        inner, more = _unwrapped(kind)
        return inner, [*more, *_flat(notes)]
    if get_origin(annotation) in (Union, types.UnionType):
        kinds = [kind for kind in get_args(annotation) if kind is not type(None)]
        if len(kinds) == 1:
            return _unwrapped(kinds[0])
    return annotation, []


def bare(annotation: Any) -> Any:
    return _unwrapped(annotation)[0]


def is_table(annotation: Any) -> bool:
    return hasattr(bare(annotation), "__pydantic_fields__")


def _value(data: Any, path: Sequence[str]) -> Any:
    for name in path:
        data = data.get(name) if isinstance(data, Mapping) else getattr(data, name, None)
    return data


def _got(data: Any, path: Sequence[str]) -> str:
    return repr(_value(data, path))


def _renamed(cls: type[Any], path: Sequence[str]) -> str | None:
    """The new name of a setting, if it had the one that `path` gives."""
    kind: Any = cls
    new: list[str] = []
    for name in path:
        if is_table(kind):
            now = _noted(kind, "RENAMED").get(name, name)
            field = kind.__pydantic_fields__.get(now)
            if field is None:
                return None
            new.append(now)
            kind = bare(field.annotation)
        elif get_origin(kind) is dict:
            new.append(name)
            kind = bare(get_args(kind)[1])
        else:
            return None
    return ".".join(new) if new != list(path) else None


def _renamed_value(
    cls: type[Any], path: Sequence[str], value: Any, data: Mapping[str, Any]
) -> str | None:
    field = find(cls, path[:-1], data, tables=True) if path[:-1] else None
    owner = bare(field.annotation) if field else cls
    if not is_table(owner) or not isinstance(value, str):
        return None
    values: dict[str, str] = _noted(owner, "RENAMED_VALUES").get(path[-1], {})
    return values.get(value)


def _noted(cls: type[Any], name: str) -> dict[str, Any]:
    """A dictionary that a class and its bases each may have, as one."""
    noted: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        noted |= vars(base).get(name, {})
    return noted
