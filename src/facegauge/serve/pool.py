"""Worker processes that can die, hang and be replaced; knows nothing of pictures or of HTTP.

Each worker is a process and a thread that looks after it. The thread takes a task, sends it to its
process, and waits for the result; when the process dies or is late, only that task fails, and the
thread starts another process.
"""

from __future__ import annotations

import atexit
import logging
import multiprocessing
import os
import pickle
import signal
import threading
import time
import warnings
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Any

from facegauge.errors import FacegaugeError

logger = logging.getLogger(__name__)

Setup = Callable[[], Callable[[Any], Any]]

START_LIMIT = 60.0  # seconds that a process may take until it is ready
PAUSE = 1.0  # seconds before the next try, when a process could not be started
TICK = 0.1  # seconds after which a thread without a task looks at its process
RECENT = 0.1  # weight of the last task in the mean time of a task

_spawning = threading.Lock()


class PoolFull(FacegaugeError):
    """As many tasks are waiting or running as the pool takes."""


class WorkerLost(FacegaugeError):
    """The process that worked on the task died, or passed the deadline and was ended."""


@dataclass(eq=False, slots=True)
class _Job:
    task: Any
    future: Future[Any] = field(default_factory=Future)


class WorkerPool:
    """A fixed number of processes that call one function.

    Args:
        setup: called once in each process; returns the function. It is pickled, and so are the
            tasks and the results.
        workers: number of processes, 1 or more.
        deadline: seconds that a task may take, from when a process begins it.
        capacity: number of tasks that may be waiting or running.

    Attributes:
        replaced: number of processes that were replaced.
        complete: whether every process has been ready once.
    """

    def __init__(self, setup: Setup, workers: int, *, deadline: float, capacity: int) -> None:
        self.deadline, self.capacity = deadline, capacity
        self.replaced = 0
        self.closing = False
        self._setup = setup
        self._changed = threading.Condition()
        self._waiting: deque[_Job] = deque()
        self._unanswered = 0
        self._seconds = 0.0  # that a task takes, a running mean
        self._workers = [_Worker(self, number) for number in range(workers)]

    def start(self) -> None:
        """Start the processes; tasks wait until one is ready."""
        atexit.register(self.close)  # multiprocessing would wait for them
        for worker in self._workers:
            worker.start()

    @property
    def workers(self) -> int:
        return len(self._workers)

    @property
    def ready(self) -> int:
        """Number of processes that are ready now."""
        return sum(worker.ready for worker in self._workers)

    @property
    def complete(self) -> bool:
        return all(worker.was_ready for worker in self._workers)

    @property
    def unanswered(self) -> int:
        """Number of tasks that are waiting or running."""
        return self._unanswered

    @property
    def pids(self) -> list[int]:
        """Process numbers of the processes that are ready."""
        return [worker.pid for worker in self._workers if worker.ready]

    @property
    def expected_wait(self) -> float:
        """Seconds until the tasks so far are likely to be done."""
        return self._unanswered * self._seconds / len(self._workers)

    def submit(self, tasks: Sequence[Any]) -> list[Future[Any]]:
        """Take all of some tasks, or none.

        Returns:
            A future for each task. Its exception is that of the function, or `WorkerLost`. A task
            whose future is cancelled while it waits frees its place at once.

        Raises:
            PoolFull: they do not fit, or the pool is closing.
        """
        jobs = [_Job(task) for task in tasks]
        with self._changed:
            if self.closing or self._unanswered + len(jobs) > self.capacity:
                raise PoolFull(
                    f"{self._unanswered} of {self.capacity} places are taken, "
                    f"{len(jobs)} more are needed"
                )
            self._unanswered += len(jobs)
            self._waiting.extend(jobs)
            self._changed.notify(len(jobs))
        for job in jobs:
            job.future.add_done_callback(partial(self._release, job))
        return [job.future for job in jobs]

    def close(self) -> None:
        """Cancel what waits, and end the processes."""
        with self._changed:
            self.closing = True
            waiting = list(self._waiting)
            self._changed.notify_all()
        for job in waiting:
            job.future.cancel()
        while alive := [worker for worker in self._workers if worker.is_alive()]:
            for worker in alive:
                worker.kill()
            alive[0].join(TICK)
        atexit.unregister(self.close)

    def _release(self, job: _Job, future: Future[Any]) -> None:
        with self._changed:
            self._unanswered -= 1
            with suppress(ValueError):  # it has been taken already
                self._waiting.remove(job)

    def _take(self, process: SpawnProcess) -> _Job | None:
        """The next task for a process that is alive; None if there is none for a moment."""
        with self._changed:
            if not self._waiting and not self.closing:
                self._changed.wait(TICK)
            while self._waiting and not self.closing and process.is_alive():
                job = self._waiting.popleft()
                if job.future.set_running_or_notify_cancel():
                    return job
        return None

    def _took(self, seconds: float) -> None:
        with self._changed:
            weight = RECENT if self._seconds else 1.0
            self._seconds += weight * (seconds - self._seconds)


