"""What an actor does, without a cluster: parts, limits, poison; and the folder that holds parts."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from facegauge.cluster import folder as folders
from facegauge.cluster.blocks import Names
from facegauge.cluster.done import Done
from facegauge.cluster.folder import Folder
from facegauge.cluster.stores import Store
from facegauge.cluster.tasks import ScoreTask
from facegauge.cluster.worker import Limits, Worker
from facegauge.errors import ScorerError, UsageError
from facegauge.scorer import Scorer
from facegauge.tables.scores import read_rows
from poisoned import PoisonedTask

pytest.importorskip("pyarrow")

Write = Callable[..., Path]


@pytest.fixture
def task(toy_scorer: Path) -> PoisonedTask:
    return PoisonedTask(str(toy_scorer), faces="whole")


def test_rows_are_those_of_a_table_and_poison_is_an_error(
    task: PoisonedTask, toy_scorer: Path, grey: Write, tmp_path: Path
) -> None:
    names = [f"in/{name}.png" for name in ("a", "crash", "b", "memory", "hang", "c", "missing")]
    for number, name in enumerate(names[:-1]):
        grey(name, 30 * number)
    (tmp_path / "drafts").mkdir()
    drafts = Store(str(tmp_path / "drafts"))
    worker = Worker((task, drafts, Limits(deadline=1.5), Done([names[0]])))
    begun = time.monotonic()
    report = worker.score(Names(tuple(names), str(tmp_path)), "x.parquet")
    assert time.monotonic() - begun > 3  # the deadline, twice
    assert (report.pictures, report.skipped, report.rest) == (6, 1, None)
    assert report.statuses == Counter(ok=2, error=3, unreadable=1)
    rows = {row["path"]: row for row in read_rows(report.draft)}
    assert list(rows) == names[1:]
    assert "SIGSEGV" in rows["in/crash.png"]["message"]
    assert "took more than 1.5 s" in rows["in/hang.png"]["message"]
    assert "MemoryError" in rows["in/memory.png"]["message"]
    with Scorer(toy_scorer, faces="whole").open_table(tmp_path / "one.parquet") as table:
        for name in ("in/b.png", "in/c.png"):
            table.write(Scorer(toy_scorer, faces="whole").score((name, tmp_path / name)))
    assert [rows["in/b.png"], rows["in/c.png"]] == list(read_rows(tmp_path / "one.parquet"))


def test_a_part_ends_at_its_limit_and_the_rest_goes_on(
    task: PoisonedTask, grey: Write, tmp_path: Path
) -> None:
    names = tuple(f"{number}.png" for number in range(5))
    for name in names:
        grey(name, 50)
    worker = Worker((task, Store(str(tmp_path)), Limits(rows=2), Done()))
    report = worker.score(Names(names, str(tmp_path)), "x.parquet")
    assert report.rows == 2 and report.rest == Names(names[2:], str(tmp_path))
    slow = Worker((task, Store(str(tmp_path)), Limits(seconds=0), Done()))
    report = slow.score(Names(names, str(tmp_path)), "y.parquet")
    assert report.rows == 1 and report.rest == Names(names[1:], str(tmp_path))


def test_another_scorer_on_the_machine_of_the_actor_is_refused(
    make_scorer: Callable[..., Path], tmp_path: Path
) -> None:
    folder = make_scorer()
    task = ScoreTask(str(folder), faces="whole")
    (folder / "card.toml").write_bytes((make_scorer("other", 0.5) / "card.toml").read_bytes())
    worker = Worker((task, Store(str(tmp_path)), Limits(), Done()))
    with pytest.raises(ScorerError, match="install the same facegauge"):
        worker.score(Names(("a.png",), str(tmp_path)), "x.parquet")


def parts(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*.parquet"))


def test_a_folder_goes_on_with_its_whole_parts(
    task: PoisonedTask, grey: Write, tmp_path: Path
) -> None:
    out = tmp_path / "out"

    def work(names: list[str], *, resume: bool) -> Folder:
        folder = Folder(Store(str(out)), task, {}, resume=resume)
        worker = Worker((task, folder.drafts, Limits(), folder.done))
        for name in names:
            report = worker.score(Names((name,), str(tmp_path)), f"{name}.parquet")
            folder.add(report.draft, report.rows, report.statuses)
        return folder

    for name in "abc":
        grey(f"{name}.png", 50)
    work(["a.png", "b.png"], resume=False).close()
    info = json.loads((out / "_facegauge.json").read_text())
    assert info["finished"] is False and info["settings"]["faces"] == "whole"
    assert len(parts(out)) == 2
    damaged = out / parts(out)[1]
    damaged.write_bytes(damaged.read_bytes()[:-20])
    (out / "_drafts" / "left.parquet").write_bytes(b"")
    folder = work(["a.png", "b.png", "c.png"], resume=True)
    assert folder.statuses == Counter(ok=3) and folder.rows == 3
    folder.finish()
    with pytest.raises(UsageError, match="another run is writing"):
        Folder(Store(str(out)), task, {}, resume=True)
    folder.close()
    info = json.loads((out / "_facegauge.json").read_text())
    assert info["finished"] and info["pictures"] == 3 and info["status"] == {"ok": 3}
    assert info["parts"] == parts(out) and not list((out / "_drafts").iterdir())
    assert sorted(row["path"] for one in parts(out) for row in read_rows(out / one)) == [
        "a.png", "b.png", "c.png",
    ]  # fmt: skip


def test_folders_that_are_not_ours_are_refused(
    task: PoisonedTask, toy_scorer: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    Folder(Store(str(out)), task, {}, resume=True).close()
    for resume, other, message in (
        (False, task, "has the parts of another run: continue it with --resume"),
        (True, PoisonedTask(str(toy_scorer), faces="all"), "faces was 'whole', is 'all'"),
    ):
        with pytest.raises(UsageError, match=message):
            Folder(Store(str(out)), other, {}, resume=resume)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("")
    with pytest.raises(UsageError, match="has other files; choose a new folder"):
        Folder(Store(str(tmp_path / "full")), task, {}, resume=True)
    with pytest.raises(UsageError, match="is a file; expected a folder"):
        Folder(Store(str(tmp_path / "full" / "mine.txt")), task, {}, resume=False)
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["mine.txt"]


def test_in_a_store_without_locks_a_file_says_who_is_at_work(
    task: PoisonedTask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(f"file://{tmp_path}/out")
    folder = Folder(store, task, {}, resume=False)
    with pytest.raises(UsageError, match=r"another run is writing file:.* was killed, 120 s"):
        Folder(store, task, {}, resume=True)
    now = time.time()
    monkeypatch.setattr(folders.time, "time", lambda: now + 150)  # as if it had been killed
    Folder(store, task, {}, resume=True).close()
    folder.close()


def test_memory_does_not_grow_with_the_rows_that_are_done() -> None:
    """16 bytes a picture, whatever its name: 3.2 MB for 200,000."""
    done: Any = Done(f"{number:0200}" for number in range(20_000))
    assert done._hashes.nbytes == 320_000
