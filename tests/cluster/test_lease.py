"""Who may write a folder: two runs, on one host and on two, killed, stopped, with other clocks."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from facegauge.cluster import lease as leases
from facegauge.cluster.lease import LOCK, Lease
from facegauge.cluster.stores import Store
from facegauge.errors import UsageError

pytest.importorskip("pyarrow")


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in (("RENEW", 0.02), ("LOOK", 0.02), ("SETTLE", 0.0), ("WATCH", 60.0)):
        monkeypatch.setattr(leases, name, seconds)


@pytest.fixture(params=["a path", "a store"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return Store(str(tmp_path) if request.param == "a path" else f"file://{tmp_path}")


def on_another_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a file system whose locks the other host does not see."""
    monkeypatch.setattr(leases, "hold", lambda *_: None)
    monkeypatch.setattr(leases.socket, "gethostname", lambda: "other")


def clock(sleep: Callable[[float], None]) -> SimpleNamespace:
    return SimpleNamespace(sleep=sleep, time=time.time, monotonic=time.monotonic)


def left_by(tmp_path: Path, host: str, **more: Any) -> None:
    (tmp_path / LOCK).write_text(json.dumps({"run": "a", "host": host, **more}))


def test_a_run_that_shows_life_is_alone(folder: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    first = Lease(folder, "first")
    host = leases.socket.gethostname()
    for _ in range(2):
        with pytest.raises(UsageError, match=r"^another run is writing .*: wait for its end, or"):
            Lease(folder, "second")
        on_another_host(monkeypatch)
    with pytest.raises(UsageError, match=f", on {host}: wait"):
        Lease(folder, "second")
    first.check()
    first.close()
    Lease(folder, "second").close()


def test_a_run_is_named_that_was_writing_its_name_at_the_first_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = iter([b"", b"", json.dumps({"run": "a", "host": "elsewhere"}).encode()])
    monkeypatch.setattr(Lease, "_content", lambda _: next(seen))
    with pytest.raises(UsageError, match=r", on elsewhere: wait"):
        Lease(Store(f"file://{tmp_path}"), "second")


@pytest.mark.parametrize("ahead", [-1e6, 0.0, 1e6])
def test_one_that_shows_none_has_been_killed_whatever_its_clock_says(
    folder: Store, tmp_path: Path, ahead: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "WATCH", 0.1)
    left_by(tmp_path, "gone", time=time.time() + ahead)
    lease = Lease(folder, "b")
    assert json.loads((tmp_path / LOCK).read_text())["run"] == "b"
    lease.close()
    assert not (tmp_path / LOCK).exists() or not (tmp_path / LOCK).read_bytes()


def test_one_of_this_host_that_let_go_of_the_lock_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "time", clock(lambda _: pytest.fail("it waited")))
    left_by(tmp_path, leases.socket.gethostname())
    Lease(Store(str(tmp_path)), "b").close()


@pytest.mark.parametrize("content", ['{"run": "a', "", "[]", "5"])
def test_what_is_half_written_is_no_life(
    folder: Store, tmp_path: Path, content: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "WATCH", 0.1)
    (tmp_path / LOCK).write_text(content)
    Lease(folder, "b").close()


def test_a_run_that_was_stopped_for_long_finds_that_another_has_the_folder(
    folder: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Lease(folder, "first")
    first._closed.set()  # no more signs of life
    first._renewing.join()
    monkeypatch.setattr(leases, "WATCH", 0.1)
    on_another_host(monkeypatch)
    second = Lease(folder, "second")
    time.sleep(3 * leases.RENEW)
    with pytest.raises(UsageError, match=r"^another run has begun to write .*, on other: "):
        first.check()
    first.close()
    assert json.loads((tmp_path / LOCK).read_text())["run"] == "second"
    second.check()
    second.close()


def test_of_two_that_begin_at_once_one_gives_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(f"file://{tmp_path}")

    def settle(seconds: float) -> None:
        left_by(tmp_path, "other")

    monkeypatch.setattr(leases, "time", clock(settle))
    with pytest.raises(UsageError, match="another run has begun to write"):
        Lease(store, "b")
    assert json.loads((tmp_path / LOCK).read_text())["run"] == "a"
