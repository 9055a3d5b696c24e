"""Maps a function over items in threads, a few items ahead of the consumer."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
S = TypeVar("S")

THREAD_NAME = "facegauge"


def default_threads() -> int:
    """One thread for each CPU that this process may use, at most 4."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min(4, usable or 1)


def map_ahead(
    function: Callable[[S], T], items: Iterable[S], threads: int
) -> Generator[T, None, None]:
    """Compute `map(function, items)` in threads, in the order of the items.

    Items are read lazily, and at most 2 * `threads` + 1 results are pending, so the iterable may be
    endless. An exception of `function` is raised in the order of its item. When the consumer closes
    the generator, pending items are cancelled and the threads end.

    Args:
        function: called in a worker thread.
        items: read in the consumer's thread.
        threads: number of worker threads.
    """
    pool = ThreadPoolExecutor(threads, thread_name_prefix=THREAD_NAME)
    running: deque[Future[T]] = deque()
    try:
        for item in items:
            running.append(pool.submit(function, item))
            if len(running) > 2 * threads:
                yield running.popleft().result()
        while running:
            yield running.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
