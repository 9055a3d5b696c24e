"""The options that all recipes have in common."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from facegauge.data.manifests import Manifest

Data = Annotated[
    Path,
    typer.Option(
        help="Labelled pictures: CSV or Parquet with image, score (0..1) and split (train, val)"
    ),
]
Output = Annotated[Path, typer.Option("--output", "-o", help="Run folder to write")]
Preset = Annotated[
    str | None,
    typer.Option(
        help="Shipped settings. cpu: two cores suffice; paper: the paper's networks and known "
        "numbers, for a GPU; default: cpu"
    ),
]
ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="TOML file of settings in place of --preset: complete, such as a run's config.toml, "
        'or only what differs from the preset that its line preset = "cpu" names',
    ),
]
Pairs = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="Replace a setting, as fit.steps=100; may be repeated"
    ),
]
Exclude = Annotated[
    list[str] | None,
    typer.Option(
        metavar="PATTERN",
        help="Files and folders to skip in folders of pictures: a name, or a path below the given "
        "folder; may be repeated",
        show_default=False,
    ),
]
FramingFile = Annotated[
    Path | None,
    typer.Option(
        "--framing",
        metavar="FILE",
        help="How the pictures of --data frame their faces, as facegauge data framing writes it: "
        "replaces these settings in every input",
    ),
]
Resume = Annotated[
    bool,
    typer.Option(
        "--resume",
        help="Continue with what the run folder holds, by its own settings unless others are given",
    ),
]
AllowLeakage = Annotated[
    bool,
    typer.Option(
        "--allow-leakage", help="Train although pictures or people are in more than one split"
    ),
]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        help="Read the pictures, time a few steps of every part, print the cost and stop",
    ),
]


def read_lists(paths: Sequence[Path] | None, exclude: Sequence[str] | None) -> list[Manifest]:
    """The manifests and folders of an option; patterns to exclude count for the folders."""
    from facegauge.data.manifests import load_manifest

    return [
        load_manifest(path, exclude=(exclude or ()) if path.is_dir() else ())
        for path in paths or ()
    ]


def settings_of(
    method: str | type[Any],
    *,
    preset: str | None,
    file: Path | None,
    pairs: list[str] | None,
    out: Path,
    resume: bool,
    presets: Path | None = None,
    framing: Path | None = None,
) -> Any:
    """The settings that the options ask for.

    Args:
        method: a shipped method's name, or the class of a method's settings.
        out: the run folder.
        resume: whether the settings are those of the run folder, unless others are asked for.
        presets: a file with other presets than those that ship with the method.
        framing: a file of `data.framing`.

    Raises:
        MissingExtra: torch or pydantic is not installed.
        UsageError: a setting is wrong.
    """
    from importlib.util import find_spec

    from facegauge.errors import MissingExtra

    if find_spec("torch") is None or find_spec("pydantic") is None:
        raise MissingExtra("training", "train")
    from facegauge.training.config import config_class, resolve

    settings = resolve(
        config_class(method) if isinstance(method, str) else method,
        preset=preset,
        file=file,
        overrides=pairs or [],
        resumed=out if resume else None,
        presets=presets,
    )
    if framing is None:
        return settings
    from facegauge.data.framing import read_framing
    from facegauge.training.geometry import with_framing

    return with_framing(settings, read_framing(framing))
