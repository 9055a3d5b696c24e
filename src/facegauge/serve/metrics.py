"""Counters and times for Prometheus; nothing of a picture, a name or an address is among them."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import (
    CollectorRegistry,
    Counter,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from facegauge.serve.limits import HeldBytes
from facegauge.serve.pool import WorkerPool

SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Metrics:
    """The metrics of one service."""

    def __init__(self, pool: WorkerPool, held: HeldBytes) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "facegauge_requests",
            "Requests answered, by path and status; 499: the client went away",
            ["path", "status"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "facegauge_request_seconds",
            "From the headers of a request to its answer",
            ["path"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self.pictures = Counter(
            "facegauge_pictures", "Pictures answered, by status", ["status"], registry=self.registry
        )
        self.faces = Counter("facegauge_faces", "Faces scored", registry=self.registry)
        self.registry.register(_Now(pool, held))
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)


class _Now(Collector):
    """What is read from the pool when it is asked for."""

    def __init__(self, pool: WorkerPool, held: HeldBytes) -> None:
        self._pool, self._held = pool, held

    def collect(self) -> Iterator[Metric]:
        pool, gauge = self._pool, GaugeMetricFamily
        yield gauge("facegauge_queue_pictures", "Pictures waiting or running", pool.unanswered)
        yield gauge("facegauge_queue_limit", "Pictures that may be waiting or running",
                    pool.capacity)  # fmt: skip
        yield gauge("facegauge_held_bytes", "Bytes of bodies in flight", self._held.used)
        yield gauge("facegauge_workers", "Worker processes", pool.workers)
        yield gauge("facegauge_workers_ready", "Worker processes that are ready", pool.ready)
        yield CounterMetricFamily(
            "facegauge_workers_replaced", "Worker processes that were replaced", pool.replaced
        )
