"""What the service takes: every limit with its default, and the memory of bodies in flight."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields

from facegauge.errors import UsageError
from facegauge.images.costs import MAX_PIXELS
from facegauge.serve.problems import Problem

MB = 1_000_000
DAY = 86_400  # seconds


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of the service; each has a flag of the same name.

    Attributes:
        max_body: MB of the body of one request.
        max_memory: MB of all bodies that have not been answered.
        max_files: pictures in one request.
        max_pixels: pictures with more pixels are not opened.
        max_connections: connections at a time.
        queue: pictures that may be waiting or running; those of a request are taken in whole or
            not at all.
        deadline: seconds for one picture, from when a worker begins it.
        body_timeout: seconds until the headers of a request have arrived, then its body, and
            until the client has read what it was sent.

    Raises:
        UsageError: a limit that is not positive, a time of more than a day, or a limit that
            another makes senseless.
    """

    max_body: int = 64
    max_memory: int = 512
    max_files: int = 32
    max_pixels: int = MAX_PIXELS
    max_connections: int = 512
    queue: int = 64
    deadline: float = 10.0
    body_timeout: float = 30.0

    def __post_init__(self) -> None:
        for limit in fields(self):
            value = getattr(self, limit.name)
            if isinstance(value, float) and not 0 < value <= DAY:
                raise UsageError(
                    f"expected {limit.name} to be more than 0 and at most {DAY} seconds, "
                    f"got {value}"
                )
            if not 0 < value < float("inf"):
                raise UsageError(f"expected {limit.name} to be more than 0, got {value}")
        if self.queue < self.max_files:
            raise UsageError(
                f"expected queue to be at least max_files, {self.max_files}, got {self.queue}: "
                "a full request would never fit"
            )
        if self.max_memory < self.max_body:
            raise UsageError(
                f"expected max_memory to be at least max_body, {self.max_body}, "
                f"got {self.max_memory}"
            )


class HeldBytes:
    """The bytes of all bodies in flight."""

    def __init__(self, limits: Limits) -> None:
        self.total = limits.max_memory * MB
        self.used = 0

    @contextmanager
    def share(self) -> Iterator[Share]:
        """The share of one request, given back at the end of the block."""
        share = Share(self)
        try:
            yield share
        finally:
            self.used -= share.size


class Share:
    """The bytes of one request."""

    def __init__(self, held: HeldBytes) -> None:
        self._held, self.size = held, 0

    def add(self, size: int) -> None:
        """Count more bytes.

        Raises:
            Problem: 429, all requests together hold too many.
        """
        if self._held.used + size > self._held.total:
            raise Problem(
                429,
                f"all requests in flight hold {self._held.used / MB:.0f} MB and may hold "
                f"{self._held.total / MB:.0f} MB: there is no room for {size / MB:.1f} MB more; "
                "try again later",
                limit="max_memory",
                value=self._held.total,
                retry_after=1,
            )
        self._held.used += size
        self.size += size
