"""`facegauge train SYSTEM`: a manifest in, a run folder out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facegauge.cli.terminal import say

if TYPE_CHECKING:
    from facegauge.training.manifests import Manifest

train = typer.Typer(no_args_is_help=True, help="Train a scorer by one of the published systems.")

SHOWN_LEAKS = 10


@train.callback()
def systems() -> None:
    """Train a scorer by one of the published systems."""


@train.command()
def ensemble(
    *,
    data: Annotated[
        Path,
        typer.Option(
            help="Labelled pictures: CSV or Parquet with image, score (0..1) and split (train, val)"
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Run folder to write")],
    unlabelled: Annotated[
        list[Path] | None,
        typer.Option(help="More faces, without labels: a manifest or a folder; may be repeated"),
    ] = None,
    preset: Annotated[
        str, typer.Option(help="cpu: two cores suffice; paper: the paper's sizes, for a GPU")
    ] = "cpu",
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="key=value: replace a number of the preset; may be repeated"),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with what the run folder holds")
    ] = False,
    allow_leakage: Annotated[
        bool,
        typer.Option(
            "--allow-leakage",
            help="Train although pictures or people are in more than one split",
        ),
    ] = False,
) -> None:
    """Two light networks, trained apart and averaged (arXiv 2509.10114)."""
    from importlib.util import find_spec

    from facegauge.errors import MissingExtra
    from facegauge.training.settings import apply_overrides, load_preset

    settings = apply_overrides(load_preset("ensemble", preset), set_ or [])
    if find_spec("torch") is None:
        raise MissingExtra("training", "train")
    from facegauge.training.recipes import ensemble as recipe

    labelled, more = _read(data, unlabelled or [], allow_leakage)
    recipe.run(settings, labelled, more, output, resume=resume)


def _read(
    data: Path, unlabelled: list[Path], allow_leakage: bool
) -> tuple[Manifest, list[Manifest]]:
    """The manifests, checked: leaks between splits are refused.

    Unlabelled pictures that are in val too are left out and named; the rest is of use.
    """
    import numpy as np

    from facegauge.errors import UsageError
    from facegauge.training.leakage import check_leakage
    from facegauge.training.manifests import load_manifest

    labelled = load_manifest(data)
    labelled.labels()
    val = labelled.where(split="val")
    more = [load_manifest(path) for path in unlabelled]
    if allow_leakage:
        return labelled, more
    leaks = check_leakage(labelled)
    if leaks:
        shown = "\n".join(f"  {leak}" for leak in leaks[:SHOWN_LEAKS])
        rest = f"\n  and {len(leaks) - SHOWN_LEAKS} more" if len(leaks) > SHOWN_LEAKS else ""
        raise UsageError(
            f"{data}: leaks between splits: {len(leaks)}; figures on val would mean nothing\n"
            f"{shown}{rest}\nmove these rows to one split, or train with --allow-leakage"
        )
    kept = []
    for manifest in more:
        leaks = check_leakage(val, manifest)
        for leak in leaks:
            say(f"left out, as it is in val: {leak}")
        leaked = {leak.second for leak in leaks}
        kept.append(manifest.take(np.array([path not in leaked for path in manifest.paths], bool)))
    return labelled, kept
