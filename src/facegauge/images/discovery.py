"""Which files a run takes: the pictures that files and folders stand for."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".webp", ".bmp", ".dib", ".gif"),
    *(".tif", ".tiff", ".heic", ".heif", ".hif", ".avif", ".jp2", ".tga", ".qoi"),
    *(".ppm", ".pgm", ".pbm", ".pnm"),
)
"""What a file in a folder must end in, in any case, to be taken for a picture."""


def find_pictures(paths: Iterable[str | os.PathLike[str]]) -> Iterator[str]:
    """Lists the pictures that files and folders stand for, lazily and in a stable order.

    A file is passed on whatever it is called and whether or not it exists, so that everything a
    person names gets its row. A folder is walked to the bottom, its entries sorted by name, and
    gives the files that end in one of `SUFFIXES`, dangling links too. Links to folders are
    followed; each folder is walked once, however many links or arguments lead to it, so loops end.
    Names in folders that begin with a dot are skipped. A folder that cannot be listed is passed on
    itself: opening it then says why.

    Args:
        paths: files and folders (a single path will do).

    Yields:
        Paths as they were given, those in a folder joined to it; bytes that are not UTF-8 are
        kept as surrogate escapes.
    """
    walked: set[tuple[int, int]] = set()
    for path in [paths] if isinstance(paths, str | bytes | os.PathLike) else paths:
        name = os.fsdecode(path)
        yield from _walk(name, walked) if _is_folder(Path(name)) else (name,)


def _walk(top: str, walked: set[tuple[int, int]]) -> Iterator[str]:
    """The pictures of a folder, without those of folders that were walked before."""
    pending = [(top, True)]  # paths still to come, the next one last
    while pending:
        path, is_folder = pending.pop()
        if not is_folder:
            yield path
            continue
        try:
            about = Path(path).stat()
            if (about.st_dev, about.st_ino) in walked:
                continue
            walked.add((about.st_dev, about.st_ino))
            with os.scandir(path) as listing:
                entries = sorted(listing, key=lambda entry: entry.name, reverse=True)
        except OSError:
            yield path
            continue
        for entry in entries:
            inner = _is_folder(entry)
            wanted = inner or entry.name.lower().endswith(SUFFIXES)
            if wanted and not entry.name.startswith("."):
                pending.append((entry.path, inner))


def _is_folder(place: Path | os.DirEntry[str]) -> bool:
    try:
        return place.is_dir()
    except OSError:
        return False
