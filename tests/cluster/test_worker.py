"""What an actor does, without a cluster: parts, limits, poison; and the folder that holds parts."""

from __future__ import annotations

import json
import os
import pickle
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from facegauge.cluster.blocks import Names
from facegauge.cluster.done import Done
from facegauge.cluster.folder import INFO, Folder
from facegauge.cluster.run import run
from facegauge.cluster.stores import Store
from facegauge.cluster.tasks import ScoreTask
from facegauge.cluster.worker import Limits, Worker
from facegauge.errors import ScorerError, UsageError
from facegauge.scorer import Scorer
from facegauge.tables.scores import read_rows
from poisoned import BrokenTask, PoisonedTask

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


def test_a_machine_without_a_detector_is_no_fault_of_its_pictures(
    toy_scorer: Path, grey: Write, tmp_path: Path
) -> None:
    grey("a.png", 50)
    (tmp_path / "drafts").mkdir()
    worker = Worker(
        (BrokenTask(str(toy_scorer)), Store(str(tmp_path / "drafts")), Limits(), Done())
    )
    with pytest.raises(ScorerError, match=r"^the face detector's model is missing$"):
        worker.score(Names(("a.png",), str(tmp_path)), "x.parquet")
    assert not list((tmp_path / "drafts").iterdir())


