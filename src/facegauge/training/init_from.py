"""What `init_from` settings may name: the places from which a network's first weights come."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

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
    paths = {name: Path(value) for name, source, value in _sources(config) if value != IMAGENET}
    moved = {
        name: path.absolute()
        for name, path in paths.items()
        if str(path) not in zoo.names() and path.exists() and not path.is_absolute()
    }
    return apply_overrides(config, [f"{name}={json.dumps(str(to))}" for name, to in moved.items()])


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
    """The settings that name a source: name, what may be there, value."""
    for name, field, value in walk(config):
        for source in (note for note in field.metadata if isinstance(note, Source)):
            if value:
                yield name, source, value