class _Worker(threading.Thread):
    """Looks after one process."""

    def __init__(self, pool: WorkerPool, number: int) -> None:
        super().__init__(name=f"worker-{number}", daemon=True)
        self.pool = pool
        self.ready = self.was_ready = False
        self.pid = 0
        self._process: SpawnProcess | None = None

    def run(self) -> None:
        while not self.pool.closing:
            process, connection = self._spawn()
            if self._is_ready(connection):
                self.ready = self.was_ready = True
                self._serve(process, connection)
                self.ready = False
            elif not self.pool.closing:
                time.sleep(PAUSE)
            process.kill()
            process.join()
            connection.close()
            if not self.pool.closing:
                self.pool.replaced += 1
                logger.warning("a worker process has ended (%s); starting another", _end(process))

    def kill(self) -> None:
        if self._process is not None:
            with suppress(ValueError, OSError):
                self._process.kill()

    def _spawn(self) -> tuple[SpawnProcess, Connection]:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_work, args=(theirs, self.pool._setup), daemon=True)
        with _spawning:
            process.start()
        theirs.close()
        self._process, self.pid = process, process.pid or 0
        return process, ours

    def _is_ready(self, connection: Connection) -> bool:
        try:
            if not connection.poll(START_LIMIT):
                return False
            failure = connection.recv()
        except (EOFError, OSError):
            return False
        if failure:
            logger.error("a worker process could not be set up: %s", failure)
        return not failure

    def _serve(self, process: SpawnProcess, connection: Connection) -> None:
        """Work until the process is lost or the pool closes."""
        while not self.pool.closing:
            job = self.pool._take(process)
            if job is None:
                if not process.is_alive():
                    return
            elif not self._run(job, process, connection):
                return

    def _run(self, job: _Job, process: SpawnProcess, connection: Connection) -> bool:
        """Whether the process is still there after the task."""
        late = threading.Event()

        def end() -> None:
            late.set()
            process.kill()  # whatever we wait for ends: sending, working, receiving

        timer = threading.Timer(self.pool.deadline, end)
        timer.daemon = True
        timer.start()
        begun = time.monotonic()
        try:
            connection.send(job.task)
            failed, value = connection.recv()
        except (EOFError, OSError):
            process.join(1)
            why = f"took longer than {self.pool.deadline:g} s" if late.is_set() else _end(process)
            job.future.set_exception(WorkerLost(why))
            return False
        except Exception as error:  # a task that cannot be pickled
            job.future.set_exception(error)
            return True
        finally:
            timer.cancel()
        self.pool._took(time.monotonic() - begun)
        if failed:
            job.future.set_exception(value)
        else:
            job.future.set_result(value)
        return not late.is_set()


def _end(process: SpawnProcess) -> str:
    """How a process ended, for people."""
    code = process.exitcode
    if code is not None and code < 0:
        with suppress(ValueError):
            return f"its worker process was ended by {signal.Signals(-code).name}"
    return f"its worker process ended with exit code {code}"


def _work(connection: Connection, setup: Setup) -> None:
    """What a process does, until the other end of its connection closes."""
    for number in (signal.SIGINT, signal.SIGTERM):  # which also the group of the parent gets
        signal.signal(number, signal.SIG_IGN)
    os.environ["OMP_NUM_THREADS"] = "1"
    logging.disable()  # what a library says may hold names
    warnings.simplefilter("ignore")
    try:
        function = setup()
    except Exception as error:
        connection.send(str(error) or type(error).__name__)
        return
    connection.send("")
    while True:
        try:
            task = connection.recv()
        except (EOFError, OSError):
            return
        try:
            answer = pickle.dumps((False, function(task)))
        except Exception as error:
            answer = pickle.dumps((True, _plain(error)))
        del task
        try:
            connection.send_bytes(answer)
        except OSError:
            return


def _plain(error: Exception) -> Exception:
    """The exception, or its text where the other end could not open it."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error
