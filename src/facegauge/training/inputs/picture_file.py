"""The pictures of a run in one file, decoded and cut: read by all processes and their workers.

Nothing is held in memory. What is read often stays in the system's cache of files, once a machine.
"""

from __future__ import annotations

import os
import weakref
from contextlib import suppress
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from facegauge.arrays import Pixels
from facegauge.errors import FacegaugeError


class PictureFile:
    """A file of pixels; the process that makes it removes it once no picture of it is used.

    Args:
        path: of the file.
        fresh: make it, in place of one that is there. Otherwise another process has made it.

    Attributes:
        size: bytes that this process has written.
    """

    def __init__(self, path: Path, *, fresh: bool = False) -> None:
        self.path, self.size, self.lock = path, 0, Lock()
        self._opened: tuple[int, BufferedReader] | None = None
        if fresh:
            path.write_bytes(b"")
            weakref.finalize(self, _remove, path, os.getpid())

    def add(self, pixels: Pixels) -> Stored:
        """Write a picture, (H, W, 3) uint8, at the end."""
        with self.path.open("ab") as file:
            place = file.tell()
            file.write(np.ascontiguousarray(pixels).data)
        self.size += pixels.nbytes
        return Stored(self, place, pixels.shape)

    def read(self, place: int, shape: tuple[int, ...]) -> Pixels:
        """The pixels of one picture.

        Raises:
            FacegaugeError: the file is gone or shorter than it was.
        """
        pixels = np.empty(shape, np.uint8)
        with self.lock:
            try:
                file = self._file()
                file.seek(place)
                whole = file.readinto(pixels.data) == pixels.nbytes
            except FileNotFoundError:
                whole = False
        if not whole:
            raise FacegaugeError(
                f"{self.path} was removed or changed while it was used; continue with --resume"
            )
        return pixels

    def _file(self) -> BufferedReader:
        """The file, opened by this process: a fork must not share its parent's position."""
        if self._opened is None or self._opened[0] != os.getpid():
            self._opened = os.getpid(), self.path.open("rb")
        return self._opened[1]

    def __reduce__(self) -> tuple[Any, ...]:
        """For other processes: they read the file, and do not remove it."""
        return PictureFile, (self.path,)


@dataclass(frozen=True, slots=True)
class Stored:
    """Where one picture lies in its file.

    Attributes:
        file: the file.
        place: of its first byte.
        shape: (H, W, 3).
    """

    file: PictureFile
    place: int
    shape: tuple[int, ...]

    def read(self) -> Pixels:
        """The pixels, (H, W, 3) uint8."""
        return self.file.read(self.place, self.shape)


def _remove(path: Path, process: int) -> None:
    if os.getpid() == process:
        with suppress(OSError):
            path.unlink()
