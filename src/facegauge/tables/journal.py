"""The journal: lines that grow by appending, which a killed run resumes without gap or double.

A journal is the table itself, or a file `<table>.partial.jsonl` beside it that becomes the table
when the run ends well. Rows are appended with one write for each picture. Beside the table lie its
notes, see `tables.notes`: the settings and how many bytes were complete when it was last closed.

Resuming keeps these bytes. Of what a killed run wrote after them it drops a cut last line and,
where pictures may have several rows, all rows of the last picture, since no row says whether more
were to follow.

Some failures pass, such as those of a share that was away. `drop_failed` takes the rows of such
pictures out, so that they are tried again and never have two sets of rows. The lines without them
take the place of the old ones all at once.

One process at a time writes a journal; others are refused.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

from facegauge.errors import UsageError
from facegauge.schema import Schema
from facegauge.tables.files import lines_of, replacing, sync, table_rows, table_schema, write_table
from facegauge.tables.formats import Row
from facegauge.tables.locks import hold
from facegauge.tables.notes import Notes, differences, read_notes, write_notes

logger = logging.getLogger(__name__)

MAY_PASS = frozenset({"unreadable", "error"})  # what pictures are tried again for


class Journal:
    """A table while it grows: `begin` or `resume`, then `append`, then `close`.

    Args:
        table: path of the table; its suffix says the format.
        schema: its columns.
        key: the column that names a row's picture.
        part: the column that numbers the rows of a picture from 0, None for a picture without
            parts; "" where each picture has one row.
        state: the column that holds a picture's status; "" without one.
        same: a picture's name to what is compared, such as its absolute path.
        in_place: whether the lines are the table itself.
        noun: what kind of table it is, for messages.
        restart: how to start anew, for messages.
        excel: whether a CSV table is for spreadsheets.

    Attributes:
        done: the pictures that a resumed table holds completely, as `same` gives them.
        failed: those of them, and of the pictures written since, whose status is in `MAY_PASS`.
    """

    def __init__(
        self,
        table: Path,
        schema: Schema,
        *,
        key: str,
        part: str = "",
        state: str = "",
        same: Callable[[str], str] = str,
        in_place: bool,
        noun: str,
        restart: str,
        excel: bool = False,
    ) -> None:
        self.table, self.schema = table, schema
        self.lines = table if in_place else table.with_name(table.name + ".partial.jsonl")
        self.done: set[str] = set()
        self.failed: set[str] = set()
        self._format = lines_of(self.lines.suffix.lower(), schema, excel=excel)
        self._excel = excel
        self._key, self._part, self._noun, self._restart = key, part, noun, restart
        self._state, self._same = state, same
        self._notes = Notes({}, schema)
        self._whole = 0  # bytes, up to the end of the last complete picture

    @property
    def exists(self) -> bool:
        """Whether there is anything to resume or to overwrite."""
        return any(file.exists() and file.stat().st_size for file in (self.table, self.lines))

    def begin(self, settings: Mapping[str, Any], more: Mapping[str, Any] | None = None) -> None:
        """Start an empty journal in place of what is there.

        Args:
            settings: what the rows depend on, as JSON types.
            more: what else belongs to the notes, as JSON types.

        Raises:
            UsageError: another process writes it.
            OSError: it cannot be written.
        """
        self._notes = Notes(_json(settings), self.schema, 0, _json(more or {}))
        self._open()
        try:
            # old rows are gone from the disk before the new settings are there
            self._file.truncate(0)
            sync(self.lines)
            if self.table != self.lines:
                self.table.unlink(missing_ok=True)
                sync(self.table.parent)
            self._save()
            self._write(self._format.header)
        except BaseException:
            self._file.close()
            raise

    def resume(
        self, settings: Mapping[str, Any], same_as: Collection[str] = ()
    ) -> Mapping[str, Any]:
        """Go on with what is there.

        Args:
            settings: what the rows depend on, as JSON types.
            same_as: sha256 of scorers that count as the one of the settings.

        Returns:
            What else the notes hold.

        Raises:
            UsageError: the settings or columns are others, the notes or lines are damaged, or
                another process writes it.
            OSError: it cannot be read or written.
        """
        notes, new = self._read_notes(), _json(settings)
        self._compare(notes, new, same_as)
        if self._only_finished:
            self._rebuild()
            notes = replace(notes, whole=self.lines.stat().st_size)
        self._notes = replace(notes, settings=new, schema=self.schema)
        self._open()
        try:
            self._whole = self._read_back(notes)
            self._save()
            self._file.truncate(self._whole)
            if not self._whole:
                self._write(self._format.header)
        except BaseException:
            self._file.close()
            raise
        return notes.more

    def append(self, rows: Iterable[Row]) -> None:
        """Append the rows of one picture.

        Raises:
            UsageError: another program deleted, replaced or changed the lines.
            OSError: they cannot be written.
        """
        self._check_in_place()
        rows = list(rows)
        self._write(self._format.encode(rows))
        self._note_failure(rows[0])

    def drop_failed(self, pictures: Iterable[str]) -> int:
        """Take out the rows of pictures whose failure may have passed.

        Args:
            pictures: of this run; of them those in `failed` lose their rows, and are not done.

        Returns:
            How many pictures.

        Raises:
            OSError: it cannot be written; the old lines stay.
        """
        dropped = {same for one in pictures if (same := self._same(one)) in self.failed}
        if not dropped:
            return 0
        fresh = self.lines.with_name(self.lines.name + ".new")
        try:
            with fresh.open("wb") as new:
                self._copy_without(dropped, new)
                size = new.tell()
                new.flush()
                os.fsync(new.fileno())
            write_notes(self.table, replace(self._notes, whole=self._whole, fewer=size))
            if os.name == "nt":  # where an open file cannot be replaced
                self._file.close()
            fresh.replace(self.lines)
        except BaseException:
            fresh.unlink(missing_ok=True)
            raise
        self._file.close()
        self._open()
        self._whole = size
        self._save()
        self.done -= dropped
        self.failed -= dropped
        return len(dropped)

    def close(self, *, publish: bool) -> None:
        """Close the journal at the end of the last complete picture.

        Args:
            publish: whether the run ended well, so that the journal becomes the table.

        Raises:
            UsageError: another program deleted, replaced or changed the lines.
            OSError: something cannot be written; what is complete can be resumed.
        """
        with self._file:  # locked until all is done
            if not publish and not self._in_place(self._whole):
                return  # nothing to tidy up, and what a person put there stays
            if publish:
                self._check_in_place()
            self._file.truncate(self._whole)
            sync(self.lines)
            self._save()
            if publish and self.table != self.lines:
                self._publish()

    def _publish(self) -> None:
        with self.lines.open("rb") as file:
            rows = (row for row, _ in self._format.decode(file) if row is not None)
            notes = {"settings": self._notes.settings, **self._notes.more}
            write_table(self.table, self.schema, rows, notes, excel=self._excel)
        if os.name == "nt":  # where an open file cannot be deleted
            self._file.close()
        self.lines.unlink()

    def _open(self) -> None:
        self._file = self.lines.open("ab", buffering=0)
        try:
            hold(self._file, self.table)
            if not self._in_place(0):  # the other run was about to put it away, and has unlocked it
                raise UsageError(f"another run was writing {self.table}: start again")
        except UsageError:
            self._file.close()
            raise

    @property
    def _only_finished(self) -> bool:
        """Whether there is a finished table and no line, as of a run that was about to begin."""
        if self.table == self.lines:
            return False
        return not self.lines.exists() or (not self.lines.stat().st_size and self.table.exists())

    def _in_place(self, least: int) -> bool:
        """Whether the open file is still the one under its name, with that many bytes or more."""
        try:
            named = self.lines.stat()
        except FileNotFoundError:
            return False
        mine = os.fstat(self._file.fileno())
        # some network file systems invent a number each time, so that alone it proves nothing
        gone = not mine.st_nlink and (mine.st_dev, mine.st_ino) != (named.st_dev, named.st_ino)
        return named.st_size >= least and not gone

    def _check_in_place(self) -> None:
        if not self._in_place(self._whole) or self.lines.stat().st_size != self._whole:
            raise UsageError(
                f"{self.lines} was deleted, replaced or changed while this run was writing it; "
                "rows of this run may be lost. Run again, with --resume if the table is still good"
            )

    def _write(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[self._file.write(rest) or 0 :]
        self._whole += len(data)

    def _copy_without(self, dropped: Collection[str], new: BinaryIO) -> None:
        """Copy the lines, byte by byte, but those of some pictures."""
        start = 0
        with self.lines.open("rb") as lines, self.lines.open("rb") as data:
            for row, end in self._format.decode(lines):
                line = data.read(end - start)
                start = end
                if row is None or self._same(row[self._key]) not in dropped:
                    new.write(line)

    def _note_failure(self, row: Row) -> None:
        if self._state and row[self._state] in MAY_PASS:
            self.failed.add(self._same(row[self._key]))

    def _save(self) -> None:
        """Store the settings and how far the lines are complete."""
        write_notes(self.table, replace(self._notes, whole=self._whole, fewer=0))

    def _read_notes(self) -> Notes:
        try:
            return read_notes(self.table)
        except UsageError as error:
            raise self._refused(f": {error}") from error

    def _compare(self, notes: Notes, new: Mapping[str, Any], same_as: Collection[str]) -> None:
        """Refuse other settings or columns than the table was begun with."""
        old = notes.settings
        if differing := differences(old, new, same_as):
            raise self._refused(
                f" with other settings: {'; '.join(differing)}", "repeat the old ones"
            )
        if notes.schema is not None:
            self._compare_columns(notes.schema)
        if old.get("sha256") != new.get("sha256"):
            logger.info(
                "%s was begun with the scorer %s of sha256 %.12s..., which counts as %s %s",
                self.table,
                old.get("scorer"),
                old.get("sha256"),
                new.get("scorer"),
                new.get("version", ""),
            )

    def _compare_columns(self, schema: Schema) -> None:
        old, new = ([(column.name, column.type) for column in one] for one in (schema, self.schema))
        if old != new:
            changed = [name for name, _ in {*old} ^ {*new}] or schema.names
            raise self._refused(f" with other columns: {', '.join(sorted({*changed}))}")

    def _rebuild(self) -> None:
        """Bring a finished table back to lines."""
        try:
            schema = table_schema(self.table, self.schema)
            self._compare_columns(schema)
            rows = table_rows(self.table, schema)
            with replacing(self.lines) as fresh, fresh.open("wb") as lines:
                lines.writelines(self._format.encode([row]) for row in rows)
        except (ValueError, KeyError, TypeError) as error:
            raise self._damaged(self.table, error) from error

    def _read_back(self, notes: Notes) -> int:
        """Collect the pictures that are certainly complete.

        Args:
            notes: with the bytes of the lines when they were last closed.

        Returns:
            Where the last of them ends.
        """
        first: Row | None = None  # row of the picture being read
        start, end = 0, 0  # of it
        part = self._part
        try:
            with self.lines.open("rb") as file:
                for row, row_end in self._format.decode(file):
                    if row is not None and (
                        not (part and row[part]) or not first or row[self._key] != first[self._key]
                    ):
                        self._add(first)
                        first, start = row, end
                    end = row_end
        except (ValueError, KeyError, TypeError) as error:
            raise self._damaged(self.lines, error) from error
        if part and first and end not in (notes.whole, notes.fewer or notes.whole):
            return start  # written or cut since it was closed: rows may be missing
        self._add(first)
        return end

    def _add(self, row: Row | None) -> None:
        """Count the picture of its first row as done."""
        if row is not None:
            self.done.add(self._same(row[self._key]))
            self._note_failure(row)

    def _damaged(self, file: Path, error: Exception) -> UsageError:
        return self._refused(f": {file.name} is damaged, or no {self._noun}: {error}")

    def _refused(self, why: str, remedy: str = "") -> UsageError:
        remedy = f"{remedy} or " if remedy else ""
        return UsageError(f"cannot resume {self.table}{why}; {remedy}{self._restart}")


def _json(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values as they come back from JSON, so that new and stored ones compare equal."""
    return dict(json.loads(json.dumps(dict(values))))
