from __future__ import annotations

import contextlib
import csv
import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from facegauge.errors import MissingExtra, UsageError
from facegauge.results import COLUMNS, FIRST_COLUMNS, Box, Face, FaceScore, ImageScore, Status
from facegauge.schema import Column, Schema
from facegauge.tables import parquet as parquet_files
from facegauge.tables import scores as tables
from facegauge.tables.files import write_table
from facegauge.tables.notes import notes_path
from facegauge.tables.scores import open_table, read_rows, read_schema

LINES = [".csv", ".jsonl"]
ALL = [*LINES, ".parquet"]
ODD = "odd, \"quoted\"\nnew line\rreturn\ttab 'x' ä 鏡.jpg"
NOT_UTF8 = os.fsdecode(b"caf\xe9.jpg")
BACKSLASHES = "caf\\udce9.jpg"


def result(path: str, faces: int = 1) -> ImageScore:
    if not faces:
        return ImageScore(path, Status.UNREADABLE, message='damaged,\n"really"')
    scored = tuple(
        FaceScore(0.5, 0.25, 0.75, 50.0, "good", Face(Box(number, 2, 30.5, 40), 0.875))
        for number in range(faces)
    )
    return ImageScore(path, Status.OK, scored)


def paths(table: Path) -> list[str]:
    return [row["path"] for row in read_rows(table)]


@pytest.mark.parametrize("suffix", ALL)
def test_rows_come_back_as_they_were(tmp_path: Path, suffix: str) -> None:
    results = [result("a.jpg", 2), result(ODD), result("b.jpg", 0)]
    whole = ImageScore("w.png", Status.OK, (FaceScore(0.1, 0, 0.2, 3, "bad"),), "a note")
    with open_table(tmp_path / f"t{suffix}") as table:
        for item in [*results, whole]:
            table.write(item)
    read = list(read_rows(tmp_path / f"t{suffix}"))
    assert read == [row for item in [*results, whole] for row in item.rows()]
    assert [type(value) for value in read[0].values()][:4] == [str, int, str, float]


