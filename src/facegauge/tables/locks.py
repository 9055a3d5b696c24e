"""One writer at a time: a file that is being written is locked until it is closed."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import BinaryIO

from facegauge.errors import UsageError

FAR = 1 << 62  # Windows locks bytes, and may lock some that no file has


def hold(file: BinaryIO, table: Path, instead: str = "write another table") -> None:
    """Lock an open file for this process; the system unlocks it when it is closed or killed.

    Where the file system has no locks, as some network file systems, nothing is locked.

    Args:
        file: open for writing.
        table: the table, or the folder, that it belongs to, for the message.
        instead: what else the user can do.

    Raises:
        UsageError: another process, or this one through another handle, has locked it.
    """
    try:
        _lock(file)
    except (BlockingIOError, PermissionError):
        raise UsageError(
            f"another run is writing {table}: wait for its end, or {instead}"
        ) from None
    except OSError:
        pass


if sys.platform == "win32":
    import msvcrt

    def _lock(file: BinaryIO) -> None:
        place = os.lseek(file.fileno(), 0, os.SEEK_CUR)
        os.lseek(file.fileno(), FAR, os.SEEK_SET)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        finally:
            os.lseek(file.fileno(), place, os.SEEK_SET)

else:
    import fcntl

    def _lock(file: BinaryIO) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
