"""Finds picture files in folders."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".webp", ".bmp", ".dib", ".gif"),
    *(".tif", ".tiff", ".heic", ".heif", ".hif", ".avif", ".jp2", ".tga", ".qoi"),
    *(".ppm", ".pgm", ".pbm", ".pnm"),
)
"""File name suffixes of pictures in folders, compared without case."""


def find_pictures(paths: Iterable[str | os.PathLike[str]]) -> Iterator[str]:
    """Find pictures, lazily and in a stable order.

    A file is yielded whatever its name is and even if it does not exist, so that every path that a
    user gives gets a row in the result. A folder is searched with its subfolders, in the order of
    names; it yields the files that end in one of `SUFFIXES`, including dangling links. Links to
    folders are followed. Each folder is searched once, so that loops end. Names that begin with a
    dot are skipped in folders. A folder that cannot be listed is yielded itself; opening it then
    reports the reason.

    Args:
        paths: files and folders, or a single path.

    Yields:
        The given files, and files in folders joined to the given path. Bytes that are not UTF-8
        are kept as surrogate escapes.
    """
    walked: set[tuple[int, int]] = set()
    for path in [paths] if isinstance(paths, str | bytes | os.PathLike) else paths:
        name = os.fsdecode(path)
        yield from _walk(name, walked) if _is_folder(Path(name)) else (name,)


def _walk(top: str, walked: set[tuple[int, int]]) -> Iterator[str]:
    """The pictures of a folder, except in folders that are in `walked`, which is extended."""
    pending = [(top, True)]  # a stack of (path, is_folder)
    while pending:
        path, is_folder = pending.pop()
        if not is_folder:
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
        for entry in entries:
            is_subfolder = _is_folder(entry)
            is_picture = entry.name.lower().endswith(SUFFIXES)
            if (is_subfolder or is_picture) and not entry.name.startswith("."):
                pending.append((entry.path, is_subfolder))


def _is_folder(entry: Path | os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False
