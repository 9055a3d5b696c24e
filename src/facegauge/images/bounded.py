"""A file that ends the reading of a header that is too long, whatever its format."""

from __future__ import annotations

import os
from typing import Any, BinaryIO

from facegauge.errors import PictureError

MAX_HEADER = 150_000_000
"""Bytes that may be read before the pixels; some formats are read whole."""

MAX_READS = 1_000_000
"""Steps of reading a header, about a second's."""


class BoundedFile:
    """A binary file that can be read only so far until it is released.

    Decoders walk the parts of a file in a loop, and keep what they read: a file can make them read
    one part again and again, or a million parts. Each step reads, so reading is where to count.

    Args:
        file: positioned anywhere.

    Attributes:
        size: of the file, in bytes.
        used: bytes read so far.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._reads, self._bounded = file, 0, True
        place = file.tell()
        self.size = file.seek(0, os.SEEK_END)
        file.seek(place)
        self.used = 0

    def read(self, count: int | None = -1) -> bytes:
        """Read as the file does.

        Raises:
            PictureError: `too_large`, more is read than a header may have.
        """
        if not self._bounded:
            return self._file.read(-1 if count is None else count)
        left = max(self.size - self._file.tell(), 0)
        count = left if count is None or count < 0 else min(count, left)
        self._reads, self.used = self._reads + 1, self.used + count
        if self.used > MAX_HEADER or self._reads > MAX_READS:
            raise PictureError(
                f"more than {MAX_HEADER / 1e6:.0f} MB or {MAX_READS} parts come before the pixels, "
                "or the file has to be read whole and is as large; save it again without metadata",
                status="too_large",
            )
        return self._file.read(count)

    def release(self) -> None:
        """End the counting: the header is read."""
        self._bounded = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)