@pytest.mark.parametrize("suffix", ALL)
def test_paths_that_are_not_utf8_survive(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"t{suffix}"
    with open_table(file) as table:
        table.write(result(NOT_UTF8))
        table.write(ImageScore(BACKSLASHES, Status.UNREADABLE, (), "\udce9 is no letter"))
    assert paths(file) == [NOT_UTF8, BACKSLASHES]
    assert [row["message"] for row in read_rows(file)] == ["", "\\udce9 is no letter"]
    with open_table(file, resume=True) as table:
        assert table.is_done(NOT_UTF8) and table.is_done(BACKSLASHES)
        assert not table.is_done("caf\\xe9.jpg")
        assert table.retry([BACKSLASHES]) == 1
        table.write(result(BACKSLASHES))
    assert paths(file) == [NOT_UTF8, BACKSLASHES]


@pytest.mark.parametrize("suffix", LINES)
def test_bytes_of_names_as_earlier_versions_wrote_them_are_read(
    tmp_path: Path, suffix: str
) -> None:
    file = tmp_path / f"t{suffix}"
    with open_table(file) as table:
        table.write(result(NOT_UTF8))
        table.write(result("b.jpg"))
    old = b"caf\xe9.jpg" if suffix == ".csv" else b"caf\\udce9.jpg"
    file.write_bytes(file.read_bytes().replace(b"file:caf%E9.jpg", old))
    assert paths(file) == [NOT_UTF8, "b.jpg"]
    with open_table(file, resume=True) as table:
        assert table.is_done(NOT_UTF8)


def test_a_table_that_excel_separated_by_semicolons_is_refused_in_one_line(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    with open_table(file) as table:
        table.write(result("a.jpg"))
    text = file.read_text().replace(".", "\0").replace(",", ";").replace("\0", ",")
    file.write_text("\ufeff" + text, encoding="utf-8")
    for call in (lambda: list(read_rows(file)), lambda: open_table(file, resume=True)):
        with pytest.raises(UsageError, match="separated by semicolons") as refused:
            call()
        assert "\n" not in str(refused.value)
    assert file.read_text("utf-8") == "\ufeff" + text


def test_a_table_for_spreadsheets_is_resumed_and_has_no_formulas(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    names = ["=1+1.jpg", "a;=1+1.jpg", "-5.jpg", "a=b.jpg", "ä.jpg", NOT_UTF8]
    rude = "=HYPERLINK(0)"
    with open_table(file, excel=True) as table:
        table.write(result(names[0]))
    with open_table(file, excel=True, resume=True) as table:
        assert table.is_done(names[0])
        for name in names[1:]:
            table.write(ImageScore(name, Status.ERROR, (), rude))
    data = file.read_bytes()
    assert data.startswith(b"\xef\xbb\xbf") and data.count(b"\xef\xbb\xbf") == 1
    with file.open(newline="", encoding="utf-8-sig") as stream:
        cells = [cell for line in csv.reader(stream) for cell in line]
    assert not [cell for cell in cells if cell[:1] in "=+@\t\r" and cell]
    assert {"a=b.jpg", "ä.jpg", "file:-5.jpg", "'" + rude} <= {*cells}
    assert paths(file) == names
    assert [row["message"] for row in read_rows(file)] == ["", *[rude] * 5]
    with pytest.raises(UsageError, match="excel was True, is None"):
        open_table(file, resume=True)
    with pytest.raises(UsageError, match=r"--excel\) is a CSV file"):
        open_table(tmp_path / "t.parquet", excel=True)


@pytest.mark.parametrize("suffix", ALL)
def test_columns_of_factors_come_back_with_type_and_doc(tmp_path: Path, suffix: str) -> None:
    more = [Column("count", "int", "A toy."), Column("code", "str", "Digits of a toy.")]
    file, schema = tmp_path / f"t{suffix}", COLUMNS + more
    measured = FaceScore(0.1, 0, 0.2, 3, "bad", factors={"count": 3, "code": "12"})
    with open_table(file, schema=schema) as table:
        table.write(ImageScore("a.png", Status.OK, (measured,)))
        table.write(result("b.jpg", 0))
    assert read_schema(file) == schema
    assert [(row["count"], row["code"]) for row in read_rows(file)] == [(3, "12"), (None, None)]
    with open_table(file, schema=schema, resume=True) as table:
        assert table.is_done("a.png") and table.is_done("b.jpg")
    with pytest.raises(UsageError, match="with other columns: code, count"):
        open_table(file, resume=True)
    (tmp_path / f"{file.name}.settings.json").unlink()
    assert [(column.name, column.type) for column in read_schema(file)][-2:] == [
        ("count", "int"),
        ("code", "int" if suffix == ".csv" else "str"),
    ]


@pytest.mark.parametrize("suffix", ALL)
def test_notes_come_back_as_words_and_nothing_where_there_are_none(
    tmp_path: Path, suffix: str
) -> None:
    file = tmp_path / f"t{suffix}"
    faces = [FaceScore(0.1, 0, 0.2, 3, "bad", notes=n) for n in (("tiny", "grey"), ())]
    with open_table(file) as table:
        table.write(ImageScore("a.png", Status.OK, tuple(faces)))
        table.write(result("b.jpg", 0))
    assert [row["notes"] for row in read_rows(file)] == ["tiny grey", None, None]


@pytest.mark.parametrize("closed", [True, False])
@pytest.mark.parametrize("suffix", ALL)
def test_a_table_that_was_begun_without_notes_keeps_its_columns(
    tmp_path: Path, suffix: str, closed: bool
) -> None:
    file, factor = tmp_path / f"t{suffix}", [Column("count", "int", "A toy.")]
    measured = FaceScore(0.1, 0, 0.2, 3, "bad", factors={"count": 3}, notes=("grey",))
    before = open_table(file, schema=FIRST_COLUMNS + factor)
    with contextlib.suppress(KeyboardInterrupt), before:
        before.write(ImageScore("a.png", Status.OK, (measured,)))
        if not closed:
            raise KeyboardInterrupt
    with open_table(file, schema=COLUMNS + factor, resume=True) as table:
        assert table.is_done("a.png")
        table.write(ImageScore("b.png", Status.OK, (measured,)))
    assert read_schema(file) == FIRST_COLUMNS + factor
    assert [(row["path"], row["count"]) for row in read_rows(file)] == [("a.png", 3), ("b.png", 3)]
    with pytest.raises(UsageError, match="with other columns: count"):
        open_table(file, resume=True)
    with open_table(file, schema=COLUMNS + factor, overwrite=True) as table:
        table.write(ImageScore("b.png", Status.OK, (measured,)))
    assert read_schema(file) == COLUMNS + factor


def test_notes_that_a_table_left_behind_do_not_choose_the_columns_of_a_new_one(
    tmp_path: Path,
) -> None:
    file = tmp_path / "t.csv"
    with open_table(file, schema=FIRST_COLUMNS) as table:
        table.write(result("a.jpg"))
    file.unlink()
    with open_table(file, resume=True) as table:
        table.write(result("a.jpg"))
    assert read_schema(file) == COLUMNS


@pytest.mark.parametrize("suffix", ALL)
def test_a_column_of_others_that_is_named_notes_stays_as_it_is(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"t{suffix}"
    with open_table(file, schema=FIRST_COLUMNS) as table:
        table.write(result("a.jpg"))
    rows = [row | {"notes": 7} for row in read_rows(file)]
    write_table(file, Schema([*FIRST_COLUMNS, Column("notes", "int", "")]), rows)
    assert list(read_rows(file)) == rows


@pytest.mark.parametrize("suffix", ALL)
def test_columns_of_other_tools_are_kept(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"t{suffix}"
    with open_table(file) as table:
        table.write(result("a.jpg"))
        table.write(result("b.jpg", 0))
    rows = [row | {"my note": 7 + place} for place, row in enumerate(read_rows(file))]
    assert len(rows) == 2
    more = Schema([*COLUMNS, Column("my note", "int", "")])
    write_table(file, more, rows)
    assert list(read_rows(file)) == rows
    assert [(one.name, one.type) for one in read_schema(file)][-1] == ("my note", "int")


def test_a_table_that_excel_saved_again_is_read_and_resumed(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    with open_table(file) as table:
        for name in ("ä.jpg", "b.jpg", "c.jpg"):
            table.write(result(name, 2))
    before = list(read_rows(file))
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes().replace(b"\n", b"\r\n"))
    assert list(read_rows(file)) == before
    with open_table(file, resume=True) as table:
        assert table.is_done("ä.jpg") and table.is_done("b.jpg")
        if not table.is_done("c.jpg"):  # it may have been cut
            table.write(result("c.jpg", 2))
    assert list(read_rows(file)) == before


def test_csv_is_plain_for_other_tools(tmp_path: Path) -> None:
    with open_table(tmp_path / "t.csv") as table:
        table.write(ImageScore("a.jpg", Status.OK, (FaceScore(1 / 3, 0, 1, 2 / 3, "fair"),)))
    assert (tmp_path / "t.csv").read_text() == (
        ",".join(COLUMNS.names) + "\n" + "a.jpg,0,ok,0.333333,0,1,0.666667,fair,,,,,,,\n"
    )


@pytest.mark.parametrize("suffix", LINES)
def test_a_row_is_on_the_disk_at_once(tmp_path: Path, suffix: str) -> None:
    with open_table(tmp_path / f"t{suffix}") as table:
        table.write(result("a.jpg"))
        assert paths(tmp_path / f"t{suffix}") == ["a.jpg"]


def kill(table: tables.ScoreTable) -> None:
    """Leave a table as kill -9 would: nothing is tidied up."""
    table._journal._file.close()


@pytest.mark.parametrize("suffix", LINES)
def test_whatever_byte_a_killed_run_was_cut_at_resuming_gives_the_same_table(
    tmp_path: Path, suffix: str
) -> None:
    results = [result("a.jpg"), result(ODD, 3), result("b.jpg", 0), result("c", 2)]
    whole = tmp_path / f"whole{suffix}"
    with open_table(whole) as table:
        for item in results:
            table.write(item)
    expected = whole.read_bytes()
    cut = tmp_path / f"cut{suffix}"
    for length in range(len(expected)):
        kill(open_table(cut, overwrite=True))
        cut.write_bytes(expected[:length])
        with open_table(cut, resume=True) as table:
            for item in results:
                if not table.is_done(item.path):
                    table.write(item)
        assert cut.read_bytes() == expected, length


def failing(path: str, status: Status = Status.UNREADABLE) -> ImageScore:
    return ImageScore(path, status, message="gone")


@pytest.mark.parametrize("suffix", ALL)
def test_only_failures_that_may_pass_are_tried_again(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"t{suffix}"
    with open_table(file) as table:
        table.write(failing("a.jpg"))
        table.write(result("b.jpg", 2))
        for place, status in enumerate(list(Status)[1:]):
            table.write(failing(f"{place}.jpg", status))
        table.write(failing("other.jpg"))
        assert table.failed == 4
    before = paths(file)
    with open_table(file, resume=True) as table:
        assert table.failed == 4 and all(map(table.is_done, before))
        assert table.retry(path for path in before if path != "other.jpg") == 3
        again = [path for path in before if not table.is_done(path)]
        assert again == ["a.jpg", "2.jpg", "4.jpg"] and table.failed == 1
        table.write(result("a.jpg", 3))
        table.write(failing("2.jpg"))
        table.write(result("4.jpg"))
        assert table.failed == 2
    kept = ["b.jpg", "b.jpg", "0.jpg", "1.jpg", "3.jpg", "other.jpg"]
    assert paths(file) == [*kept, *["a.jpg"] * 3, "2.jpg", "4.jpg"]
    statuses = {row["path"]: row["status"] for row in read_rows(file)}
    assert list(Status)[1:3] == [statuses["0.jpg"], statuses["1.jpg"]]
    assert statuses["a.jpg"] == statuses["4.jpg"] == "ok"
    assert statuses["2.jpg"] == statuses["other.jpg"] == "unreadable"


@pytest.mark.parametrize("suffix", LINES)
def test_whatever_byte_a_run_that_tries_again_was_cut_at_nothing_is_lost_or_doubled(
    tmp_path: Path, suffix: str
) -> None:
    first = [result("a.jpg", 2), failing("b.jpg"), failing("c.jpg", Status.ERROR), result("d.jpg")]
    file, names = tmp_path / f"t{suffix}", ["a.jpg", "b.jpg", "c.jpg", "d.jpg", "e.jpg"]
    later = [result("a.jpg", 2), result("b.jpg", 2), failing("c.jpg"), result("d.jpg"),
             result("e.jpg")]  # fmt: skip
    now = {item.path: item for item in later}
    with open_table(file) as table:
        for item in first:
            table.write(item)

    def resume() -> None:
        with open_table(file, resume=True) as table:
            table.retry(names)
            for name in names:
                if not table.is_done(name):
                    table.write(now[name])

    started = open_table(file, resume=True)
    started.retry(names)
    begun, notes = file.read_bytes(), notes_path(file).read_bytes()
    for name in ("b.jpg", "c.jpg", "e.jpg"):
        started.write(now[name])
    kill(started)
    whole = file.read_bytes()
    for length in range(len(begun), len(whole) + 1):
        file.write_bytes(whole[:length])
        notes_path(file).write_bytes(notes)
        resume()
        found = paths(file)
        assert sorted(found) == ["a.jpg"] * 2 + ["b.jpg"] * 2 + names[2:], length
        assert {row["path"]: row["status"] for row in read_rows(file)} == {
            item.path: item.status for item in later
        }, length


@pytest.mark.parametrize("suffix", LINES)
def test_a_kill_while_failed_rows_are_taken_out_keeps_all_rows(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At each step there are the old lines or the new ones, the last picture among them."""
    file, kept = tmp_path / f"t{suffix}", [result("a.jpg"), result("z.jpg", 2)]
    real = Path.replace, Path.open
    for step in range(1, 7):
        file.unlink(missing_ok=True)
        with open_table(file) as table:
            for item in [failing("b.jpg"), *kept]:
                table.write(item)
        table = open_table(file, resume=True)
        count = 0

        def counted(which: int, step: int = step) -> Callable[..., Any]:
            def act(self: Path, *given: Any, **options: Any) -> Any:
                nonlocal count
                count += 1
                if count == step:
                    raise KeyboardInterrupt
                return real[which](self, *given, **options)

            return act

        with monkeypatch.context() as patch, contextlib.suppress(KeyboardInterrupt):
            patch.setattr(Path, "replace", counted(0))
            patch.setattr(Path, "open", counted(1))
            table.retry(["b.jpg"])
        kill(table)
        with open_table(file, resume=True) as table:
            assert table.is_done("a.jpg") and table.is_done("z.jpg"), step
            table.retry(["b.jpg"])
            assert not table.is_done("b.jpg")
            table.write(result("b.jpg"))
        assert paths(file) == ["a.jpg", "z.jpg", "z.jpg", "b.jpg"], step


@pytest.mark.parametrize("suffix", ALL)
def test_a_picture_is_done_however_its_path_is_spelt(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with open_table(f"t{suffix}") as table:
        table.write(result("photos/a.jpg"))
        table.write(failing("./photos/b.jpg"))
    with open_table(f"t{suffix}", resume=True) as table:
        for path in ("photos/a.jpg", "./photos//a.jpg", "photos/../photos/a.jpg",
                     str(tmp_path / "photos" / "a.jpg")):  # fmt: skip
            assert table.is_done(path), path
        assert not table.is_done("a.jpg") and not table.is_done("photos/A.jpg")
        assert table.retry([str(tmp_path / "photos" / "b.jpg")]) == 1
        assert not table.is_done("photos/b.jpg")
    assert paths(tmp_path / f"t{suffix}") == ["photos/a.jpg"]  # as it was given


@pytest.mark.parametrize("suffix", ALL)
def test_a_run_that_was_closed_keeps_its_last_picture(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"t{suffix}"
    with open_table(file) as table:
        table.write(result("a.jpg", 2))
    with open_table(file, resume=True) as table:
        assert table.is_done("a.jpg")
        assert not table.is_done("b.jpg")
        table.write(result("b.jpg"))
    assert paths(file) == ["a.jpg", "a.jpg", "b.jpg"]


def test_an_interrupted_run_keeps_whole_pictures_only(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    with pytest.raises(KeyboardInterrupt), open_table(file) as table:
        table.write(result("a.jpg", 2))
        table._journal._file.raw.write(b"half a pic")
        raise KeyboardInterrupt
    assert paths(file) == ["a.jpg", "a.jpg"]
    with open_table(file, resume=True) as table:
        assert table.is_done("a.jpg")


@pytest.mark.parametrize("suffix", ALL)
@pytest.mark.parametrize("how", ["resume", "overwrite"])
def test_a_table_has_one_writer(tmp_path: Path, suffix: str, how: str) -> None:
    file = tmp_path / f"t{suffix}"
    with open_table(file) as table:
        table.write(result("a.jpg"))
        with pytest.raises(UsageError, match="another run is writing"):
            open_table(file, **{how: True})
        table.write(result("b.jpg"))
    assert paths(file) == ["a.jpg", "b.jpg"]
    with open_table(file, resume=True) as table:
        assert table.is_done("b.jpg")


@pytest.mark.parametrize("suffix", LINES)
def test_a_table_that_was_cut_later_scores_its_last_picture_again(
    tmp_path: Path, suffix: str
) -> None:
    file = tmp_path / f"t{suffix}"
    with open_table(file) as table:
        table.write(result("a.jpg"))
        table.write(result("b.jpg", 3))
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:-1]))
    with open_table(file, resume=True) as table:
        assert table.is_done("a.jpg") and not table.is_done("b.jpg")
        table.write(result("b.jpg", 3))
    assert paths(file) == ["a.jpg", *["b.jpg"] * 3]


@pytest.mark.parametrize("suffix", ALL)
def test_a_full_disk_is_said_to_be_one(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    file = tmp_path / f"t{suffix}"
    said = r"No space left.*resume with --resume"
    with pytest.raises(UsageError, match=said), open_table(file) as table:
        table.write(result("a.jpg"))
        monkeypatch.setattr(table._journal, "_save", full)
    with pytest.raises(ZeroDivisionError), open_table(file, resume=True) as table:
        monkeypatch.setattr(table._journal, "_save", full)
        raise ZeroDivisionError  # what came first is what is said
    with open_table(file, resume=True) as table:
        table.write(result("b.jpg"))
    assert paths(file)[-1] == "b.jpg"


@pytest.mark.parametrize("suffix", ALL)
def test_a_disk_that_fills_up_amid_a_picture_leaves_whole_pictures(
    tmp_path: Path, suffix: str
) -> None:
    class Full:
        """A file that takes half of what it is given, and then no more."""

        def __init__(self, file: io.FileIO) -> None:
            self.file, self.full = file, False

        def write(self, data: memoryview) -> int:
            if self.full:
                raise OSError(28, "No space left on device")
            self.full = True
            return self.file.write(data[: len(data) // 2])

        def truncate(self, size: int) -> None:
            self.file.truncate(size)

        def fileno(self) -> int:
            return self.file.fileno()

        def close(self) -> None:
            self.file.close()

    file = tmp_path / f"t{suffix}"
    message = r"No space left.*the rows so far are kept, resume with --resume"
    with pytest.raises(UsageError, match=message), open_table(file) as table:
        table.write(result("a.jpg", 2))
        table._journal._file.raw = Full(table._journal._file.raw)  # type: ignore[assignment]
        table.write(result("b.jpg", 3))
    with open_table(file, resume=True) as table:
        assert table.is_done("a.jpg") and not table.is_done("b.jpg")
        table.write(result("b.jpg", 3))
    assert paths(file) == [*["a.jpg"] * 2, *["b.jpg"] * 3]


def test_a_killed_parquet_run_is_resumed_from_its_journal(tmp_path: Path) -> None:
    file = tmp_path / "t.parquet"
    with open_table(file) as table:
        table.write(result("a.jpg"))
    table = open_table(file, resume=True)
    table.write(result("b.jpg"))
    table.write(result("c.jpg", 2))
    kill(table)
    with pytest.raises(UsageError, match="exists"):
        open_table(file)
    with open_table(file, resume=True) as table:
        assert [table.is_done(f"{name}.jpg") for name in "abc"] == [True, True, False]
        table.write(result("c.jpg", 2))
    assert paths(file) == ["a.jpg", "b.jpg", "c.jpg", "c.jpg"]
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [
        "t.parquet",
        "t.parquet.settings.json",
    ]


def test_parquet_is_written_in_row_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    monkeypatch.setattr(parquet_files, "ROW_GROUP", 2)
    with open_table(tmp_path / "t.parquet") as table:
        for number in range(5):
            table.write(result(f"{number}.jpg"))
    assert parquet.ParquetFile(tmp_path / "t.parquet").num_row_groups == 3
    with open_table(tmp_path / "empty.parquet"):
        pass
    assert paths(tmp_path / "empty.parquet") == []


@pytest.mark.parametrize("suffix", ALL)
def test_an_existing_table_is_not_touched_unasked(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"t{suffix}"
    with open_table(file) as table:
        table.write(result("a.jpg"))
    before = file.read_bytes()
    with pytest.raises(UsageError, match=r"--resume.*--overwrite"):
        open_table(file)
    assert file.read_bytes() == before
    with open_table(file, overwrite=True) as table:
        assert not table.is_done("a.jpg")
        table.write(result("b.jpg"))
    assert paths(file) == ["b.jpg"]


def test_resume_refuses_other_settings(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    settings = {"scorer": "toy", "faces": "auto", "size": (1, 2)}
    with open_table(file, settings) as table:
        table.write(result("a.jpg"))
    stored = json.loads((tmp_path / "t.csv.settings.json").read_text())
    assert stored["settings"] == {"scorer": "toy", "faces": "auto", "size": [1, 2]}
    with open_table(file, settings, resume=True):
        pass
    with pytest.raises(
        UsageError, match=r"faces was 'auto', is 'all'; new was None, is 1;"
    ) as info:
        open_table(file, settings | {"faces": "all", "new": 1}, resume=True)
    assert "scorer" not in str(info.value)
    (tmp_path / "t.csv.settings.json").unlink()
    with pytest.raises(UsageError, match=r"t\.csv\.settings\.json.*missing"):
        open_table(file, settings, resume=True)


def test_resume_of_nothing_begins(tmp_path: Path) -> None:
    (tmp_path / "t.csv").touch()
    for name in ("t.csv", "u.csv"):
        with open_table(tmp_path / name, resume=True) as table:
            table.write(result("a.jpg"))
        assert paths(tmp_path / name) == ["a.jpg"]


@pytest.mark.parametrize(
    ("suffix", "text"),
    [
        (".csv", "a,b\n1,2\n"),
        (".csv", ",".join(COLUMNS.names) + "\n1,2\n"),
        (".csv", ",".join(COLUMNS.names) + "\n" + "a,zero,ok" + "," * 11 + "\n"),
        (".jsonl", '{"a": 1}\n'),
        (".jsonl", "[1]\n"),
        (".jsonl", "nonsense\n"),
    ],
)
def test_a_file_that_is_no_score_table_is_refused_and_kept(
    tmp_path: Path, suffix: str, text: str
) -> None:
    file = tmp_path / f"t{suffix}"
    with open_table(file):
        pass
    file.write_text(text)
    with pytest.raises(UsageError, match="no score table"):
        open_table(file, resume=True)
    with pytest.raises(UsageError, match="not a score table"):
        list(read_rows(file))
    assert file.read_text() == text


def test_unknown_suffix_no_folder_and_missing_pyarrow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match=r"\.csv, \.jsonl or \.parquet"):
        open_table(tmp_path / "t.xlsx")
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot make the folder"):
        open_table(tmp_path / "file" / "t.csv")
    with pytest.raises(UsageError, match="cannot read"):
        list(read_rows(tmp_path / "none.csv"))
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(MissingExtra, match=r"facegauge\[parquet\]"):
        open_table(tmp_path / "t.parquet")
    assert not (tmp_path / "t.parquet.partial.jsonl").exists()
