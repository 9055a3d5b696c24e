"""A run folder at the beginning of a run: refused, locked, with its settings."""

from __future__ import annotations

import json
import logging
from itertools import count
from pathlib import Path
from typing import BinaryIO

from facegauge.errors import UsageError
from facegauge.faces.detection_cache import NAME as FACES
from facegauge.outputs import replacing
from facegauge.tables.locks import hold
from facegauge.training.config import FILE, changed, load_config, to_toml, walk
from facegauge.training.devices import this_process
from facegauge.training.inputs.shares import batches_of_each
from facegauge.training.settings import MethodConfig

LOCK = ".lock"  # in a run folder: held by the process that writes it
PROCESSES = "processes.json"  # how many the run began with

logger = logging.getLogger(__name__)


def refuse_used(out: Path) -> None:
    """Refuse a folder that holds more than faces that were found before the run.

    Raises:
        UsageError: it does.
    """
    if out.exists() and (not out.is_dir() or any(file.name != FACES for file in out.iterdir())):
        raise UsageError(f"{out} is not empty; choose another folder, or continue with --resume")


def check_folder(config: MethodConfig, out: Path, resume: bool) -> None:
    """Refuse a folder in use; name the settings that changed since a run that is resumed began."""
    if not resume:
        refuse_used(out)
    if (out / FILE).is_file():
        for line in changed(load_config(out / FILE, type(config)), config):
            logger.warning("setting changed since the run began: %s", line)


def processes_at_first(config: MethodConfig, out: Path) -> int:
    """How many processes the run began with; every step's batches stay those of so many.

    Raises:
        UsageError: this run's processes cannot share the batches of a step equally.
    """
    file = out / PROCESSES
    began: int = this_process().num_processes
    if file.is_file():
        began = int(json.loads(file.read_text(encoding="utf-8"))["processes"])
    for name, _, value in walk(config):
        if name.rpartition(".")[2] == "accumulate":
            batches_of_each(value, began)
    return began


def take_folder(config: MethodConfig, out: Path) -> BinaryIO | None:
    """Make the run folder, lock it and write the settings into it; the lock of the main process.

    Raises:
        UsageError: another process writes it.
    """
    lock = None
    out.mkdir(parents=True, exist_ok=True)
    this_process().wait_for_everyone()  # or a late one would find what the others have written
    if this_process().is_main_process:
        lock = (out / LOCK).open("ab")
        hold(lock, out, "choose another folder")
        text, file = to_toml(config), out / FILE
        if file.is_file() and file.read_text(encoding="utf-8") != text:
            _keep(file)
        with replacing(file) as fresh:
            fresh.write_text(text, encoding="utf-8")
        began = {"processes": processes_at_first(config, out)}
        (out / PROCESSES).write_text(json.dumps(began), encoding="utf-8")
    return lock


def _keep(file: Path) -> None:
    """Keep the settings that a run had so far, under a name with a number."""
    numbers = (file.with_name(f"{file.stem}-{number}{file.suffix}") for number in count(1))
    kept = next(one for one in numbers if not one.exists())
    file.rename(kept)
    logger.warning("the settings so far are kept in %s", kept)
