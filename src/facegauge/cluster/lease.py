"""One run at a time in a folder: by a lock of the system, and by a file in which a run shows life.

Stores have no locks, and those of network file systems may hold on one host only. So a run writes
its name into a file again and again. Another one that finds a name there looks whether the file
changes, which no difference of clocks disturbs; if it does not, the first one has been killed.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import time
from contextlib import suppress
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any, BinaryIO
from uuid import uuid4

from facegauge.cluster.stores import Store
from facegauge.errors import UsageError
from facegauge.tables.locks import hold

logger = logging.getLogger(__name__)

LOCK = "_facegauge.lock"
RENEW = 15.0
"""Seconds between signs of life."""
WATCH = 60.0
"""Seconds without one after which a run counts as killed."""
LOOK = 1.0
"""Seconds between looks at another run's file."""
SETTLE = 1.0
"""Seconds in which one of two runs that begin at once sees the other's name."""
WIDTH = 512
"""Bytes of the file on this machine."""
INSTEAD = "write to another folder"


class Lease:
    """The right to write a folder, until `close`.

    Args:
        folder: is there.
        run: name of this run.

    Raises:
        UsageError: another run is at work there, or the folder cannot be written.
    """

    def __init__(self, folder: Store, run: str) -> None:
        self._folder, self._file, self._run = folder, folder / LOCK, run
        self._host = socket.gethostname()
        self._closed, self._lost, self._told = Event(), "", 0.0
        self._one = Lock()  # that renews at a time
        self._held: BinaryIO | None = self._lock() if folder.is_local else None
        try:
            self._wait_for_others()
            self._tell()
            if self._held is None:
                time.sleep(SETTLE)
            self._look()
        except BaseException:
            self._release()
            raise
        self._renewing = Thread(target=self._renew, daemon=True)
        self._renewing.start()

    def check(self) -> None:
        """See that the folder is still this run's.

        Raises:
            UsageError: another run has taken it, since this one gave no sign of life for long.
        """
        if not self._lost and time.monotonic() - self._told > 2 * RENEW:  # it was stopped meanwhile
            self._renew_once()
        if self._lost:
            raise UsageError(self._lost)

    def close(self) -> None:
        """Let other runs have the folder."""
        self._closed.set()
        self._renewing.join()
        if not self._lost:
            with suppress(UsageError, OSError):  # after `WATCH` others have it anyway
                if self._held is None:
                    self._file.remove()
                else:
                    self._write(b"")
        self._release()

    def _lock(self) -> BinaryIO:
        try:
            Path(self._file.name).touch()
            file = open(self._file.name, "r+b")  # noqa: SIM115, PTH123  # open until `close`
        except OSError as error:
            raise UsageError(f"cannot write {self._file.name}: {error.strerror}") from error
        try:
            hold(file, self._folder.name, INSTEAD)  # type: ignore[arg-type]
        except UsageError:
            file.close()
            raise
        return file

    def _release(self) -> None:
        if self._held is not None:
            with suppress(OSError):
                self._held.close()

    def _wait_for_others(self) -> None:
        """Return once no other run shows life."""
        found = self._content()
        host = _read(found).get("host")
        if found is None or (self._held is not None and host == self._host):
            return  # nobody, or one that has let go of the system's lock
        logger.info(
            "looking whether the run on %s that has %s is alive, for %.0f s at most",
            host, self._folder.name, WATCH,
        )  # fmt: skip
        until = time.monotonic() + WATCH
        while time.monotonic() < until:
            time.sleep(LOOK)
            now = self._content()
            if now is None:
                return
            if now and now != found:
                host = _read(now).get("host")  # the first look may have come while it was written
                raise UsageError(
                    f"another run is writing {self._folder.name}, on {host}: wait for its end, or "
                    f"{INSTEAD}"
                )

    def _renew(self) -> None:
        while not self._closed.wait(RENEW) and not self._lost:
            self._renew_once()

    def _renew_once(self) -> None:
        with self._one:
            try:
                self._look()
                self._tell()
            except UsageError as error:
                if isinstance(error, _Taken) or time.monotonic() - self._told > WATCH:
                    self._lost = str(error)

    def _look(self) -> None:
        """See that the file has this run's name.

        Raises:
            UsageError: it has another one, or cannot be read.
        """
        other = _read(self._content())
        if other.get("run", self._run) != self._run:
            raise _Taken(
                f"another run has begun to write {self._folder.name}, on {other.get('host')}: wait "
                f"for its end, or {INSTEAD}"
            )

    def _tell(self) -> None:
        now = {"run": self._run, "host": self._host, "pid": os.getpid()}
        self._write(json.dumps(now | {"time": time.time(), "sign": uuid4().hex}).encode())
        self._told = time.monotonic()

    def _content(self) -> bytes | None:
        """What the file has, nothing while it is being written; None if no run has the folder."""
        try:
            data = self._file.read()
        except UsageError:
            if self._file.kind:
                raise
            return None
        return data if data or self._held is None else None

    def _write(self, data: bytes) -> None:
        if self._held is None:
            self._file.write(data)
            return
        try:  # in its place, since another file would not be locked; and never shorter meanwhile
            self._held.seek(0)
            self._held.write(data.ljust(WIDTH))
            self._held.flush()
            if not data:
                self._held.truncate(0)
            os.fsync(self._held.fileno())
        except OSError as error:
            raise UsageError(f"cannot write {self._file.name}: {error.strerror}") from error


class _Taken(UsageError):
    """Another run has the folder."""


def _read(content: bytes | None) -> dict[str, Any]:
    try:
        return dict(json.loads(content or b"{}"))
    except (ValueError, TypeError):  # half written
        return {}
