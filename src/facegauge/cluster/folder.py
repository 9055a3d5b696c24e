"""The folder that a run writes: finished parts, `_facegauge.json`, and drafts without a name yet.

An actor writes a part into `_drafts`; the driver, which alone gives names, moves it to its place.
So a part is there once or not at all, whatever dies when. What an actor has not handed in is scored
again.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO
from uuid import uuid4

from facegauge.cluster.done import Done
from facegauge.cluster.stores import Store
from facegauge.cluster.tasks import Task
from facegauge.errors import UsageError
from facegauge.tables.cells import path_from_cell
from facegauge.tables.locks import hold
from facegauge.tables.notes import differences, in_json

logger = logging.getLogger(__name__)

INFO, LOCK, DRAFTS = "_facegauge.json", "_facegauge.lock", "_drafts"
SUFFIX = ".parquet"
LEASE = 120.0
"""Seconds after which a run in a store, which has no locks, counts as dead."""
RENEW = 20.0


class Folder:
    """The output of a run, held by this process until `close`.

    Args:
        store: the folder.
        task: whose rows are written.
        inputs: what the run reads, for `_facegauge.json`.
        resume: go on with what is there, if anything.

    Attributes:
        done: the pictures that are there.
        statuses: of the pictures, with how many have each.
        rows: of all parts.

    Raises:
        UsageError: another run is there, is at work, or had other settings; it cannot be written.
    """

    def __init__(
        self, store: Store, task: Task, inputs: Mapping[str, Any], *, resume: bool
    ) -> None:
        self.store, self._task = store, task
        self.statuses: Counter[str] = Counter()
        self.rows = 0
        self.done = Done()
        old = self._old(resume)
        store.make_folder()
        (store / DRAFTS).make_folder()
        self._id = uuid4().hex
        self._lock = self._take()
        try:
            self._parts = list(self._read_parts()) if resume else []
            self._info = {
                "run": old.get("run", self._id),
                "settings": in_json(task.settings),
                "inputs": in_json(inputs),
            }
            for name, _ in (store / DRAFTS).entries():
                (store / DRAFTS / name).remove()
            self._save(finished=False)
        except BaseException:
            self.close()
            raise

    @property
    def drafts(self) -> Store:
        return self.store / DRAFTS

    def add(self, draft: str, rows: int, statuses: Counter[str]) -> None:
        """Give a draft its name, and count it.

        Raises:
            UsageError: it cannot be moved.
        """
        if draft:
            name = f"part-{len(self._parts):06}-{self._id[:8]}{SUFFIX}"
            Store(draft).move(self.store / name)
            self._parts.append(name)
        self.rows += rows
        self.statuses += statuses
        self.renew()

    def renew(self) -> None:
        """Tell other runs that this one is at work, where the store has no locks."""
        if self._lock is None and time.time() - self._told > RENEW:
            self._tell()

    def finish(self) -> None:
        """Note that all pictures have their rows.

        Raises:
            UsageError: it cannot be written.
        """
        self._save(finished=True)

    def close(self) -> None:
        """Let other runs have the folder."""
        if self._lock is not None:
            self._lock.close()
        else:
            (self.store / LOCK).remove()

    def _old(self, resume: bool) -> dict[str, Any]:
        """What `_facegauge.json` of an earlier run has."""
        kind = self.store.kind
        if kind == "file":
            raise UsageError(f"{self.store.name} is a file; expected a folder to write parts to")
        entries = [name for name, _ in self.store.entries()] if kind else []
        if not entries:
            return {}
        if INFO not in entries:
            if set(entries) <= {LOCK, DRAFTS}:  # of a run that was killed before it began
                return {}
            raise UsageError(f"{self.store.name} has other files; choose a new folder")
        if not resume:
            raise UsageError(
                f"{self.store.name} has the parts of another run: continue it with --resume, or "
                "choose a new folder"
            )
        try:
            old = dict(json.loads((self.store / INFO).read()))
            settings = dict(old["settings"])
        except (ValueError, KeyError, TypeError) as error:
            raise UsageError(f"{self.store.name}: {INFO} is damaged: {error}") from error
        if differing := differences(settings, in_json(self._task.settings)):
            raise UsageError(
                f"cannot resume {self.store.name} with other settings: {'; '.join(differing)}; "
                "repeat the old ones or choose a new folder"
            )
        return old

    def _read_parts(self) -> Iterator[str]:
        """The whole parts; what is damaged is taken away, so that its pictures are scored again."""

        def names() -> Iterator[str]:
            for part in parts:
                yield from self._names(part)

        found = [name for name, _ in self.store.entries() if name.endswith(SUFFIX)]
        parts = [name for name in found if self._is_whole(name)]
        self.done = Done(names())
        return iter(parts)

    def _is_whole(self, name: str) -> bool:
        try:
            for _ in self._columns(name):
                pass
        except Exception as error:  # any, as of damaged files
            logger.info("%s is damaged and its pictures are scored again: %s", name, error)
            (self.store / name).remove()
            return False
        return True

    def _names(self, name: str) -> Iterator[str]:
        """The names of a part's pictures, each once; counts what the part has."""
        last = None
        for picture, status, face in self._columns(name):
            self.rows += 1
            if picture != last or not face:
                self.statuses[status] += 1
                yield path_from_cell(picture)
            last = picture

    def _columns(self, name: str) -> Iterator[tuple[str, str, int | None]]:
        from pyarrow import parquet

        columns = [self._task.key, "status"]
        columns += ["face"] if "face" in self._task.schema else []
        with (self.store / name).open() as file:
            for batch in parquet.ParquetFile(file).iter_batches(columns=columns):
                texts = [batch.column(one).to_pylist() for one in columns]
                yield from zip(*texts, *([[None] * len(batch)] * (3 - len(texts))), strict=True)

    def _save(self, *, finished: bool) -> None:
        info = {
            **self._info,
            "finished": finished,
            "pictures": self.statuses.total(),
            "rows": self.rows,
            "status": dict(sorted(self.statuses.items())),
            "parts": self._parts,
        }
        (self.store / INFO).replace((json.dumps(info, indent=2) + "\n").encode())

    def _take(self) -> BinaryIO | None:
        """Hold the folder: by a lock of the system, or by a file that says who is at work."""
        lock = self.store / LOCK
        instead = "write to another folder"
        if self.store.is_local:
            file = open(lock.name, "ab")  # noqa: SIM115, PTH123  # open until `close`
            try:
                hold(file, self.store.name, instead)  # type: ignore[arg-type]
            except UsageError:
                file.close()
                raise
            return file
        other = self._holder()
        if other is not None and time.time() - float(other.get("time", 0)) < LEASE:
            raise UsageError(
                f"another run is writing {self.store.name}, on {other.get('host')}: wait for its "
                f"end, or, if it was killed, {LEASE:.0f} s; or {instead}"
            )
        self._tell()
        if (self._holder() or {}).get("run") != self._id:
            raise UsageError(f"another run has begun to write {self.store.name}: {instead}")
        return None

    def _holder(self) -> dict[str, Any] | None:
        lock = self.store / LOCK
        try:
            return dict(json.loads(lock.read())) if lock.kind else None
        except ValueError:  # half written
            return None

    def _tell(self) -> None:
        self._told = time.time()
        now = {"run": self._id, "host": socket.gethostname(), "pid": os.getpid()}
        (self.store / LOCK).replace(json.dumps(now | {"time": self._told}).encode())
