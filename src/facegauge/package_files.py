"""Files that ship in the package: read where they lie, or copied out of an archive first."""

from __future__ import annotations

import os
import shutil
import tempfile
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from threading import get_ident

from facegauge.errors import FacegaugeError

PACKAGE = "facegauge"
Folder = tempfile.TemporaryDirectory[str]

_folders: dict[int, Folder] = {}  # of each process


def package_files(name: str) -> Traversable:
    """A file or folder of the package, such as "zoo/mobile"; it need not exist."""
    return resources.files(PACKAGE).joinpath(*name.split("/"))


def package_path(name: str) -> Path:
    """The same as a path of the file system.

    Where the package is in an archive, such as a wheel on PYTHONPATH, a file or folder is copied to
    a temporary folder, once in a process, which is deleted when the process ends.

    Raises:
        FacegaugeError: there is no room for the copy.
    """
    found = package_files(name)
    return found if isinstance(found, Path) else _extracted(os.getpid(), name)


@cache
def _extracted(process: int, name: str) -> Path:
    found, target = package_files(name), Path(_temporary(process).name, name)
    try:
        _copy(found, target)
    except OSError as error:
        raise FacegaugeError(
            f"cannot copy {name} out of the archive that facegauge runs from to {target}: "
            f"{error.strerror or error}; install facegauge with pip"
        ) from error
    return target


def _temporary(process: int) -> Folder:
    """A folder of this process: a forked one must not use, or delete, its parent's.

    Of two threads that make one at once, both get the first; the other is deleted unused.
    """
    try:
        return _folders.get(process) or _folders.setdefault(process, _new_folder())
    except OSError as error:
        raise FacegaugeError(
            "facegauge runs from an archive and finds no temporary folder to copy its files to: "
            f"{error.strerror or error}; install facegauge with pip"
        ) from error


def _new_folder() -> Folder:
    return tempfile.TemporaryDirectory(prefix="facegauge-", ignore_cleanup_errors=True)


def _copy(found: Traversable, target: Path) -> None:
    if found.is_dir():
        for inner in found.iterdir():
            if inner.name != "__pycache__":
                _copy(inner, target / inner.name)
    elif found.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f"{target.name}.{get_ident()}")  # threads may copy the same file
        with found.open("rb") as source, part.open("wb") as copy:
            shutil.copyfileobj(source, copy)
        part.replace(target)
