"""Killed before any step on files, and files that others take away: no false row, no lost one."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from facegauge import outputs
from facegauge.errors import UsageError
from facegauge.results import FaceScore, ImageScore, Status
from facegauge.tables import journal
from facegauge.tables.notes import notes_path
from facegauge.tables.scores import open_table, read_rows

ALL = [".csv", ".jsonl", ".parquet"]
KILLED = 9
OLD, NEW = {"scorer": "old"}, {"scorer": "new"}
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")


def scored(path: str, score: float) -> ImageScore:
    return ImageScore(path, Status.OK, (FaceScore(score, 0, 1, 50.0, "good"),))


def write(file: Path, settings: Any, score: float, names: str = "abc", **how: bool) -> None:
    with open_table(file, settings, **how) as table:
        for name in names:
            if not table.is_done(name):
                table.write(scored(name, score))


def killed_at(step: int, work: Callable[[], None]) -> bool:
    """Run in a process of its own that dies before its file operation of that number."""
    child = os.fork()
    if not child:
        count = 0

        def dying(real: Callable[..., Any]) -> Callable[..., Any]:
            def act(*given: Any, **options: Any) -> Any:
                nonlocal count
                count += 1
                if count == step:
                    os._exit(KILLED)
                return real(*given, **options)

            return act

        class File(io.FileIO):
            write = dying(io.FileIO.write)
            truncate = dying(io.FileIO.truncate)

        def opened(self: Path, mode: str = "r", *given: Any, **options: Any) -> Any:
            if mode == "ab":
                return File(self, "ab")
            return real_open(self, mode, *given, **options)

        real_open = dying(Path.open)
        try:
            for name in ("replace", "unlink", "write_text"):
                setattr(Path, name, dying(getattr(Path, name)))
            Path.open = opened  # type: ignore[method-assign, assignment]
            outputs.sync = journal.sync = dying(outputs.sync)  # type: ignore[attr-defined]
            work()
        except BaseException as error:
            print(error, file=sys.stderr)
            os._exit(1)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, KILLED)
    return code == KILLED


def scores_of(file: Path) -> set[float]:
    return {row["score"] for row in read_rows(file)} if file.exists() else set()


@needs_fork
@pytest.mark.parametrize("suffix", ALL)
def test_overwriting_never_leaves_rows_under_the_settings_of_another(
    tmp_path: Path, suffix: str
) -> None:
    steps = 0
    for step in range(1, 200):
        folder = tmp_path / str(step)
        folder.mkdir()
        file = folder / f"t{suffix}"
        write(file, OLD, 0.25)
        if not killed_at(step, lambda file=file: write(file, NEW, 0.75, overwrite=True)):
            break
        steps += 1
        settings = notes_path(file).read_text()
        if 0.25 in scores_of(file):
            assert '"old"' in settings, step
            write(file, OLD, 0.25, resume=True)  # its rows are as they were
            assert [row["path"] for row in read_rows(file)] == ["a", "b", "c"], step
            write(file, NEW, 0.75, overwrite=True)
        else:
            write(file, NEW, 0.75, resume=True)
        assert scores_of(file) == {0.75}, step
        assert sorted(row["path"] for row in read_rows(file)) == ["a", "b", "c"], step
    assert steps > 10


@needs_fork
@pytest.mark.parametrize("suffix", ALL)
def test_a_run_killed_anywhere_is_resumed_without_gap_or_double(
    tmp_path: Path, suffix: str
) -> None:
    """Twice killed: the run that adds to a finished table, and the one that resumes it."""
    steps = 0
    for step in range(1, 200):
        folder = tmp_path / str(step)
        folder.mkdir()
        file = folder / f"t{suffix}"
        write(file, OLD, 0.25)

        def add(file: Path = file) -> None:
            write(file, OLD, 0.5, "abcde", resume=True)

        if not killed_at(step, add):
            break
        killed_at(1 + step * 7 % 11, add)
        add()
        steps += 1
        rows = [(row["path"], row["score"]) for row in read_rows(file)]
        assert [path for path, _ in rows] == [*"abcde"], step
        assert {score for path, score in rows if path in "ab"} == {0.25}, step
    assert steps > 10


@pytest.mark.parametrize("suffix", ALL)
@pytest.mark.parametrize("how", ["deleted", "replaced", "cut", "longer"])
def test_a_table_that_is_taken_away_is_noticed_at_the_next_write(
    tmp_path: Path, suffix: str, how: str
) -> None:
    file = tmp_path / f"t{suffix}"
    message = r"was deleted, replaced or changed while this run.*--resume if"
    with pytest.raises(UsageError, match=message) as info, open_table(file) as table:
        table.write(scored("a", 0.5))
        lines = table._journal.lines
        data = lines.read_bytes()
        if how in ("deleted", "replaced"):
            lines.unlink()
        if how == "replaced":
            lines.write_bytes(data)
        if how in ("cut", "longer"):
            with lines.open("r+b") as other:
                other.truncate(len(data) + (7 if how == "longer" else -3))
        table.write(scored("b", 0.5))
    assert "\n" not in str(info.value)
    if how == "cut":
        assert lines.read_bytes() == data[:-3]  # not filled up with zeros


def test_a_table_that_is_deleted_before_the_end_is_not_called_done(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    with pytest.raises(UsageError, match="was deleted"), open_table(file) as table:
        table.write(scored("a", 0.5))
        file.unlink()


@pytest.mark.parametrize("suffix", ALL)
def test_the_lock_is_held_until_the_table_is_there(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, tried = tmp_path / f"t{suffix}", []
    real = journal.write_notes

    def meanwhile(*given: Any) -> None:
        real(*given)
        if ready:
            with pytest.raises(UsageError, match="another run is writing"):
                open_table(file, OLD, overwrite=True)
            tried.append(1)

    ready = False
    with open_table(file, OLD) as table:
        table.write(scored("a", 0.5))
        monkeypatch.setattr(journal, "write_notes", meanwhile)
        ready = True
        if suffix == ".parquet":
            write_table = journal.write_table

            def published(*given: Any, **options: Any) -> None:
                write_table(*given, **options)
                meanwhile(file, table._journal._notes)

            monkeypatch.setattr(journal, "write_table", published)
    assert len(tried) == (3 if suffix == ".parquet" else 1)
    assert scores_of(file) == {0.5}


@pytest.mark.parametrize("text", ["", "{", "{}", "\0" * 40])
@pytest.mark.parametrize("suffix", ALL)
def test_a_table_without_its_settings_is_not_resumed(
    tmp_path: Path, suffix: str, text: str
) -> None:
    file = tmp_path / f"t{suffix}"
    write(file, OLD, 0.25)
    notes_path(file).write_text(text)
    with pytest.raises(UsageError, match="is missing or damaged; start anew with --overwrite"):
        open_table(file, OLD, resume=True)
    assert scores_of(file) == {0.25}
