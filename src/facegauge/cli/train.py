"""`facegauge train METHOD`: a manifest in, a run folder out."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from facegauge.cli.carry_out import carry_out
from facegauge.cli.recipe_file import MethodGroup
from facegauge.cli.train_options import (
    AllowLeakage,
    ConfigFile,
    Data,
    DryRun,
    Exclude,
    FramingFile,
    Output,
    Pairs,
    Preset,
    Resume,
    read_lists,
    settings_of,
)
from facegauge.cli.verbs import PLAIN

train = typer.Typer(
    cls=MethodGroup,
    no_args_is_help=True,
    help="Train a scorer by one of the published methods, or by a recipe of your own.",
    **PLAIN,
)


@train.callback()
def methods(
    recipe: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="In place of a method: a Python file with a function run, such as an edited copy "
            "of a shipped recipe.py; its options come after it, --help among them",
        ),
    ] = None,
) -> None:
    """Train a scorer by one of the published methods, or by a recipe of your own."""


@train.command()
def ensemble(
    *,
    data: Data,
    output: Output,
    unlabelled: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE|FOLDER",
            help="More faces, without labels: a manifest or a folder; may be repeated",
        ),
    ] = None,
    preset: Preset = None,
    config: ConfigFile = None,
    set_: Pairs = None,
    framing: FramingFile = None,
    resume: Resume = False,
    allow_leakage: AllowLeakage = False,
    dry_run: DryRun = False,
    exclude: Exclude = None,
) -> None:
    """Two light networks, trained apart and averaged (arXiv 2509.10114)."""
    from facegauge.data.manifests import load_manifest

    settings = settings_of(
        "light_ensemble",
        preset=preset,
        file=config,
        pairs=set_,
        out=output,
        resume=resume,
        framing=framing,
    )
    from facegauge.training.methods.light_ensemble import recipe

    more = read_lists(unlabelled, exclude)
    labelled = load_manifest(data)
    run = partial(recipe.run, settings, labelled, more)
    carry_out(run, output, settings, resume=resume, allow_leakage=allow_leakage, dry_run=dry_run)


@train.command()
def efficient(
    *,
    data: Data,
    output: Output,
    unlabelled_a: Annotated[
        list[Path],
        typer.Option(
            metavar="FILE|FOLDER",
            help="Set A: faces that the teacher labels; a manifest or a folder",
        ),
    ],
    unlabelled_b: Annotated[
        list[Path],
        typer.Option(
            metavar="FILE|FOLDER", help="Set B: faces that the retrained teacher labels; as set A"
        ),
    ],
    preset: Preset = None,
    config: ConfigFile = None,
    set_: Pairs = None,
    framing: FramingFile = None,
    resume: Resume = False,
    allow_leakage: AllowLeakage = False,
    dry_run: DryRun = False,
    exclude: Exclude = None,
) -> None:
    """A teacher, self-training and distillation into a small student (arXiv 2507.15709)."""
    from facegauge.data.manifests import join_unlabelled, load_manifest

    settings = settings_of(
        "efficient_fiqa",
        preset=preset,
        file=config,
        pairs=set_,
        out=output,
        resume=resume,
        framing=framing,
    )
    from facegauge.training.methods.efficient_fiqa import recipe

    a, b = (join_unlabelled(read_lists(side, exclude)) for side in (unlabelled_a, unlabelled_b))
    labelled = load_manifest(data)
    run = partial(recipe.run, settings, labelled, a, b)
    carry_out(run, output, settings, resume=resume, allow_leakage=allow_leakage, dry_run=dry_run)


@train.command()
def mspt(
    *,
    data: Data,
    output: Output,
    unlabelled: Annotated[
        list[Path],
        typer.Option(
            metavar="FILE|FOLDER",
            help="Faces from other sources, from the second stage on: a manifest or a folder; "
            "may be repeated",
        ),
    ],
    portraits: Annotated[
        list[Path],
        typer.Option(
            metavar="FILE|FOLDER",
            help="Large, sharp portraits, for the last stage; as --unlabelled",
        ),
    ],
    teacher: Annotated[
        str,
        typer.Option(help="Scorer or run folder that labels both"),
    ],
    preset: Preset = None,
    config: ConfigFile = None,
    set_: Pairs = None,
    framing: FramingFile = None,
    resume: Resume = False,
    allow_leakage: AllowLeakage = False,
    dry_run: DryRun = False,
    exclude: Exclude = None,
) -> None:
    """One light network, in stages of more varied pictures and larger inputs (arXiv 2508.07590)."""
    from facegauge.data.manifests import load_manifest

    settings = settings_of(
        "mspt", preset=preset, file=config, pairs=set_, out=output, resume=resume, framing=framing
    )
    from facegauge.predictors import open_predictor
    from facegauge.training.methods.mspt import recipe

    predictor = open_predictor(teacher)
    labelled = load_manifest(data)
    faces, large = (read_lists(side, exclude) for side in (unlabelled, portraits))
    run = partial(recipe.run, settings, labelled, faces, large, teacher=predictor)
    carry_out(run, output, settings, resume=resume, allow_leakage=allow_leakage, dry_run=dry_run)


@train.command()
def dsl(
    *,
    data: Data,
    output: Output,
    clean: Annotated[
        list[Path],
        typer.Option(
            metavar="FILE|FOLDER",
            help="Sharp faces, which the encoder sees degraded: a manifest or a folder; "
            "may be repeated",
        ),
    ],
    unlabelled: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE|FOLDER", help="More faces as they are, for the encoder; as --clean"
        ),
    ] = None,
    photos: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Labelled photos at their own size, beside the crops of --data"
        ),
    ] = None,
    preset: Preset = None,
    config: ConfigFile = None,
    set_: Pairs = None,
    framing: FramingFile = None,
    resume: Resume = False,
    allow_leakage: AllowLeakage = False,
    dry_run: DryRun = False,
    exclude: Exclude = None,
) -> None:
    """Degradations learned from two sets guide a transformer (arXiv 2406.09622)."""
    from facegauge.data.manifests import load_manifest

    settings = settings_of(
        "dsl_fiqa",
        preset=preset,
        file=config,
        pairs=set_,
        out=output,
        resume=resume,
        framing=framing,
    )
    from facegauge.training.methods.dsl_fiqa import recipe

    labelled = load_manifest(data)
    faces, sharp = (read_lists(side, exclude) for side in (unlabelled, clean))
    originals = load_manifest(photos) if photos else None
    run = partial(recipe.run, settings, labelled, faces, sharp, photos=originals)
    carry_out(run, output, settings, resume=resume, allow_leakage=allow_leakage, dry_run=dry_run)


@train.command()
def photos(
    *,
    data: Data,
    photos: Annotated[
        Path,
        typer.Option(metavar="FILE", help="Labelled photos at their own size, as --data"),
    ],
    output: Output,
    teacher: Annotated[
        str, typer.Option(help="Scorer or run folder that labels the crops of --unlabelled")
    ],
    unlabelled: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE|FOLDER",
            help="More crops, without labels: a manifest or a folder; may be repeated",
        ),
    ] = None,
    unlabelled_photos: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE|FOLDER", help="More photos, without labels; as --unlabelled"),
    ] = None,
    portraits: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE|FOLDER", help="Large, sharp portraits; as --unlabelled"),
    ] = None,
    preset: Preset = None,
    config: ConfigFile = None,
    set_: Pairs = None,
    framing: FramingFile = None,
    resume: Resume = False,
    allow_leakage: AllowLeakage = False,
    dry_run: DryRun = False,
    exclude: Exclude = None,
) -> None:
    """Photos and crops together, from a finished scorer: no paper, our choice."""
    from facegauge.data.manifests import load_manifest

    settings = settings_of(
        "photos", preset=preset, file=config, pairs=set_, out=output, resume=resume, framing=framing
    )
    from facegauge.predictors import open_predictor
    from facegauge.training.methods.photos import recipe

    predictor = open_predictor(teacher)
    labelled, originals = load_manifest(data), load_manifest(photos)
    run = partial(
        recipe.run,
        settings,
        labelled,
        originals,
        teacher=predictor,
        unlabelled=read_lists(unlabelled, exclude),
        unlabelled_photos=read_lists(unlabelled_photos, exclude),
        portraits=read_lists(portraits, exclude),
    )
    carry_out(run, output, settings, resume=resume, allow_leakage=allow_leakage, dry_run=dry_run)
