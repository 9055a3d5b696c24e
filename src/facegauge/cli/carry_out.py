"""A recipe from the command line: carried out, or only rehearsed to say what it costs."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import typer

from facegauge.cli.terminal import print_table, resumable
from facegauge.progress import in_words


def carry_out(
    run: Callable[..., Any], output: Path, *, resume: bool, allow_leakage: bool, dry_run: bool
) -> Any:
    """Run a recipe into a folder, or only print what it will cost.

    Args:
        run: a recipe's `run`, with all that it needs besides.

    Returns:
        What the recipe returns; None of a dry run.
    """
    if dry_run:
        rehearse(run, output, allow_leakage=allow_leakage)
        return None
    with resumable(output.is_dir):
        return run(out=output, resume=resume, allow_leakage=allow_leakage)


def rehearse(run: Callable[..., Any], output: Path, *, allow_leakage: bool) -> None:
    """Print what a run costs; see `training.rehearsal`. Nothing is written into `output`."""
    from facegauge.training.rehearsal import peak_gpu_memory, peak_memory, rehearsing

    parent = next(folder for folder in output.resolve().parents if folder.is_dir())
    started = time.monotonic()
    with (
        TemporaryDirectory(dir=parent, prefix=".dry-run-") as folder,
        rehearsing() as rehearsal,
        only_warnings(),
    ):
        run(out=Path(folder) / output.name, resume=False, allow_leakage=allow_leakage)
    beginning = time.monotonic() - started
    rows = [[part.name, part.count, in_words(part.seconds)] for part in rehearsal.parts]
    print_table(["part", ">takes", ">about"], rows)
    whole, memory = in_words(rehearsal.seconds + beginning), peak_memory()
    room = (0 if rehearsal.pixels is None else rehearsal.pixels.size) / 1e9
    lines = [f"pictures: {rehearsal.pictures}, which take {room:.2f} GB of disk during the run"]
    if memory is not None:
        lines.append(f"memory: {memory / 1e9:.1f} GB at the most so far")
    if (on_gpu := peak_gpu_memory()) is not None:
        lines.append(f"memory of the GPU: {on_gpu / 1e9:.1f} GB at the most so far")
    free = shutil.disk_usage(parent).free
    lines += [
        f"disk: about {rehearsal.disk / 1e9:.2f} GB; {free / 1e9:.1f} GB are free",
        f"time: about {whole} in all; this dry run took {in_words(beginning)}",
    ]
    typer.echo("\n".join(lines))


@contextmanager
def only_warnings() -> Iterator[None]:
    """The library's other lines are left out: in a rehearsal, figures mean nothing."""
    logger = logging.getLogger("facegauge")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)
