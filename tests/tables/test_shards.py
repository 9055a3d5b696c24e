"""Shards: which pictures belong to which, and what a list is known by."""

from __future__ import annotations

import hashlib
import os
import random

import pytest

from facegauge.errors import UsageError
from facegauge.tables.shards import Listing, Shard, shard_of

NAMES = [f"photos/{number}.jpg" for number in range(1000)] + ["ä.png", "caf\udce9.jpg", ""]


def test_every_name_is_in_one_shard_by_its_bytes_alone() -> None:
    shards = [Shard(number, 7) for number in range(1, 8)]
    for name in NAMES:
        digest = hashlib.blake2b(os.fsencode(name), digest_size=8).digest()
        expected = int.from_bytes(digest, "big") % 7 + 1
        assert [shard.number for shard in shards if name in shard] == [expected]
        assert shard_of(name, 7) == Shard(expected, 7)
    sizes = [sum(name in shard for name in NAMES) for shard in shards]
    assert min(sizes) > 100 and max(sizes) < 190  # 143 each, within four standard deviations


@pytest.mark.parametrize("text", ["", "3", "0/8", "9/8", "1/0", "-1/8", "1/8/2", "a/b", "1/٣"])
def test_what_is_no_shard_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="expected a shard I/N"):
        Shard.parse(text)
    assert str(Shard.parse("3/8")) == "3/8"


def test_a_listing_is_the_same_in_any_order_and_another_with_another_name() -> None:
    def listing(names: list[str]) -> Listing:
        found = Listing()
        for name in names:
            found.add(name)
        return found

    shuffled = random.Random(0).sample(NAMES, len(NAMES))
    assert listing(shuffled) == listing(NAMES)
    assert listing([*NAMES[1:], "photos/x.jpg"]) != listing(NAMES)
    assert listing([*NAMES, NAMES[0]]) != listing(NAMES)
    assert listing(NAMES).to_dict()["pictures"] == 1003
    assert len(listing(NAMES).to_dict()["digest"]) == 16  # of any list
