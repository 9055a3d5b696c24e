"""Calls in a process of their own: results, ends of all kinds, limits."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from facegauge import free_memory, guard
from facegauge.errors import UsageError
from facegauge.guard import guarded

ME = "__import__('os').getpid()"
EXIT = "__import__('os')._exit(3)"
ENDED = "this picture ended the process that opened it "
linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
posix = pytest.mark.skipif(os.name == "nt", reason="signals")


def evaluated(*items: str, seconds: float = 60) -> Iterator[object]:
    """The values of expressions, `eval` being the function; or the item and why there is none."""
    return guarded(eval, items, lambda item, why: f"{item}: {why}", seconds)


def test_results_come_in_order_from_one_process_that_is_another() -> None:
    first, *rest = evaluated(ME, "1 / 3", "b'x' * 3_000_000", ME)
    assert rest == [1 / 3, b"x" * 3_000_000, first] and first != os.getpid()


def test_no_process_is_started_for_nothing() -> None:
    assert list(guarded(lambda item: item, [], lambda item, why: why)) == []  # no pickle, no error


@posix
def test_an_item_that_ends_the_process_fails_alone() -> None:
    kill = "__import__('os').kill(__import__('os').getpid(), 9)"
    abort = "__import__('os').abort()"
    found = list(evaluated("1", kill, "2", EXIT, abort, "3"))
    assert found == [
        1,
        f"{kill}: {ENDED}(signal 9, SIGKILL, perhaps for lack of memory)",
        2,
        f"{EXIT}: {ENDED}(exit code 3)",
        f"{abort}: {ENDED}(signal 6, SIGABRT)",
        3,
    ]


def test_an_item_that_only_fails_after_others_is_tried_in_a_fresh_process() -> None:
    count = "__import__('sys').__dict__.setdefault('seen', [])"
    second = f"{count}.append(1) or len({count}) < 2 or {EXIT}"
    assert list(evaluated(second, second)) == [True, True]


def test_an_item_that_takes_too_long_fails() -> None:
    sleep = "__import__('time').sleep(600)"
    why = "this picture took more than 0.2 s in a process of its own"
    assert list(evaluated(sleep, seconds=0.2)) == [f"{sleep}: {why}"]


def test_an_exception_is_the_reason_and_the_process_goes_on() -> None:
    first, failed, again = evaluated(ME, "1 / 0", ME)
    assert failed == "1 / 0: ZeroDivisionError: division by zero" and again == first


def test_what_cannot_be_sent_fails_and_a_function_that_cannot_is_refused() -> None:
    with Path(__file__).open("rb") as file:
        (why,) = guarded(len, [file], lambda item, why: why)  # type: ignore[type-var, arg-type]
    assert "cannot be tried in a process of its own: TypeError: cannot pickle" in str(why)
    with pytest.raises(UsageError, match="detectors and factors that can be pickled"):
        list(guarded(lambda item: item, [1], lambda item, why: item))


def test_the_process_ends_with_the_generator() -> None:
    results = evaluated(ME, ME)
    process = next(results)
    results.close()  # type: ignore[attr-defined]
    if os.name != "nt":
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)  # type: ignore[arg-type]


@linux
def test_the_process_may_take_what_is_free_and_is_the_first_to_go() -> None:
    limit = "__import__('resource').getrlimit(__import__('resource').RLIMIT_DATA)[0]"
    first = "int(open('/proc/self/oom_score_adj').read())"
    much = f"__import__('mmap').mmap(-1, {limit}, flags=0x22)"  # private, and never touched
    found, score, failed = evaluated(limit, first, much)
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert isinstance(found, int) and 0 < found < total + free_memory.LEAST and score == 1000
    assert "Cannot allocate memory" in f"{failed}"


@linux
@pytest.mark.parametrize(
    ("line", "folder", "files"),
    [
        ("0::/a/b", "a", {"memory.max": "3000", "memory.current": "2000"}),
        (
            "4:memory:/a",
            "memory",
            {"memory.limit_in_bytes": "3000", "memory.usage_in_bytes": "2000"},
        ),
    ],
)
def test_limits_of_control_groups_count(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    line: str,
    folder: str,
    files: dict[str, str],
) -> None:
    (tmp_path / "own").write_text(f"1:cpu:/x\n{line}\n")
    (tmp_path / "groups" / folder).mkdir(parents=True)
    monkeypatch.setattr(free_memory, "OWN_GROUPS", tmp_path / "own")
    monkeypatch.setattr(free_memory, "CGROUPS", tmp_path / "groups")
    assert free_memory.free_memory() > 1e6  # no limit
    for name, text in files.items():
        (tmp_path / "groups" / folder / name).write_text(text + "\n")
    (tmp_path / "groups" / folder / "memory.stat").write_text("anon 7\ninactive_file 500\n")
    assert free_memory.free_memory() == 1500
    (tmp_path / "groups" / folder / next(iter(files))).write_text("max\n")
    assert free_memory.free_memory() > 1e6


def test_a_child_that_nobody_ends_is_ended_by_the_garbage_collector() -> None:
    """Its connection lives until then, so that no number of a file is closed twice."""
    before = set(guard._open)
    results = guarded(abs, iter([-1, -2]), lambda item, why: 0)
    assert next(results) == 1
    (connection,) = guard._open - before
    del results
    gc.collect()
    assert connection.closed and connection not in guard._open
