"""What `init_from` settings may name: the places from which a network's first weights come."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from facegauge import zoo
from facegauge.errors import UsageError
from facegauge.training.config import walk
from facegauge.training.config_errors import Expected

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


def check_sources(config: Any) -> None:
    """Refuse `init_from` settings that name nothing, before hours of training reach them.

    Raises:
        UsageError: one is neither empty, a shipped scorer nor a folder; where weights of a backbone
            are possible too, nor a file nor "imagenet".
    """
    for name, field, value in walk(config):
        for source in (note for note in field.metadata if isinstance(note, Source)):
            backbone = source.backbones and (value == IMAGENET or Path(value).is_file())
            if value and not (backbone or is_pretrained(value)):
                raise UsageError(f"{name}: there is no {value!r}; expected {source.text}")
