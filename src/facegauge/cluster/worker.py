"""What an actor does with a block: pictures to rows, in a guarded process, and rows to a part."""

from __future__ import annotations

import io
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from facegauge.cluster.blocks import Block, Item
from facegauge.cluster.done import Done
from facegauge.cluster.stores import Store
from facegauge.cluster.tasks import Task
from facegauge.errors import MissingExtra, ScorerError
from facegauge.faces.lookahead import map_ahead
from facegauge.guard import guarded
from facegauge.results import Status
from facegauge.tables.formats import Row, jsonl_lines
from facegauge.tables.parquet import write_parquet

AHEAD = 2  # threads that read pictures while others are scored


@dataclass(frozen=True, slots=True)
class Limits:
    """When a part is closed, and when a picture has failed.

    Attributes:
        rows: of a part, at most, but for those of its last picture.
        seconds: of work for a part.
        deadline: seconds that a picture may take.
    """

    rows: int = 10_000
    seconds: float = 60.0
    deadline: float = 30.0


@dataclass(frozen=True, slots=True)
class Report:
    """What an actor has done.

    Attributes:
        pictures: that it scored.
        skipped: that an earlier run has scored.
        statuses: of the pictures, with how many have each.
        rows: of the part.
        draft: where the part is until it gets its name; "" without rows.
        rest: what is left of the block.
        seconds: of reading and of scoring.
    """

    pictures: int
    skipped: int
    statuses: Counter[str]
    rows: int
    draft: str
    rest: Block | None
    seconds: float


class Worker:
    """Scores blocks. Pictures are opened in a process of its own, which a bad one may end.

    A picture at which that process ends, or that takes longer than the deadline, is tried once more
    in a fresh one; then it has the status `error`.

    Args:
        task: what is done with each picture.
        drafts: folder for parts that have no name yet.
        limits: of parts and pictures.
        done: pictures of earlier runs.
    """

    def __init__(self, plan: tuple[Task, Store, Limits, Done]) -> None:
        task, drafts, limits, done = plan
        self._task, self._drafts, self._limits, self._done = task, drafts, limits, done
        self._encode = jsonl_lines(task.schema)
        self._items = _Feed()
        self._results = guarded(
            _Telling(task), self._items, self._failed, limits.deadline, twice=True
        )

    def score(self, block: Block, draft: str) -> Report:
        """Score a block, or as much of it as a part takes.

        Args:
            block: pictures.
            draft: name of the part's file.

        Raises:
            UsageError: the part cannot be written, or the guarded process not be started.
            ScorerError: this machine has no such scorer, or no detector.
        """
        self._task.check()
        begun = time.monotonic()
        rows: list[Row] = []
        statuses: Counter[str] = Counter()
        taken = skipped = 0
        full = False
        for item in map_ahead(self._fetched, block.items(), AHEAD):
            taken += 1
            if item is None:
                skipped += 1
                continue
            found = self._rows(item)
            rows += found
            statuses[found[0]["status"]] += 1
            full = len(rows) >= self._limits.rows
            if full or time.monotonic() - begun >= self._limits.seconds:
                full = True
                break
        target = ""
        if rows:
            target = self._write(rows, draft)
        rest = block.after(taken) if full else None
        seconds = time.monotonic() - begun
        return Report(taken - skipped, skipped, statuses, len(rows), target, rest, seconds)

    def _fetched(self, item: Item) -> Item | None:
        """A picture with its bytes; None if an earlier run has scored it."""
        return None if self._done.has(item.name) else item.fetched()

    def _rows(self, item: Item) -> list[Row]:
        if item.source is None:
            return self._task.failed(item.name, Status.UNREADABLE, item.why)
        self._items.put(item)
        found = next(self._results)
        if isinstance(found, ScorerError):
            raise found
        return found

    def _failed(self, item: Item, why: str) -> list[Row] | ScorerError:
        return self._task.failed(item.name, Status.ERROR, why)

    def _write(self, rows: list[Row], draft: str) -> str:
        """Write a part, its numbers rounded as in every table."""
        lines = self._encode.encode(rows)
        rounded = (row for row, _ in self._encode.decode(io.BytesIO(lines)) if row is not None)
        sink = io.BytesIO()
        write_parquet(sink, self._task.schema, rounded, {"settings": self._task.settings})
        target = self._drafts / draft
        target.write(sink.getvalue())
        return target.name


class _Telling:
    """Does a task, and returns what is wrong with this machine: no fault of a picture's."""

    def __init__(self, task: Task) -> None:
        self._task = task

    def __call__(self, item: Item) -> list[Row] | ScorerError:
        try:
            return self._task(item)
        except (ScorerError, MissingExtra) as error:
            return ScorerError(str(error))


class _Feed:
    """An iterator whose next item is what was put last."""

    def __init__(self) -> None:
        self._next: list[Item] = []

    def put(self, item: Item) -> None:
        self._next.append(item)

    def __iter__(self) -> Iterator[Item]:
        return self

    def __next__(self) -> Item:
        return self._next.pop()
