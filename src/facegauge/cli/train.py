"""`facegauge train SYSTEM`: a manifest in, a run folder out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from facegauge.data.manifests import Manifest

train = typer.Typer(no_args_is_help=True, help="Train a scorer by one of the published systems.")

Data = Annotated[
    Path,
    typer.Option(
        help="Labelled pictures: CSV or Parquet with image, score (0..1) and split (train, val)"
    ),
]
Output = Annotated[Path, typer.Option("--output", "-o", help="Run folder to write")]
Preset = Annotated[
    str,
    typer.Option(
        help="cpu: two cores suffice; paper: the paper's networks and known numbers, for a GPU"
    ),
]
Pairs = Annotated[
    list[str] | None,
    typer.Option("--set", help="key=value: replace a number of the preset; may be repeated"),
]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with what the run folder holds")]
AllowLeakage = Annotated[
    bool,
    typer.Option(
        "--allow-leakage", help="Train although pictures or people are in more than one split"
    ),
]


@train.callback()
def systems() -> None:
    """Train a scorer by one of the published systems."""


@train.command()
def ensemble(
    *,
    data: Data,
    output: Output,
    unlabelled: Annotated[
        list[Path] | None,
        typer.Option(help="More faces, without labels: a manifest or a folder; may be repeated"),
    ] = None,
    preset: Preset = "cpu",
    set_: Pairs = None,
    resume: Resume = False,
    allow_leakage: AllowLeakage = False,
) -> None:
    """Two light networks, trained apart and averaged (arXiv 2509.10114)."""
    from facegauge.data.leakage import without_leaks
    from facegauge.data.manifests import load_manifest

    settings = _settings("light_ensemble", preset, set_)
    from facegauge.training.methods.light_ensemble import recipe

    labelled = _labelled(data, allow_leakage)
    more = [load_manifest(path) for path in unlabelled or []]
    if not allow_leakage:
        more = [without_leaks(part, [labelled.where(split="val")]) for part in more]
    recipe.run(settings, labelled, more, output, resume=resume)


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
    preset: Preset = "cpu",
    set_: Pairs = None,
    resume: Resume = False,
    allow_leakage: AllowLeakage = False,
) -> None:
    """A teacher, self-training and distillation into a small student (arXiv 2507.15709)."""
    from facegauge.data.leakage import without_leaks
    from facegauge.data.manifests import join_unlabelled, load_manifest

    settings = _settings("efficient_fiqa", preset, set_)
    from facegauge.training.methods.efficient_fiqa import recipe

    labelled = _labelled(data, allow_leakage)
    a, b = (
        join_unlabelled([load_manifest(path) for path in side])
        for side in (unlabelled_a, unlabelled_b)
    )
    if not allow_leakage:
        a = without_leaks(a, [labelled])
        b = without_leaks(b, [labelled, a])
    recipe.run(settings, labelled, a, b, output, resume=resume)


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


def _settings(recipe: str, preset: str, pairs: list[str] | None) -> dict[str, Any]:
    from importlib.util import find_spec

    from facegauge.errors import MissingExtra
    from facegauge.training.legacy_config import apply_overrides, load_preset

    settings = apply_overrides(load_preset(recipe, preset), pairs or [])
    if find_spec("torch") is None:
        raise MissingExtra("training", "train")
    return settings


def _labelled(data: Path, allow_leakage: bool) -> Manifest:
    """The labelled pictures; leaks between their splits are refused."""
    from facegauge.data.leakage import refuse_leaks
    from facegauge.data.manifests import load_manifest
    from facegauge.training.devices import log_from_main_process

    labelled = load_manifest(data)
    labelled.labels()
    labelled.where(split="val")
    log_from_main_process()
    if not allow_leakage:
        refuse_leaks(labelled)
    return labelled
