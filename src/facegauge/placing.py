"""Puts files into folders: whole, under names that are free, each folder's files apart."""

from __future__ import annotations

import filecmp
import logging
import os
import shutil
from collections.abc import Callable, Iterable
from itertools import count
from pathlib import Path

from facegauge.errors import UsageError

logger = logging.getLogger(__name__)


class Place:
    """A folder for files that are made of pictures; pictures of two folders go to two folders.

    A file goes where its picture is below the folder that all sources have in common. It appears
    once it is complete and replaces nothing: where another file has its name, it gets a number. A
    file with the same content that is there already, as of an earlier run, stays the only one.

    Args:
        folder: is made at once if need be, not after hours of scoring.
        sources: files and folders that the pictures are found in.

    Attributes:
        folder: as given.

    Raises:
        UsageError: the folder cannot be made or written.
    """

    def __init__(self, folder: Path, sources: Iterable[str | os.PathLike[str]]) -> None:
        self.folder = folder
        self._common = common_folder(sources)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"cannot make the folder {folder}: {error.strerror}") from error
        if not os.access(folder, os.W_OK):
            raise UsageError(f"cannot write to {folder}; choose another folder")

    def holds(self, path: str | os.PathLike[str]) -> bool:
        """Whether a file is in this folder, as what an earlier run has left."""
        return Path(path).resolve().is_relative_to(self.folder.resolve())

    def beside(self, picture: Path) -> Path:
        """The folder for what is made of a picture."""
        if self._common is None:
            return self.folder
        parent = Path(os.path.abspath(picture)).parent  # noqa: PTH100  # links are not followed
        below = parent.relative_to(self._common) if parent.is_relative_to(self._common) else Path()
        return self.folder / below

    def write(self, picture: Path, name: str, write: Callable[[Path], object]) -> Path:
        """Have a file written, `write(path)`, and give it the first free name like `name`.

        Returns:
            The file; one that was there, if its content is the same.

        Raises:
            UsageError: it cannot be written.
        """
        folder = self.beside(picture)
        try:
            return write_beside(folder, name, write)
        except OSError as error:
            reason = error.strerror or error
            raise UsageError(f"cannot write {name} to {folder}: {reason}") from error

    def copy(self, picture: Path) -> Path:
        """Copy a picture with its dates, unless a copy is there.

        Returns:
            The copy.

        Raises:
            UsageError: the folder cannot be written, or the picture is gone.
        """
        folder = self.beside(picture)
        try:
            return write_beside(folder, picture.name, lambda part: _copy(picture, part))
        except OSError as error:
            raise UsageError(f"cannot copy {picture} to {folder}: {error.strerror}") from error


def common_folder(sources: Iterable[str | os.PathLike[str]]) -> Path | None:
    """The folder that some files and folders have in common, absolute; None if there is none."""
    paths = [Path(os.path.abspath(source)) for source in sources]  # noqa: PTH100
    folders = [str(path if path.is_dir() else path.parent) for path in paths]
    try:
        return Path(os.path.commonpath(folders))
    except ValueError:  # no sources, or two drives
        return None


def write_beside(folder: Path, name: str, write: Callable[[Path], object]) -> Path:
    """Have a file written in a folder, made if need be, under the first free name like `name`.

    Returns:
        The file; the first so named with the same content, if there is one.

    Raises:
        OSError: it cannot be written; nothing is left of it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    stem, suffix = Path(name).stem, Path(name).suffix
    part = folder / f".{stem}.{os.getpid()}.part"  # hidden: half a picture looks whole
    try:
        write(part)
        for number in count(1):
            target = folder / f"{stem}{f'-{number}' if number > 1 else ''}{suffix}"
            if _named(part, target) or _same(part, target):
                return target
    finally:
        part.unlink(missing_ok=True)
    raise AssertionError  # there are more numbers than files


def _copy(picture: Path, part: Path) -> None:
    shutil.copyfile(picture, part)
    try:
        shutil.copystat(picture, part)
    except OSError as error:
        logger.warning("%s is copied without its dates: %s", picture, error.strerror)


def _same(part: Path, target: Path) -> bool:
    """Whether a name is taken by a file with the same content."""
    return target.is_file() and filecmp.cmp(part, target, shallow=False)


def _named(part: Path, target: Path) -> bool:
    """Give a complete file its name at once; False, without replacing anything, if it is taken."""
    try:
        if os.name == "nt":
            part.rename(target)  # which replaces nothing there
        else:
            target.hardlink_to(part)
    except FileExistsError:
        return False
    except OSError:  # a file system without links, such as exFAT
        if os.path.lexists(target):
            return False
        part.rename(target)
    return True
