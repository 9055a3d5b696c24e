"""Shards: shares of a list of pictures, for runs side by side that need not know of each other.

A picture's shard follows from its name alone: the first 8 bytes of the BLAKE2b hash of the name's
bytes, as a big-endian number, modulo the number of shards, counted from 1. So it is the same
whatever the order of the list, the machine and the other names. The name is what stands in the row
of the table: the path as it was given to `score`, or as seen from the table's folder for `label`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from facegauge.errors import UsageError
from facegauge.tables.cells import path_bytes

HASH_BYTES = 8
MODULO = 1 << (8 * HASH_BYTES)


@dataclass(frozen=True, slots=True)
class Shard:
    """One share of the pictures of a list; `name in shard` says whether a picture belongs to it.

    Attributes:
        number: of the share, 1 to `count`.
        count: number of shares.

    Raises:
        UsageError: there is no such share.
    """

    number: int
    count: int

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.count:
            raise UsageError(
                f"expected a shard I/N with I from 1 to N, such as 3/8, got {self.number}/"
                f"{self.count}"
            )

    @classmethod
    def parse(cls, text: str) -> Shard:
        """The shard of a text such as "3/8", the third of eight.

        Raises:
            UsageError: another text.
        """
        if not (found := re.fullmatch(r"(\d+)/(\d+)", text, re.ASCII)):
            raise UsageError(f"expected a shard I/N, such as 3/8, got {text!r}")
        return cls(int(found[1]), int(found[2]))

    def __contains__(self, name: str) -> bool:
        return _hash(name) % self.count == self.number - 1

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"


def shard_of(name: str, count: int) -> Shard:
    """The shard of `count` that a picture belongs to."""
    return Shard(_hash(name) % count + 1, count)


@dataclass(slots=True)
class Listing:
    """What a list of pictures has, whatever its order: how many names, and the sum of their hashes.

    Shards of one list have equal listings.
    """

    pictures: int = 0
    digest: int = 0

    def add(self, name: str) -> None:
        """Count one more name."""
        self.pictures += 1
        self.digest = (self.digest + _hash(name)) % MODULO

    def to_dict(self) -> dict[str, Any]:
        """As JSON types; the digest in hexadecimal digits."""
        return {"pictures": self.pictures, "digest": f"{self.digest:0{2 * HASH_BYTES}x}"}


def _hash(name: str) -> int:
    return int.from_bytes(blake2b(path_bytes(name), digest_size=HASH_BYTES).digest(), "big")
