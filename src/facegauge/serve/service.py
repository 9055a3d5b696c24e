"""The service without its paths: takes the pictures of a request, and has them scored."""

from __future__ import annotations

import asyncio
import logging
import math
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass
from typing import Any

from starlette.requests import ClientDisconnect, Request

from facegauge.errors import UsageError
from facegauge.results import ImageScore, Status
from facegauge.scorer import Scorer
from facegauge.serve.bodies import read_pictures, until_gone
from facegauge.serve.limits import HeldBytes, Limits
from facegauge.serve.metrics import Metrics
from facegauge.serve.pool import PoolFull, WorkerLost, WorkerPool
from facegauge.serve.problems import Problem
from facegauge.serve.scoring import OpenScorer, Options, Scored, Task

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Model:
    """What is told of the scorer."""

    name: str
    version: str
    sha256: str
    summary: str
    licence: str
    heat_map: bool

    @classmethod
    def of(cls, scorer: Scorer) -> Model:
        card = scorer.card
        return cls(
            card.name, card.version, card.sha256, card.summary, card.licence, scorer.has_heat_map
        )


class Service:
    """Scores the pictures of requests in worker processes.

    Args:
        scorer: only read; each worker opens its own.
        workers: number of worker processes.
        limits: what is taken.
        key: that requests have to show; None: none.
        device: where the workers' networks compute, see `Scorer`.

    Attributes:
        stopping: no new request is taken.
    """

    def __init__(
        self,
        scorer: Scorer,
        workers: int,
        limits: Limits,
        key: str | None = None,
        device: str = "cpu",
    ) -> None:
        self.model, self.limits, self.key = Model.of(scorer), limits, key
        self.pool = WorkerPool(
            OpenScorer(scorer.folder, limits.max_pixels, device),
            workers,
            deadline=limits.deadline,
            capacity=limits.queue,
        )
        self.held = HeldBytes(limits)
        self.metrics = Metrics(self.pool, self.held)
        self.stopping = False
        self._halted = asyncio.Event()
        # no accepted picture can take longer: all before it pass their deadline
        self._longest = limits.deadline * (limits.queue / workers + 1) + 10

    def halt(self) -> None:
        """Answer all that is still waiting with 503."""
        self._halted.set()

    def check_ready(self) -> None:
        """Refuse a request that could not be worked on.

        Raises:
            Problem: 503, before the first worker is ready or after the signal to stop.
        """
        if self.stopping:
            raise _stopping()
        if not self.pool.complete:
            raise Problem(
                503,
                f"the service is starting: {self.pool.ready} of {self.pool.workers} workers are "
                "ready; try again in a second",
                retry_after=1,
            )

    async def score(self, request: Request, options: Options) -> list[Scored]:
        """The results of the pictures of a request, in the order sent.

        Raises:
            Problem: the request cannot be answered as asked.
            ClientDisconnect: the client went away; its pictures have freed their places.
        """
        self.check_ready()
        if options.heat_map and not self.model.heat_map:
            raise Problem(
                422,
                f"heat_map: got true, but the scorer {self.model.name} has no heat map; leave it "
                "out",
            )
        if self.pool.unanswered >= self.pool.capacity:
            raise self._full("at least 1")
        with self.held.share() as share:
            reading = asyncio.ensure_future(read_pictures(request, self.limits, share))
            pictures = await self._unless_halted(reading)
            tasks = [Task(name, data, options) for name, data in pictures]
            try:
                futures = self.pool.submit(tasks)
            except PoolFull:
                raise self._full(str(len(tasks))) from None
            outcomes = await self._outcomes(request, futures)
        alone = len(tasks) == 1
        scored = [
            self._scored(task, outcome, alone)
            for task, outcome in zip(tasks, outcomes, strict=True)
        ]
        for one in scored:
            self.metrics.pictures.labels(one.result.status.value).inc()
            self.metrics.faces.inc(len(one.result.faces))
        return scored

    async def _outcomes(self, request: Request, futures: list[Future[Scored]]) -> list[Any]:
        """Results and exceptions; when the client goes away, its pictures free their places."""
        all_done = asyncio.gather(*map(asyncio.wrap_future, futures), return_exceptions=True)
        gone = asyncio.ensure_future(until_gone(request))
        try:
            done = await self._unless_halted(
                asyncio.ensure_future(_first(all_done, gone, self._longest))
            )
            if done is all_done:
                return list(all_done.result())
            if done is gone:
                raise ClientDisconnect
            raise Problem(503, "no worker could begin in time; try again later", retry_after=1)
        finally:
            gone.cancel()
            for future in futures:
                future.cancel()

    async def _unless_halted(self, work: asyncio.Future[Any]) -> Any:
        """What some work returns; it is given up when the service halts."""
        halted = asyncio.ensure_future(self._halted.wait())
        try:
            await asyncio.wait((work, halted), return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                raise _stopping()
            return work.result()
        finally:
            halted.cancel()
            work.cancel()

    def _full(self, pictures: str) -> Problem:
        """No room for the pictures of a request."""
        wait = max(1, math.ceil(self.pool.expected_wait))
        return Problem(
            429,
            f"the queue has room for {self.pool.capacity} pictures and holds "
            f"{self.pool.unanswered}; this request has {pictures}: try again in {wait} s, or with "
            "fewer",
            limit="queue",
            value=self.pool.capacity,
            retry_after=wait,
        )

    def _scored(self, task: Task, outcome: Any, alone: bool) -> Scored:
        """The result of a picture; one that its worker did not survive is an error."""
        if isinstance(outcome, Scored):
            return outcome
        if isinstance(outcome, WorkerLost):
            if alone:
                raise Problem(
                    504,
                    f"the picture could not be scored: {outcome}; try again once, or send a "
                    "smaller copy of it",
                )
            return Scored(ImageScore(task.name, Status.ERROR, (), f"not scored: {outcome}"))
        if isinstance(outcome, UsageError):
            raise Problem(422, str(outcome))
        if isinstance(outcome, CancelledError | asyncio.CancelledError):
            raise _stopping()
        raise outcome


async def _first(
    one: asyncio.Future[Any], other: asyncio.Future[Any], seconds: float
) -> asyncio.Future[Any] | None:
    """Which of the two is done first, the one if both; None if neither is in time."""
    done, _ = await asyncio.wait((one, other), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    return one if one in done else other if done else None


def _stopping() -> Problem:
    return Problem(503, "the service is stopping; try again in 5 s", retry_after=5, close=True)
