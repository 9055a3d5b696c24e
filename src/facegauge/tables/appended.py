"""A file that grows by appending: locked while it is open, and missed when it is taken away."""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from facegauge.errors import UsageError
from facegauge.tables.locks import hold


class AppendedFile:
    """An open file, whose end this process alone moves; a context manager that closes it.

    Args:
        path: of the file; it is made if it is not there.
        table: the table that it belongs to, for messages.
        size: bytes that count as its own, see `check`.

    Attributes:
        raw: the open file.
        size: bytes, up to the last whole write.

    Raises:
        UsageError: another process has it open.
        OSError: it cannot be written.
    """

    def __init__(self, path: Path, table: Path, size: int = 0) -> None:
        self.path, self.size = path, size
        self.raw: BinaryIO = path.open("ab", buffering=0)
        try:
            hold(self.raw, table)
            if not self.in_place(0):  # the other run was about to put it away, and has unlocked it
                raise UsageError(f"another run was writing {table}: start again")
        except UsageError:
            self.raw.close()
            raise

    def write(self, data: bytes) -> None:
        """Append bytes, all of them or, with an error, none that count.

        Raises:
            OSError: they cannot be written.
        """
        rest = memoryview(data)
        while rest:
            rest = rest[self.raw.write(rest) or 0 :]
        self.size += len(data)

    def cut(self, size: int) -> None:
        """Make `size` bytes all that there is.

        Raises:
            OSError: it cannot be written.
        """
        self.raw.truncate(size)
        self.size = size

    def in_place(self, least: int) -> bool:
        """Whether the open file is still the one under its name, with that many bytes or more."""
        try:
            named = self.path.stat()
        except FileNotFoundError:
            return False
        mine = os.fstat(self.raw.fileno())
        # some network file systems invent a number each time, so that alone it proves nothing
        gone = not mine.st_nlink and (mine.st_dev, mine.st_ino) != (named.st_dev, named.st_ino)
        return named.st_size >= least and not gone

    def check(self) -> None:
        """Refuse to go on when others took the file away or wrote to it.

        Raises:
            UsageError: it was deleted, replaced or changed.
        """
        if not self.in_place(self.size) or self.path.stat().st_size != self.size:
            raise UsageError(
                f"{self.path} was deleted, replaced or changed while this run was writing it; "
                "rows of this run may be lost. Run again, with --resume if the table is still good"
            )

    def close(self) -> None:
        """Close and unlock it."""
        self.raw.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
