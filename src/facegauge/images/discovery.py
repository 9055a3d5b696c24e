"""Finds picture files in folders."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TypeGuard

from facegauge.images.formats import START, is_picture_start
from facegauge.images.suffixes import OTHER, SUFFIXES, is_system_folder, suffix_of

__all__ = ["SUFFIXES", "find_pictures", "is_folder"]


class _Kind(Enum):
    FOLDER = 0
    PICTURE = 1  # by its name
    UNKNOWN = 2  # its first bytes tell
    OTHER = 3


def find_pictures(
    paths: Iterable[str | os.PathLike[str]],
    left_out: Counter[str] | None = None,
    exclude: Sequence[str] = (),
) -> Iterator[str]:
    """Find pictures, lazily and in a stable order.

    A file is yielded whatever its name is and even if it does not exist, so that every path that a
    user gives gets a row in the result. A folder is searched with its subfolders, in the order of
    names; it yields the files that end in one of `SUFFIXES`, including dangling links, and those
    with an unknown suffix or none that begin as a picture does. Links to folders are followed. Each
    folder is searched once, so that loops end. A folder that cannot be listed is yielded itself;
    opening it then reports the reason.

    In folders, names that begin with a dot are skipped, and so are folders of programs, such as
    those for thumbnails and deleted files of network storage, see `suffixes.SYSTEM_FOLDERS`. A
    folder that is given by its name is searched whatever it is called.

    Args:
        paths: files and folders, or a single path.
        left_out: counts the files in folders that are not yielded, by suffix in lower case, "" for
            none; and the system folders, by name with "/" at the end. Excluded files are not
            counted. See `suffixes.in_words`.
        exclude: patterns (`*`, `?`, `[...]`) of files and folders to skip in folders, compared with
            their names and with their paths below the given folder.

    Yields:
        The given files, and files in folders joined to the given path. Bytes that are not UTF-8
        are kept as surrogate escapes.
    """
    walked: set[tuple[int, int]] = set()
    counts = Counter[str]() if left_out is None else left_out
    patterns = [pattern.replace(os.sep, "/").rstrip("/") for pattern in exclude]
    for path in [paths] if isinstance(paths, str | bytes | os.PathLike) else paths:
        name = os.fsdecode(path)
        if _is_folder(Path(name)):
            yield from _walk(name, walked, counts, patterns)
        else:
            yield name


def _walk(
    top: str, walked: set[tuple[int, int]], left_out: Counter[str], exclude: Sequence[str]
) -> Iterator[str]:
    """The pictures of a folder, except in folders that are in `walked`, which is extended."""
    pending = [(top, "", _Kind.FOLDER)]  # a stack of (path, path below top, kind)
    while pending:
        path, below, kind = pending.pop()
        if kind is _Kind.UNKNOWN and not _begins_as_picture(path):
            left_out[suffix_of(Path(path).name)] += 1
            continue
        if kind is not _Kind.FOLDER:
            yield path
            continue
        try:
            status = Path(path).stat()
            if (status.st_dev, status.st_ino) in walked:
                continue
            walked.add((status.st_dev, status.st_ino))
            with os.scandir(path) as listing:
                entries = sorted(listing, key=lambda entry: entry.name, reverse=True)
        except OSError:
            yield path
            continue
        parent = Path(path).name
        for entry in entries:
            inner = f"{below}/{entry.name}" if below else entry.name
            if entry.name.startswith(".") or _excluded(entry.name, inner, exclude):
                continue
            if (kind := _kind_of(entry, parent)) is _Kind.OTHER:
                left_out[f"{entry.name}/" if _is_folder(entry) else suffix_of(entry.name)] += 1
            else:
                pending.append((entry.path, inner, kind))


def _kind_of(entry: os.DirEntry[str], parent: str) -> _Kind:
    if _is_folder(entry):
        return _Kind.OTHER if is_system_folder(entry.name, parent) else _Kind.FOLDER
    suffix = suffix_of(entry.name)
    if suffix in SUFFIXES:
        return _Kind.PICTURE
    return _Kind.OTHER if suffix in OTHER else _Kind.UNKNOWN


def _excluded(name: str, below: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, one) or fnmatchcase(below, one) for one in patterns)


def _begins_as_picture(path: str) -> bool:
    try:
        if not stat.S_ISREG(Path(path).stat().st_mode):  # opening a pipe would wait for ever
            return False
        with Path(path).open("rb", buffering=0) as file:
            return is_picture_start(file.read(START))
    except OSError:
        return False


def is_folder(source: object) -> TypeGuard[str | os.PathLike[str]]:
    """Whether this is the path of a folder."""
    if not isinstance(source, str | os.PathLike) or not os.fspath(source):
        return False
    return _is_folder(Path(os.fsdecode(source)))


def _is_folder(entry: Path | os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False
