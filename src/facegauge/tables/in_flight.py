"""The pictures that a run has begun, in a file beside its table, `<table>.begun.jsonl`.

The file grows by a line for each picture before it is opened, and is gone after a run that ends by
itself, well or not. If it is there, the last run was killed, and one of the pictures that it names
and the table lacks may be the cause. The lines are not forced to the disk: they survive the end of
the process, if not that of the computer.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import BinaryIO


class InFlight:
    """The names of the pictures that a run has begun.

    Args:
        table: the run's table.
    """

    def __init__(self, table: Path) -> None:
        self.file = table.with_name(table.name + ".begun.jsonl")
        self._open: BinaryIO | None = None

    def add(self, name: str) -> None:
        """Note that a picture is begun.

        Raises:
            OSError: it cannot be written.
        """
        if self._open is None:
            self._open = self.file.open("ab", buffering=0)
        self._open.write(json.dumps(name).encode() + b"\n")

    def names(self) -> list[str]:
        """What a run that was killed has left, in its order; damaged lines are passed over.

        Raises:
            OSError: it cannot be read.
        """
        names = []
        for line in self.file.read_bytes().splitlines() if self.file.exists() else ():
            try:
                name = json.loads(line)
            except ValueError:  # cut when the computer went down
                continue
            if isinstance(name, str):
                names.append(name)
        return names

    def clear(self) -> None:
        """Nothing is in flight.

        Raises:
            OSError: the file cannot be deleted.
        """
        if self._open is not None:
            self._open.close()
            self._open = None
        self.file.unlink(missing_ok=True)
