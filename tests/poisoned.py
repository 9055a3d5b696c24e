"""Work on a cluster with pictures that end, hang or fill the process that opens them, by name."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

from facegauge.cluster.blocks import Item
from facegauge.cluster.tasks import ScoreTask
from facegauge.errors import ScorerError

LIMIT = 1_000_000_000  # bytes that the process may take beside what it has


def _crash() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def _hang() -> None:
    time.sleep(1000)


def _take_memory() -> None:
    """Take 4 GB on a machine that has less."""
    import resource

    pages = int(open("/proc/self/statm").read().split()[5])  # noqa: PTH123, SIM115
    limit = pages * os.sysconf("SC_PAGE_SIZE") + LIMIT
    resource.setrlimit(resource.RLIMIT_DATA, (limit, resource.getrlimit(resource.RLIMIT_DATA)[1]))
    bytearray(4_000_000_000)


WAYS = {"crash": _crash, "hang": _hang, "memory": _take_memory}


class PoisonedTask(ScoreTask):
    """Scores pictures; those with such a word in their names are poison."""

    def __call__(self, item: Item) -> list[dict[str, Any]]:
        for way, act in WAYS.items():
            if way in item.name:
                act()
        return super().__call__(item)


class BrokenTask(ScoreTask):
    """Scores pictures on a machine without a detector."""

    def __call__(self, item: Item) -> list[dict[str, Any]]:
        raise ScorerError("the face detector's model is missing")
