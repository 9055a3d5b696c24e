"""The folder that a run writes: finished parts, `_facegauge.json`, and drafts without a name yet.

An actor writes a part into `_drafts`; the driver, which alone gives names, moves it to its place.
So a part is there once or not at all, whatever dies when. What an actor has not handed in is scored
again.
"""

from __future__ import annotations

import io
import json
import logging
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any
from uuid import uuid4

from facegauge.cluster.done import Done
from facegauge.cluster.lease import LOCK, Lease
from facegauge.cluster.stores import Store
from facegauge.cluster.tasks import Task
from facegauge.errors import UsageError
from facegauge.tables.cells import path_from_cell
from facegauge.tables.notes import differences, in_json
from facegauge.tables.parquet import read_parquet_notes

logger = logging.getLogger(__name__)

INFO, DRAFTS = "_facegauge.json", "_drafts"
SUFFIX = ".parquet"
OWN = {LOCK, DRAFTS, INFO, INFO + ".new"}
PART = re.compile(r"part-\d{6,}-[0-9a-f]{8}\.parquet")


def earlier(store: Store, task: Task, *, resume: bool) -> dict[str, Any]:
    """What `_facegauge.json` of an earlier run has; nothing if there is none, or it is damaged.

    Args:
        store: the folder of a run, which need not be there.
        task: whose rows are to be written.
        resume: go on with what is there, if anything.

    Raises:
        UsageError: another run is there, or had other settings; the folder cannot be read.
    """
    kind = store.kind
    if kind == "file":
        raise UsageError(f"{store.name} is a file; expected a folder to write parts to")
    entries = {name for name, _ in store.entries()} if kind else set()
    parts = {name for name in entries if PART.fullmatch(name)}
    if entries <= OWN - {INFO}:  # nothing, or of a run that was killed before it began
        return {}
    if INFO not in entries and entries - parts - OWN:
        raise UsageError(f"{store.name} has other files; choose a new folder")
    if not resume:
        raise UsageError(
            f"{store.name} has the parts of another run: continue it with --resume, or choose a "
            "new folder"
        )
    old: dict[str, Any] = {}
    if INFO in entries:
        with suppress(ValueError, TypeError):  # the parts have their settings, too
            old = dict(json.loads((store / INFO).read()))
    _check_settings(old.get("settings"), task, store.name)
    return old


def _check_settings(old: Any, task: Task, of: str) -> None:
    if isinstance(old, dict) and (differing := differences(old, in_json(task.settings))):
        raise UsageError(
            f"cannot resume {of} with other settings: {'; '.join(differing)}; repeat the old ones "
            "or choose a new folder"
        )


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
        earlier(store, task, resume=resume)
        store.make_folder()
        (store / DRAFTS).make_folder()
        self._id = uuid4().hex
        self._lease = Lease(store, self._id)
        try:
            old = earlier(store, task, resume=resume)  # as another run may have left it meanwhile
            self._parts = self._read_parts() if resume else []
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
            UsageError: it cannot be moved, or another run has taken the folder.
        """
        self._lease.check()
        if draft:
            name = f"part-{len(self._parts):06}-{self._id[:8]}{SUFFIX}"
            Store(draft).move(self.store / name)
            self._parts.append(name)
        self.rows += rows
        self.statuses += statuses

    def finish(self) -> None:
        """Note that all pictures have their rows.

        Raises:
            UsageError: it cannot be written.
        """
        self._save(finished=True)

    def close(self) -> None:
        """Let other runs have the folder."""
        self._lease.close()

    def _read_parts(self) -> list[str]:
        """The whole parts; what is damaged is taken away, so that its pictures are scored again."""
        parts: list[str] = []

        def names() -> Iterator[str]:
            for name, _ in self.store.entries():
                if not name.endswith(SUFFIX):
                    continue
                if not PART.fullmatch(name):
                    raise _foreign(self.store / name)
                if rows := self._rows_of(name):
                    parts.append(name)
                    yield from self._count(rows)

        self.done = Done(names())
        return parts

    def _rows_of(self, name: str) -> list[tuple[str, str, int | None]]:
        """Picture, status and face of a part's rows; none if it is damaged."""
        from pyarrow import parquet

        part = self.store / name
        data = part.read()  # what cannot be read is not damaged
        columns = [self._task.key, "status"]
        columns += ["face"] if "face" in self._task.schema else []
        try:
            table = parquet.read_table(io.BytesIO(data))
            settings = read_parquet_notes(io.BytesIO(data)).get("settings")
            rows = [table.column(one).to_pylist() for one in columns if one in table.column_names]
        except Exception as error:  # any, as of damaged files
            logger.info("%s is damaged and its pictures are scored again: %s", name, error)
            part.remove()
            return []
        if settings is None or table.column_names != list(self._task.schema.names):
            raise _foreign(part)
        _check_settings(settings, self._task, part.name)
        return list(zip(*rows, *([[None] * len(table)] * (3 - len(rows))), strict=True))

    def _count(self, rows: list[tuple[str, str, int | None]]) -> Iterator[str]:
        """The names of a part's pictures, each once; counts what the part has."""
        last = None
        for picture, status, face in rows:
            self.rows += 1
            if picture != last or not face:
                self.statuses[status] += 1
                yield path_from_cell(picture)
            last = picture

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


def _foreign(file: Store) -> UsageError:
    return UsageError(f"{file.name} is no part of this run; move it to another folder")
