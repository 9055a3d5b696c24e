"""Calls a function on items that may end the process, in a process of its own."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import threading
import warnings
from collections.abc import Callable, Generator, Iterable
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from typing import Any, TypeVar

from facegauge.errors import FacegaugeError, UsageError, in_one_line
from facegauge.free_memory import limit_memory

S = TypeVar("S")
T = TypeVar("T")

SECONDS = 120
"""An item that takes longer has failed; also the time that a process may take to start."""

NO_START = (
    "cannot start a process to try pictures in which may have ended an earlier run ({}); "
    'a script that is run needs `if __name__ == "__main__":` around what it does'
)


def guarded(
    function: Callable[[S], T],
    items: Iterable[S],
    failed: Callable[[S, str], T],
    seconds: float = SECONDS,
    *,
    twice: bool = False,
) -> Generator[T, None, None]:
    """Compute `map(function, items)`, one at a time, in a process that may end at any of them.

    The process is started at the first item, is told how much memory it may take, and goes on as
    long as it lives. An item at which it ends is tried once more in a fresh one, unless that one
    was fresh, since what came before it may be the cause.

    Args:
        function: as the items and its results, it can be pickled.
        items: read one by one.
        failed: the result for an item at which the process ended, that took too long or at which
            the function raised an exception; it is given the reason, in one line.
        seconds: that an item may take.
        twice: try an item once more at which a fresh process ended, too, in case something else
            has ended it.

    Raises:
        UsageError: the function cannot be pickled, or no process can be started.
    """
    child: _Child | None = None
    try:
        for item in items:
            for last in (False, True):
                fresh = child is None
                child = child or _Child(function)
                try:
                    result = child.ask(item, seconds)
                except _Ended as error:
                    child.stop()
                    child = None
                    if not last and (twice or not fresh):
                        continue
                    result = failed(item, str(error))
                except _Failed as error:
                    result = failed(item, str(error))
                break
            yield result
    finally:
        if child is not None:
            child.stop()


_open: set[Connection] = set()
"""Those of children. Otherwise the garbage collector may close one before `stop` does so again,
by a number that another file has got meanwhile."""


class _Failed(Exception):
    """An item has no result; says why."""


class _Ended(_Failed):
    """The process is gone, or has to be."""


class _Child:
    """A process that calls a function on what it is sent."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        try:
            pickled = pickle.dumps(function)
        except Exception as error:  # any, as of objects that refuse
            raise UsageError(
                "cannot try pictures in a process of their own which may have ended an earlier "
                f"run: {in_one_line(error)}; use detectors and factors that can be pickled"
            ) from error
        spawning = multiprocessing.get_context("spawn")
        self._connection, theirs = spawning.Pipe()
        _open.add(self._connection)
        self._process = spawning.Process(target=_serve, args=(pickled, theirs), daemon=True)
        try:
            self._process.start()
            theirs.close()
            self._receive(SECONDS)
        except (OSError, _Failed) as error:
            theirs.close()
            self.stop()
            raise UsageError(NO_START.format(error)) from error
        except BaseException:
            self.stop()
            raise

    def ask(self, item: object, seconds: float) -> Any:
        """The function's result for an item.

        Raises:
            _Failed: there is none; says why.
        """
        try:
            pickled = pickle.dumps(item)
        except Exception as error:
            raise _Failed(
                f"this picture cannot be tried in a process of its own: {in_one_line(error)}"
            ) from error
        with suppress(OSError):  # the process has ended, which `_receive` finds out too
            self._connection.send_bytes(pickled)
        result, why = self._receive(seconds)
        if why:
            raise _Failed(why)
        return result

    def stop(self) -> None:
        """End the process."""
        self._connection.close()
        _open.discard(self._connection)
        if self._process.pid is not None:
            self._process.kill()
            self._process.join()

    def _receive(self, seconds: float) -> Any:
        try:
            if not self._connection.poll(seconds):
                raise _Ended(f"this picture took more than {seconds:g} s in a process of its own")
            return pickle.loads(self._connection.recv_bytes())
        except (EOFError, OSError):
            self._process.join()
            raise _Ended(_how_it_ended(self._process.exitcode)) from None


def _how_it_ended(code: int | None) -> str:
    said = f"exit code {code}"
    if code is not None and code < 0:
        said = f"signal {-code}"
        with suppress(ValueError):
            said += f", {signal.Signals(-code).name}"
    if code == -getattr(signal, "SIGKILL", 9):
        said += ", perhaps for lack of memory"
    return f"this picture ended the process that opened it ({said})"


def _end_with_parent() -> None:
    """End this process once the one that started it is gone, also in the middle of an item."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _serve(function: bytes, connection: Connection) -> None:
    """What the process does, until it is ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that started it
    threading.Thread(target=_end_with_parent, daemon=True).start()
    warnings.simplefilter("ignore")  # what people should know is in the results
    call = pickle.loads(function)
    with suppress(OSError, ValueError):  # without the files or rights that it takes
        limit_memory()
    connection.send_bytes(pickle.dumps(None))
    while True:
        try:
            item = connection.recv_bytes()
        except (EOFError, OSError):  # the other process is gone
            return
        try:
            answer = pickle.dumps((call(pickle.loads(item)), ""))
        except FacegaugeError as error:
            answer = pickle.dumps((None, str(error)))
        except Exception as error:
            answer = pickle.dumps((None, in_one_line(error)))
        connection.send_bytes(answer)
