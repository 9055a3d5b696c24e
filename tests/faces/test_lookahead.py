"""The look-ahead: order, laziness, errors, and an end when the consumer stops."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from facegauge.faces.lookahead import THREAD_NAME, default_threads, map_ahead


def ours() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith(THREAD_NAME)]


@pytest.mark.parametrize("threads", [1, 3])
def test_the_order_of_the_items_is_kept(threads: int) -> None:
    def slow_first(item: int) -> int:
        time.sleep(0.01 * (item % 3 == 0))
        return item * item

    assert list(map_ahead(slow_first, range(20), threads)) == [item * item for item in range(20)]
    assert list(map_ahead(slow_first, [], threads)) == []
    assert not ours()


def test_items_are_read_lazily_and_threads_end_with_the_consumer() -> None:
    taken = 0

    def endless() -> Iterator[int]:
        nonlocal taken
        while True:
            taken += 1
            yield taken

    found = map_ahead(lambda item: item, endless(), 2)
    for given in range(1, 30):
        assert next(found) == given
        assert taken <= given + 2 * 2 + 1
    found.close()
    assert not ours()


def test_an_exception_is_raised_at_its_place() -> None:
    found = map_ahead(lambda item: 1 // item, [1, 1, 0, 1], 2)
    assert [next(found), next(found)] == [1, 1]
    with pytest.raises(ZeroDivisionError):
        next(found)
    assert not ours()


def test_there_are_one_to_four_threads() -> None:
    assert 1 <= default_threads() <= 4
