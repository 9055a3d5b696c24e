"""What `init_from` settings may name: the places from which a network's first weights come."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args

from facegauge import zoo
from facegauge.errors import UsageError
from facegauge.training.config import apply_overrides, walk
from facegauge.training.config_errors import Expected

Config = TypeVar("Config")

IMAGENET = "imagenet"


@dataclass(frozen=True)
class Source(Expected):
    """What a network may start from; see `check_sources`."""

    backbones: bool  # also weights of a backbone alone


InitFrom = Annotated[
    str,
    Source(
        '"" for random weights, "imagenet", a .pth file of backbone weights, a shipped scorer, '
        "or a scorer or run folder",
        backbones=True,
    ),
]
Earlier = Annotated[str, Source('"", a shipped scorer, or a scorer or run folder', backbones=False)]


def is_pretrained(init_from: str) -> bool:
    """Whether a network is taken whole, from a scorer or a run, not only a backbone's weights."""
    if init_from in ("", IMAGENET):
        return False
    return init_from in zoo.names() or Path(init_from).is_dir()


def anchored(config: Config) -> Config:
    """The settings with absolute paths of their sources, which then hold in every folder."""

    def absolute(value: str) -> str:
        is_path = value not in ("", IMAGENET, *zoo.names()) and Path(value).exists()
        return str(Path(value).absolute()) if is_path else value

    pairs = []
    for name, field, value in walk(config):
        if value and _source_of(field) is not None:
            moved = absolute(value) if isinstance(value, str) else [absolute(one) for one in value]
            pairs.append(f"{name}={json.dumps(moved)}")
    return apply_overrides(config, pairs)


def check_sources(config: Any) -> None:
    """Refuse `init_from` settings that name nothing, before hours of training reach them.

    Raises:
        UsageError: one is neither empty, a shipped scorer nor a folder; where weights of a backbone
            are possible too, nor a file nor "imagenet".
    """
    for name, source, value in _sources(config):
        backbone = source.backbones and (value == IMAGENET or Path(value).is_file())
        if not (backbone or is_pretrained(value)):
            raise UsageError(f"{name}: there is no {value!r}; expected {source.text}")


def imagenet_backbones(config: Any) -> list[str]:
    """The backbones whose ImageNet weights the settings ask a library for, each once."""
    values = {name: value for name, _, value in walk(config)}
    asked: list[str] = []
    for name, _, value in _sources(config):
        if value == IMAGENET:
            own = values.get(name.removesuffix("init_from") + "backbone")
            asked += [own] if own else getattr(config, "members", {})  # named by their backbones
    return list(dict.fromkeys(asked))


def _sources(config: Any) -> Iterator[tuple[str, Source, str]]:
    """The settings that name sources: name, what may be there, and every value but ""."""
    for name, field, value in walk(config):
        if (source := _source_of(field)) is not None:
            values = [value] if isinstance(value, str) else value
            yield from ((name, source, one) for one in values if one)


def _source_of(field: Any) -> Source | None:
    """What a setting, or each of those in its list, may start from; None: it names no source."""
    inner = [getattr(one, "__metadata__", ()) for one in get_args(field.annotation)]
    notes = chain(field.metadata, *inner)
    return next((note for note in notes if isinstance(note, Source)), None)
