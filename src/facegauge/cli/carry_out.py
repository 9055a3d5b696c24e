"""A recipe from the command line: carried out, or only rehearsed to say what it costs."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from facegauge.cli.terminal import print_table, resumable, tell
from facegauge.progress import in_words

if TYPE_CHECKING:
    from facegauge.training.rehearsal import Rehearsal
    from facegauge.training.settings import MethodConfig


def carry_out(
    run: Callable[..., Any],
    output: Path,
    config: MethodConfig | None = None,
    *,
    resume: bool,
    allow_leakage: bool,
    dry_run: bool,
) -> Any:
    """Run a recipe into a folder, or only print what it will cost.

    A long run prints that too before it begins; the faces that were found for it are found.

    Args:
        run: a recipe's `run`, with all that it needs besides.
        config: the run's settings, which say whether it is long; None: it is not.

    Returns:
        What the recipe returns; None of a dry run.
    """
    from facegauge.training.rehearsal import is_worth_rehearsing
    from facegauge.training.run_folder import refuse_used

    if dry_run:
        with rehearsed(run, output, allow_leakage=allow_leakage):
            return None
    with resumable(output.is_dir):
        if config is not None and not resume and is_worth_rehearsing(config):
            refuse_used(output)
            with rehearsed(run, output, allow_leakage=allow_leakage, level=logging.ERROR) as folder:
                keep_faces(folder, output)
        return run(out=output, resume=resume, allow_leakage=allow_leakage)


@contextmanager
def rehearsed(
    run: Callable[..., Any], output: Path, *, allow_leakage: bool, level: int = logging.WARNING
) -> Iterator[Path]:
    """Print what a run costs; see `training.rehearsal`. Nothing is written into `output`.

    Args:
        run: as for `carry_out`.
        output: the run's folder.
        allow_leakage: as for the recipe.
        level: of the library's lines that are shown meanwhile.

    Yields:
        The rehearsal's run folder, which is then removed.
    """
    from facegauge.training.rehearsal import rehearsing

    parent = next(folder for folder in output.resolve().parents if folder.is_dir())
    started = time.monotonic()
    with TemporaryDirectory(dir=parent, prefix=".dry-run-") as temporary:
        folder = Path(temporary) / output.name
        with rehearsing() as rehearsal, only(level):
            run(out=folder, resume=False, allow_leakage=allow_leakage)
        print_cost(rehearsal, time.monotonic() - started, parent)
        yield folder


def keep_faces(rehearsal: Path, output: Path) -> None:
    """The run need not search the faces again that its rehearsal has found."""
    from facegauge.faces.detection_cache import NAME

    output.mkdir(parents=True, exist_ok=True)
    if (rehearsal / NAME).is_file():
        shutil.copyfile(rehearsal / NAME, output / NAME)


def print_cost(rehearsal: Rehearsal, beginning: float, parent: Path) -> None:
    """Print the parts of a run, what they take, and what there is.

    Args:
        rehearsal: of the run.
        beginning: seconds that it took.
        parent: an existing folder on the disk that the run writes to.
    """
    from facegauge.training.rehearsal import peak_gpu_memory, peak_memory

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
        f"time: about {whole} in all; measuring this took {in_words(beginning)}",
    ]
    tell("\n".join(lines))


@contextmanager
def only(level: int) -> Iterator[None]:
    """The library's lines below a level are left out: in a rehearsal, figures mean nothing."""
    logger = logging.getLogger("facegauge")
    before = logger.level
    logger.setLevel(level)
    try:
        yield
    finally:
        logger.setLevel(before)
