"""Which actor gets which block, and what becomes of it when one dies; Ray is played."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from collections.abc import Callable
from itertools import count, islice
from types import SimpleNamespace
from typing import Any

import pytest

from facegauge.cluster import engine
from facegauge.cluster.blocks import Names
from facegauge.cluster.done import Done
from facegauge.cluster.engine import STARTS, TRIES, ray_cluster, reports
from facegauge.cluster.stores import Store
from facegauge.cluster.worker import Limits, Report
from facegauge.errors import MissingExtra, UsageError

BLOCKS = [Names((f"{number}.jpg", "x.jpg"), "/") for number in range(4)]


class RayError(Exception):
    """As of Ray."""


class RayTaskError(RayError):
    def __init__(self, cause: Exception) -> None:
        super().__init__("a traceback\nof many lines")
        self.cause = cause


class PlayedRay:
    """Ray with two CPUs, whose actors do what a function says, one after the other."""

    exceptions = SimpleNamespace(RayError=RayError, RayTaskError=RayTaskError)

    def __init__(self, act: Callable[[int, Names], Report]) -> None:
        self.act, self.killed, self.actors, self.calls = act, set[int](), count(), {}

    def cluster_resources(self) -> dict[str, float]:
        return {"CPU": 2.0}

    def put(self, value: Any) -> Any:
        return value

    def remote(self, **_: Any) -> Any:
        def actor(_: Any) -> Any:
            number = next(self.actors)

            def score(block: Names, draft: str) -> Any:
                reference = object()
                self.calls[reference] = number, block
                return reference

            return SimpleNamespace(number=number, score=SimpleNamespace(remote=score))

        return lambda kind: SimpleNamespace(remote=actor)

    def wait(self, references: list[Any], **_: Any) -> tuple[list[Any], list[Any]]:
        return references[:1], references[1:]

    def get(self, reference: Any) -> Report:
        return self.act(*self.calls.pop(reference))

    def kill(self, actor: Any) -> None:
        self.killed.add(actor.number)


def report(block: Names, rest: Names | None = None) -> Report:
    return Report(len(block.names), 0, Counter(ok=1), 1, block.names[0], rest, 0.0)


def go(ray: PlayedRay) -> list[str]:
    task: Any = None
    found = reports(
        ray, task, iter(BLOCKS), Store("/"), limits=Limits(), done=Done(), actors=None
    )  # fmt: skip
    return [one.draft for one in found if one is not None]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "PAUSE", 0.0)


def test_what_is_left_of_a_block_is_given_out_again_and_actors_are_used_again() -> None:
    def act(actor: int, block: Names) -> Report:
        return report(block, block.after(1) if block == BLOCKS[1] else None)

    ray = PlayedRay(act)
    assert sorted(go(ray)) == ["0.jpg", "1.jpg", "2.jpg", "3.jpg", "x.jpg"]
    assert ray.killed == {0, 1} == set(range(next(ray.actors)))


def test_the_block_of_an_actor_that_dies_goes_to_another() -> None:
    def act(actor: int, block: Names) -> Report:
        if actor == 0:
            raise RayError("it died")
        return report(block)

    ray = PlayedRay(act)
    assert sorted(go(ray)) == ["0.jpg", "1.jpg", "2.jpg", "3.jpg"]
    assert 0 in ray.killed


def test_a_block_at_which_several_die_ends_the_run_in_one_line() -> None:
    tried = Counter[str]()

    def act(actor: int, block: Names) -> Report:
        tried[block.names[0]] += 1
        if block == BLOCKS[2]:
            raise RayError("1 worker(s) were killed due to low memory.\nTop memory users: ...")
        return report(block)

    with pytest.raises(UsageError) as caught:
        go(PlayedRay(act))
    assert str(caught.value) == (
        f"{TRIES} actors in a row have died at the pictures from 2.jpg on: 1 worker(s) were killed "
        "due to low memory"
    )
    assert tried["2.jpg"] == TRIES


@pytest.mark.parametrize("cause", [UsageError("cannot write x"), ValueError("odd")])
def test_the_error_of_an_actor_is_raised_as_it_was(cause: Exception) -> None:
    def act(actor: int, block: Names) -> Report:
        raise RayTaskError(cause)

    ray = PlayedRay(act)
    with pytest.raises(UsageError, match=r"^cannot write x$|^an actor failed: ValueError: odd$"):
        go(ray)
    assert ray.killed == {0, 1}


def test_neither_blocks_nor_their_reports_are_kept() -> None:
    """2,000 blocks of 100 names each, which are 20 MB."""
    names = (f"{number:050}" for number in count())
    blocks = (Names(tuple(islice(names, 100)), "/") for _ in range(2000))
    ray: Any = PlayedRay(lambda actor, block: report(block))
    task: Any = None
    found = reports(ray, task, blocks, Store("/"), limits=Limits(), done=Done(), actors=2)
    tracemalloc.start()
    try:
        for _ in range(100):
            next(found)
        early, _ = tracemalloc.get_traced_memory()
        for _ in range(1800):
            next(found)
        late, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert late - early < 100_000


@pytest.mark.parametrize("address", ["nonsense", "host:", ":1", "127.0.0.1:1", "ray://127.0.0.1:1"])
def test_wrong_addresses_are_told_at_once(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(
        engine.sys.modules, "ray", SimpleNamespace(init=None, is_initialized=lambda: False)
    )
    expected = r"^expected --ray-address|^no Ray cluster answers at"
    with pytest.raises(UsageError, match=expected), ray_cluster(address):
        raise AssertionError("connected")


def test_ray_that_is_missing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for missing in (None, SimpleNamespace()):  # the second as of a folder with that name
        monkeypatch.setitem(engine.sys.modules, "ray", missing)
        with pytest.raises(MissingExtra, match=r"facegauge\[cluster\]"), ray_cluster(None):
            raise AssertionError("connected")


@pytest.mark.parametrize("failures", [0, 1, STARTS])
def test_a_cluster_of_this_machine_that_does_not_start_in_time_is_tried_again(
    failures: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    left, said = [RuntimeError("timed out\nduring startup")] * failures, []

    def init(**options: Any) -> None:
        said.append(options)
        if left:
            raise left.pop()

    played = SimpleNamespace(init=init, is_initialized=lambda: False, shutdown=lambda: None)
    monkeypatch.setitem(engine.sys.modules, "ray", played)
    if failures == STARTS:
        expected = r"^cannot use a Ray cluster on this machine: RuntimeError: timed out during"
        with pytest.raises(UsageError, match=expected), ray_cluster(None):
            raise AssertionError("connected")
    else:
        with ray_cluster(None) as ray:
            assert ray is played
    assert len(said) == min(STARTS, failures + 1) and all("address" not in one for one in said)


def test_a_cluster_of_another_version_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """As Ray says it."""
    said = (
        "Version mismatch: The cluster was started with:\n    Ray: 2.59.0\n    Python: 3.11.7\n"
        "This process on node 10.0.0.1 was started with:\n    Ray: 2.60.0\n    Python: 3.11.7\n"
    )

    def init(**options: Any) -> None:
        raise RuntimeError(said)

    monkeypatch.setattr(engine, "_check_answers", lambda address: None)
    played = SimpleNamespace(init=init, is_initialized=lambda: False)
    monkeypatch.setitem(engine.sys.modules, "ray", played)
    expected = (
        r"^cannot use the Ray cluster at h:1: .*cluster was started with: Ray: 2\.59\.0 [^\n]*$"
    )
    with pytest.raises(UsageError, match=expected), ray_cluster("h:1"):
        raise AssertionError("connected")
