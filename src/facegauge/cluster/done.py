"""The pictures that earlier runs have scored, by 16 bytes each."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

from facegauge.tables.cells import path_bytes

BYTES = 16


class Done:
    """Names of pictures; no two of them are likely to have one hash before there are 10^18.

    Args:
        names: read one by one.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._hashes: npt.NDArray[np.bytes_] = np.unique(
            np.fromiter(map(_hash, names), dtype=f"S{BYTES}")
        )

    def __len__(self) -> int:
        return len(self._hashes)

    def has(self, name: str) -> bool:
        """Whether this picture has been scored."""
        if not len(self._hashes):
            return False
        found = np.bytes_(_hash(name).rstrip(b"\0"))  # as numpy gives it back
        place = int(np.searchsorted(self._hashes, found))
        return place < len(self._hashes) and bool(self._hashes[place] == found)


def _hash(name: str) -> bytes:
    return blake2b(path_bytes(name), digest_size=BYTES).digest()
