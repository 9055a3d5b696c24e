"""Workers that die, hang and come back. A task is an expression, which a worker evaluates."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from concurrent.futures import CancelledError
from functools import partial

import pytest

from facegauge.errors import PictureError, UsageError
from facegauge.serve.pool import PoolFull, WorkerLost, WorkerPool
from serving import until

EVALUATE = partial(eval, "eval")
SLEEP = "__import__('time').sleep(600)"
PID = "__import__('os').getpid()"


@pytest.fixture
def pool() -> Iterator[WorkerPool]:
    """One worker, ready."""
    pool = WorkerPool(EVALUATE, 1, deadline=60, capacity=4)
    pool.start()
    until(lambda: pool.complete, "the worker")
    yield pool
    pool.close()


def test_tasks_have_results_or_exceptions(pool: WorkerPool) -> None:
    import_ = "__import__('facegauge.errors', fromlist=['x'])"
    fails = f"(_ for _ in ()).throw({import_}.UsageError('no such face'))"
    strange = f"(_ for _ in ()).throw({import_}.MissingExtra('this', 'that'))"
    one, two, three, four = pool.submit(["6 * 7", fails, strange, "(_ for _ in ())"])
    assert one.result() == 42
    with pytest.raises(UsageError, match="no such face"):
        two.result()
    with pytest.raises(RuntimeError, match=r"MissingExtra: this needs the extra \[that\]"):
        three.result()  # whose class cannot be opened at this end
    with pytest.raises(Exception, match="pickle"):
        four.result()
    (five,) = pool.submit([lambda: None])
    with pytest.raises(Exception, match="pickle"):
        five.result()
    assert pool.submit(["1"])[0].result() == 1 and not pool.replaced
    assert not pool.unanswered


@pytest.mark.parametrize(
    ("death", "told"),
    [
        ("__import__('os')._exit(3)", "exit code 3"),
        (f"__import__('os').kill({PID}, 9)", "ended by SIGKILL"),
    ],
)
def test_a_worker_that_dies_costs_its_own_task(pool: WorkerPool, death: str, told: str) -> None:
    lost, *others = pool.submit([death, "1", "2"])
    with pytest.raises(WorkerLost, match=told):
        lost.result()
    assert [one.result() for one in others] == [1, 2]
    assert pool.replaced == 1 and pool.ready == 1


def test_a_task_that_passes_the_deadline_costs_only_itself() -> None:
    pool = WorkerPool(EVALUATE, 1, deadline=0.5, capacity=4)
    pool.start()
    try:
        late, other = pool.submit([SLEEP, "1"])
        with pytest.raises(WorkerLost, match=r"took longer than 0\.5 s"):
            late.result()
        assert other.result() == 1
        os.kill(pool.pids[0], signal.SIGSTOP)  # which also stops reading what is sent
        (large,) = pool.submit(["len('" + "x" * 5_000_000 + "')"])
        with pytest.raises(WorkerLost, match=r"took longer than 0\.5 s"):
            large.result()
    finally:
        pool.close()


def test_a_worker_that_dies_idle_costs_nothing(pool: WorkerPool) -> None:
    (before,) = pool.pids
    os.kill(before, signal.SIGKILL)
    until(lambda: pool.ready and pool.pids != [before], "another worker")
    assert pool.submit([PID])[0].result() == pool.pids[0] != before


def test_signals_to_the_group_do_not_end_workers(pool: WorkerPool) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        os.kill(pool.pids[0], number)
    assert pool.submit(["1"])[0].result() == 1 and not pool.replaced


def test_all_tasks_or_none_are_taken(pool: WorkerPool) -> None:
    held = pool.submit([SLEEP, "1", "2"])
    with pytest.raises(PoolFull, match="3 of 4 places are taken, 2 more are needed"):
        pool.submit(["3", "4"])
    (last,) = pool.submit(["3"])
    assert last.cancel() and pool.unanswered == 3  # what waits frees its place at once
    pool.submit(["4"])
    until(held[0].running, "the first task")
    assert not held[0].cancel()
    pool.close()
    for one in held[1:]:
        with pytest.raises(CancelledError):
            one.result()
    with pytest.raises(WorkerLost):
        held[0].result()
    with pytest.raises(PoolFull):
        pool.submit(["5"])


def test_the_expected_wait_grows_with_what_waits(pool: WorkerPool) -> None:
    assert pool.expected_wait == 0
    pool.submit(["__import__('time').sleep(0.2)"])[0].result()
    pool.submit([SLEEP])
    once = pool.expected_wait
    pool.submit(["1"])
    assert once >= 0.2 and pool.expected_wait == pytest.approx(2 * once)


def test_a_worker_that_cannot_be_set_up_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    pool = WorkerPool(partial(eval, "1 / 0"), 1, deadline=1, capacity=4)
    pool.start()
    until(lambda: pool.replaced, "the second try")
    assert "could not be set up: division by zero" in caplog.text
    assert not pool.complete and not pool.ready
    pool.close()


def test_pictures_may_have_errors_of_their_own(pool: WorkerPool) -> None:
    error = "__import__('facegauge.errors', fromlist=['x']).PictureError('cut off', 'unreadable')"
    (one,) = pool.submit([f"(_ for _ in ()).throw({error})"])
    with pytest.raises(PictureError, match="cut off"):
        one.result()
