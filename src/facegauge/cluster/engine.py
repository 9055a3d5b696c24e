"""Ray: the cluster, its actors, and which of them has which block."""

from __future__ import annotations

import logging
import os
import socket
import sys
import time
from collections import deque
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from typing import Any
from uuid import uuid4

from facegauge.cluster.blocks import Block
from facegauge.cluster.done import Done
from facegauge.cluster.stores import Store
from facegauge.cluster.tasks import Task
from facegauge.cluster.worker import Limits, Report, Worker
from facegauge.errors import FacegaugeError, MissingExtra, UsageError, in_one_line

logger = logging.getLogger(__name__)

TRIES = 5  # actors that may die at one block
PAUSE = 1.0  # seconds before the next try, and as many more before each later one
CONNECT = 5.0  # seconds for a cluster to answer
STARTS = 3  # tries to start a cluster: on a busy machine one takes more than Ray's 30 s
TICK = 5.0  # seconds between signs of life while all actors are at work


@contextmanager
def ray_cluster(address: str | None) -> Iterator[Any]:
    """The module `ray`, connected to a cluster: to this one, or to one on this machine.

    Args:
        address: of a running cluster, such as "auto", "host:6379" or "ray://host:10001".

    Raises:
        UsageError: there is none, or it has another version of Ray or Python.
        MissingExtra: Ray is not installed.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # which would be sent over the network
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # of which it warns
    try:
        import ray
    except ImportError as error:
        raise MissingExtra("--on ray", "cluster") from error
    if not hasattr(ray, "init"):  # a folder of that name in the current one
        raise MissingExtra("--on ray", "cluster")
    quiet: dict[str, Any] = {"logging_level": logging.CRITICAL, "log_to_driver": False}
    if address is not None:
        _check_answers(address)
    begun = not ray.is_initialized()
    if begun and address is not None:
        _connect(ray, address, address=address, **quiet)
    elif begun:
        for left in reversed(range(STARTS)):
            try:
                _connect(ray, None, num_cpus=_cpus(), include_dashboard=False, **quiet)
                break
            except UsageError:
                ray.shutdown()
                if not left:
                    raise
    try:
        yield ray
    finally:
        if begun:
            ray.shutdown()


def _connect(ray: Any, cluster: str | None, **options: Any) -> None:
    try:
        ray.init(**options)
    except Exception as error:  # of many kinds
        place = f"the Ray cluster at {cluster}" if cluster else "a Ray cluster on this machine"
        raise UsageError(f"cannot use {place}: {in_one_line(error)}") from error


def reports(
    ray: Any,
    task: Task,
    blocks: Iterator[Block],
    drafts: Store,
    *,
    limits: Limits,
    done: Done,
    actors: int | None,
) -> Generator[Report | None, None, None]:
    """What the actors have done, report by report; None now and then while all are at work.

    A block whose actor dies goes to another one.

    Args:
        ray: see `ray_cluster`.
        task: what is done with each picture.
        blocks: read as actors are free for them.
        drafts: where actors write parts.
        limits: of parts and pictures.
        done: pictures of earlier runs.
        actors: how many; one for each CPU of the cluster by default.

    Raises:
        UsageError: an actor cannot read, write or open the scorer; several died at one block.
    """
    count = actors or max(1, int(ray.cluster_resources().get("CPU", 1)))
    remote = ray.remote(num_cpus=1, max_restarts=0)(_Actor)
    shared = ray.put((task, drafts, limits, done))
    idle: list[Any] = []
    busy: dict[Any, tuple[Any, Block]] = {}
    again: deque[Block] = deque()
    deaths: dict[Block, int] = {}
    try:
        while True:
            while len(busy) < count:
                block = again.popleft() if again else next(blocks, None)
                if block is None:
                    break
                if not idle:
                    idle.append(remote.remote(shared))
                actor = idle.pop()
                busy[actor.score.remote(block, f"{uuid4().hex}.parquet")] = actor, block
            if not busy:
                return
            ready, _ = ray.wait(list(busy), num_returns=1, timeout=TICK)
            if not ready:
                yield None
            for reference in ready:
                actor, block = busy.pop(reference)
                try:
                    report = ray.get(reference)
                except ray.exceptions.RayTaskError as error:
                    idle.append(actor)
                    raise _plain(error) from error
                except ray.exceptions.RayError as error:  # it died, also for lack of memory
                    with suppress(Exception):  # or is only out of reach
                        ray.kill(actor)
                    deaths[block] = deaths.get(block, 0) + 1
                    _check_deaths(block, deaths[block], error)
                    time.sleep(deaths[block] * PAUSE)
                    again.append(block)
                    continue
                idle.append(actor)
                if report.rest is not None:
                    again.append(report.rest)
                yield report
    finally:
        for actor in [*idle, *(actor for actor, _ in busy.values())]:
            with suppress(Exception):
                ray.kill(actor)


class _Actor(Worker):
    """A worker in a process of Ray's."""

    def __init__(self, plan: tuple[Task, Store, Limits, Done]) -> None:
        # whose script is Ray's own: the processes that it starts need not run it
        vars(sys.modules["__main__"]).pop("__file__", None)
        super().__init__(plan)


def _check_deaths(block: Block, deaths: int, error: Exception) -> None:
    first = next(iter(block.items()), None)
    name = first.name if first else "an empty block"
    if deaths >= TRIES:
        raise UsageError(
            f"{deaths} actors in a row have died at the pictures from {name} on: "
            f"{str(error).strip().splitlines()[0].rstrip('.')}"
        )
    logger.info("an actor has died at the pictures from %s on, which another one takes", name)


def _plain(error: Any) -> Exception:
    """The error of an actor as it was raised there."""
    cause = error.cause
    return (
        cause
        if isinstance(cause, FacegaugeError)
        else UsageError(f"an actor failed: {in_one_line(cause or error)}")
    )


def _check_answers(address: str) -> None:
    """Refuse an address at which nothing answers; Ray would try for minutes."""
    if address == "auto":
        return
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdigit():
        raise UsageError(
            f"expected --ray-address to be auto, HOST:PORT or ray://HOST:PORT, got {address}"
        )
    try:
        socket.create_connection((host, int(port)), CONNECT).close()
    except OSError as error:
        raise UsageError(
            f"no Ray cluster answers at {address}: {error.strerror or error}"
        ) from error


def _cpus() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
