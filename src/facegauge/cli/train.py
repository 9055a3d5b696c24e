"""`facegauge train METHOD`: a manifest in, a run folder out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

train = typer.Typer(no_args_is_help=True, help="Train a scorer by one of the published methods.")

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
        "numbers, for a GPU  [default: cpu]"
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


@train.callback()
def methods() -> None:
    """Train a scorer by one of the published methods."""


@train.command()
def ensemble(
    *,
    data: Data,
    output: Output,
    unlabelled: Annotated[
        list[Path] | None,
        typer.Option(help="More faces, without labels: a manifest or a folder; may be repeated"),
    ] = None,
    preset: Preset = None,
    config: ConfigFile = None,
    set_: Pairs = None,
    resume: Resume = False,
    allow_leakage: AllowLeakage = False,
) -> None:
    """Two light networks, trained apart and averaged (arXiv 2509.10114)."""
    from facegauge.data.manifests import load_manifest

    resumed = output if resume else None
    settings = _config("light_ensemble", preset, config, set_, resumed)
    from facegauge.training.methods.light_ensemble import recipe

    more = [load_manifest(path) for path in unlabelled or []]
    labelled = load_manifest(data)
    recipe.run(settings, labelled, more, output, resume=resume, allow_leakage=allow_leakage)


@train.command()
def efficient(
    *,
    data: Data,
    output: Output,
    unlabelled_a: Annotated[
        list[Path],
        typer.Option(help="Set A: faces that the teacher labels; a manifest or a folder"),
    ],
    unlabelled_b: Annotated[
        list[Path],
        typer.Option(help="Set B: faces that the retrained teacher labels; as set A"),
    ],
    preset: Preset = None,
    config: ConfigFile = None,
    set_: Pairs = None,
    resume: Resume = False,
    allow_leakage: AllowLeakage = False,
) -> None:
    """A teacher, self-training and distillation into a small student (arXiv 2507.15709)."""
    from facegauge.data.manifests import join_unlabelled, load_manifest

    resumed = output if resume else None
    settings = _config("efficient_fiqa", preset, config, set_, resumed)
    from facegauge.training.methods.efficient_fiqa import recipe

    a, b = (
        join_unlabelled([load_manifest(path) for path in side])
        for side in (unlabelled_a, unlabelled_b)
    )
    labelled = load_manifest(data)
    recipe.run(settings, labelled, a, b, output, resume=resume, allow_leakage=allow_leakage)


@train.command()
def mspt(
    *,
    data: Data,
    output: Output,
    unlabelled: Annotated[
        list[Path],
        typer.Option(
            help="Faces from other sources, from the second stage on: a manifest or a folder; "
            "may be repeated"
        ),
    ],
    portraits: Annotated[
        list[Path],
        typer.Option(help="Large, sharp portraits, for the last stage; as --unlabelled"),
    ],
    teacher: Annotated[
        str,
        typer.Option(help="Who labels both: a scorer or a run folder that landmarks do not guide"),
    ],
    preset: Preset = "cpu",
    set_: Pairs = None,
    resume: Resume = False,
    allow_leakage: AllowLeakage = False,
) -> None:
    """One light network, in stages of more varied pictures and larger inputs (arXiv 2508.07590)."""
    from facegauge.data.manifests import load_manifest

    settings = _settings("mspt", preset, set_)
    from facegauge.predictors import open_predictor
    from facegauge.training.methods.mspt import recipe

    predictor = open_predictor(teacher)
    labelled = load_manifest(data)
    faces, large = ([load_manifest(path) for path in side] for side in (unlabelled, portraits))
    recipe.run(
        settings, labelled, faces, large, output,
        teacher=predictor, resume=resume, allow_leakage=allow_leakage,
    )  # fmt: skip


@train.command()
def dsl(
    *,
    data: Data,
    output: Output,
    clean: Annotated[
        list[Path],
        typer.Option(
            help="Sharp faces, which the encoder sees degraded: a manifest or a folder; "
            "may be repeated"
        ),
    ],
    unlabelled: Annotated[
        list[Path] | None,
        typer.Option(help="More faces as they are, for the encoder; as --clean"),
    ] = None,
    preset: Preset = "cpu",
    set_: Pairs = None,
    resume: Resume = False,
    allow_leakage: AllowLeakage = False,
) -> None:
    """Degradations learned from two sets guide a transformer (arXiv 2406.09622)."""
    from facegauge.data.manifests import load_manifest

    settings = _settings("dsl_fiqa", preset, set_)
    from facegauge.training.methods.dsl_fiqa import recipe

    labelled = load_manifest(data)
    faces, sharp = ([load_manifest(path) for path in side] for side in (unlabelled or [], clean))
    recipe.run(settings, labelled, faces, sharp, output, resume=resume, allow_leakage=allow_leakage)


def _config(
    method: str,
    preset: str | None,
    file: Path | None,
    pairs: list[str] | None,
    resumed: Path | None,
) -> Any:
    """The settings that the options ask for."""
    from importlib.util import find_spec

    from facegauge.errors import MissingExtra

    if find_spec("torch") is None or find_spec("pydantic") is None:
        raise MissingExtra("training", "train")
    from facegauge.training.config import config_class, resolve

    cls = config_class(method)
    return resolve(cls, preset=preset, file=file, overrides=pairs or [], resumed=resumed)


def _settings(recipe: str, preset: str | None, pairs: list[str] | None) -> dict[str, Any]:
    from importlib.util import find_spec

    from facegauge.errors import MissingExtra
    from facegauge.training.legacy_config import apply_overrides, load_preset

    settings = apply_overrides(load_preset(recipe, preset or "cpu"), pairs or [])
    if find_spec("torch") is None:
        raise MissingExtra("training", "train")
    return settings