def test_another_facegauge_on_the_machine_of_the_actor_is_refused(
    task: PoisonedTask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("facegauge.cluster.tasks._version", lambda: "0.0.9")
    worker = Worker((task, Store(str(tmp_path)), Limits(), Done()))
    with pytest.raises(ScorerError, match=r"of the cluster has facegauge 0\.0\.9, the driver has"):
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


def test_memory_does_not_grow_with_the_rows_that_are_done() -> None:
    """16 bytes a picture, whatever its name: 3.2 MB for 200,000."""
    done: Any = Done(f"{number:0200}" for number in range(20_000))
    assert done._hashes.nbytes == 320_000


def started(out: Path, task: PoisonedTask, grey: Write, tmp_path: Path) -> Path:
    """A folder with one part, which it returns."""
    folder = Folder(Store(str(out)), task, {}, resume=False)
    grey("a.png", 50)
    report = Worker((task, folder.drafts, Limits(), folder.done)).score(
        Names(("a.png",), str(tmp_path)), "x.parquet"
    )
    folder.add(report.draft, report.rows, report.statuses)
    folder.close()
    return out / parts(out)[0]


@pytest.mark.parametrize("info", [b"", b'{"settings": {"fa', b"[]", b'"x"', None])
def test_parts_are_enough_where_the_notes_of_a_run_are_damaged(
    task: PoisonedTask, toy_scorer: Path, grey: Write, tmp_path: Path, info: bytes | None
) -> None:
    out = tmp_path / "out"
    started(out, task, grey, tmp_path)
    (out / INFO).unlink()
    if info is not None:
        (out / INFO).write_bytes(info)
    with pytest.raises(UsageError, match="continue it with --resume"):
        Folder(Store(str(out)), task, {}, resume=False)
    with pytest.raises(UsageError, match="faces was 'whole', is 'all'"):
        Folder(Store(str(out)), PoisonedTask(str(toy_scorer), faces="all"), {}, resume=True)
    folder = Folder(Store(str(out)), task, {}, resume=True)
    assert folder.done.has("a.png") and folder.statuses == Counter(ok=1)
    folder.close()
    assert json.loads((out / INFO).read_text())["settings"]["faces"] == "whole"


def test_files_of_others_among_the_parts_are_named_and_stay(
    task: PoisonedTask, make_scorer: Callable[..., Path], grey: Write, tmp_path: Path
) -> None:
    from pyarrow import parquet, table

    out, other = tmp_path / "out", tmp_path / "other"
    part = started(out, task, grey, tmp_path)
    theirs = started(other, PoisonedTask(str(make_scorer("b", 0.5)), faces="all"), grey, tmp_path)
    ours = part.read_bytes()
    parquet.write_table(table({"path": ["a"], "status": ["ok"]}), tmp_path / "foreign.parquet")
    for name, data, message in (
        ("mine.parquet", ours, r"mine\.parquet is no part of this run; move it"),
        ("mine.parquet", b"no Parquet", r"mine\.parquet is no part of this run; move it"),
        ("part-000007-00000000.parquet", theirs.read_bytes(), "faces was 'all', is 'whole'"),
        (part.name, (tmp_path / "foreign.parquet").read_bytes(), f"{part.name} is no part of"),
    ):
        (out / name).write_bytes(data)
        with pytest.raises(UsageError, match=message):
            Folder(Store(str(out)), task, {}, resume=True)
        assert (out / name).read_bytes() == data
        (out / name).unlink()
    part.write_bytes(ours)
    (out / "notes.txt").write_text("mine")
    Folder(Store(str(out)), task, {}, resume=True).close()


def test_a_run_that_was_killed_at_its_first_note_begins_again(
    task: PoisonedTask, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    (out / "_drafts").mkdir(parents=True)
    (out / f"{INFO}.new").write_text("{")
    Folder(Store(str(out)), task, {}, resume=False).close()
    assert (out / INFO).exists()


def test_a_read_only_folder_is_told_in_one_line(task: PoisonedTask, read_only: Path) -> None:
    for out in (read_only, read_only / "out", read_only / "a" / "b"):
        with pytest.raises(UsageError, match=r"^cannot write \S+: .*[Rr]ead-only[^\n]*$"):
            Folder(Store(str(out)), task, {}, resume=False)
    assert not list(read_only.iterdir())


@pytest.mark.parametrize("kind", ["read_only", "full"])
def test_whole_parts_stay_where_no_more_can_be_written(
    task: PoisonedTask, grey: Write, tmp_path: Path, kind: str, request: pytest.FixtureRequest
) -> None:
    out = tmp_path / "out"
    part = started(out, task, grey, tmp_path)
    grey("b.png", 50)
    folder = Folder(Store(str(out)), task, {}, resume=True)
    (out / "_drafts").rmdir()
    (out / "_drafts").symlink_to(request.getfixturevalue(kind))
    worker = Worker((task, folder.drafts, Limits(), folder.done))
    names = Names(("a.png", "b.png"), str(tmp_path))
    with pytest.raises(UsageError, match=r"^cannot write .*_drafts/y\.parquet: "):
        worker.score(names, "y.parquet")
    folder.close()
    (out / "_drafts").unlink()
    folder = Folder(Store(str(out)), task, {}, resume=True)
    assert parts(out) == [part.name] and folder.statuses == Counter(ok=1)
    report = Worker((task, folder.drafts, Limits(), folder.done)).score(names, "y.parquet")
    folder.add(report.draft, report.rows, report.statuses)
    folder.close()
    assert folder.statuses == Counter(ok=2) and len(parts(out)) == 2


def test_an_empty_input_is_told_before_anything_is_written(
    task: PoisonedTask, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=r"^no pictures found in the input$"):
        run(str(tmp_path / "out"), task, iter([]), inputs={})
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="names of any bytes")
def test_names_of_any_bytes_are_known_again(
    task: PoisonedTask, grey: Write, tmp_path: Path
) -> None:
    names = ("ä/ñ 1.png", "caf\udce9.png", "file:x.png", "a\nb.png", "=1+1.png", "\u202e.png")
    for name in names:
        grey(os.fsencode(name).decode("utf-8", "surrogateescape"), 50)
    out = tmp_path / "out"
    for found in (0, len(names)):
        folder = Folder(Store(str(out)), task, {}, resume=bool(found))
        assert len(folder.done) == found
        worker = Worker((task, folder.drafts, Limits(), folder.done))
        report = worker.score(pickle.loads(pickle.dumps(Names(names, str(tmp_path)))), "x.parquet")
        assert report.statuses == Counter(ok=len(names) - found) and report.skipped == found
        folder.add(report.draft, report.rows, report.statuses)
        folder.close()
    assert {row["path"] for one in parts(out) for row in read_rows(out / one)} == set(names)
