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

What is begun and has no rows yet is noted beside the table, see `tables.in_flight`. After a run
that was killed, these pictures are suspects, until they have rows with a final status.

One process at a time writes a journal; others are refused.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from facegauge.errors import UsageError
from facegauge.outputs import replacing, sync
from facegauge.schema import Schema
from facegauge.tables.appended import AppendedFile
from facegauge.tables.files import (
    copy_rows,
    lines_of,
    table_rows,
    table_schema,
    write_table,
)
from facegauge.tables.formats import Row
from facegauge.tables.held import Held
from facegauge.tables.in_flight import InFlight
from facegauge.tables.notes import (
    Notes,
    differences,
    in_json,
    other_columns,
    read_notes,
    say_other_scorer,
    write_notes,
)

logger = logging.getLogger(__name__)


class Journal:
    """A table while it grows: `begin` or `resume`, then `append`, then `close`.

    Args:
        table: path of the table; its suffix says the format.
        schema: its columns.
        key, part, state, same: see `held.Held`.
        in_place: whether the lines are the table itself.
        noun: what kind of table it is, for messages.
        restart: how to start anew, for messages.
        excel: whether a CSV table is for spreadsheets.

    Attributes:
        held: which pictures it holds, and which of them failed.
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
        self.held = Held(key, part, state, same)
        self._format = lines_of(self.lines.suffix.lower(), schema, excel=excel)
        self._excel = excel
        self._noun, self._restart = noun, restart
        self._notes = Notes({}, schema)
        self._in_flight = InFlight(table)

    @property
    def exists(self) -> bool:
        """Whether there is anything to resume or to overwrite."""
        if any(file.exists() and file.stat().st_size for file in (self.table, self.lines)):
            return True
        return self.lines.exists() and bool(self._in_flight.names())  # killed at its first picture

    def begin(self, settings: Mapping[str, Any], more: Mapping[str, Any] | None = None) -> None:
        """Start an empty journal in place of what is there.

        Args:
            settings: what the rows depend on, as JSON types.
            more: what else belongs to the notes, as JSON types.

        Raises:
            UsageError: another process writes it.
            OSError: it cannot be written.
        """
        self._notes = Notes(in_json(settings), self.schema, 0, in_json(more or {}))
        self._open()
        try:
            self._in_flight.clear()
            # old rows are gone from the disk before the new settings are there
            self._file.cut(0)
            sync(self.lines)
            if self.table != self.lines:
                self.table.unlink(missing_ok=True)
                sync(self.table.parent)
            self._save()
            self._file.write(self._format.header)
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
        notes, new = self._read_notes(), in_json(settings)
        if differing := differences(notes.settings, new, same_as):
            raise self._refused(
                f" with other settings: {'; '.join(differing)}", "repeat the old ones"
            )
        if notes.schema is not None:
            self._compare_columns(notes.schema)
        say_other_scorer(self.table, notes.settings, new)
        if self._only_finished:
            self._rebuild()
            notes = replace(notes, whole=self.lines.stat().st_size)
        self._notes = replace(notes, settings=new, schema=self.schema, finished=None)
        self._open()
        try:
            self._file.size = self._read_back(notes)
            if found := self.held.suspect(notes.suspects, self._in_flight.names()):
                self._say_killed(found)
            self._save()
            self._in_flight.clear()
            self._file.cut(self._file.size)
            if not self._file.size:
                self._file.write(self._format.header)
        except BaseException:
            self._file.close()
            raise
        return notes.more

    def note(self, more: Mapping[str, Any]) -> None:
        """Put more into the notes; they are stored when the journal is closed.

        Args:
            more: JSON types by name.
        """
        self._notes = replace(self._notes, more={**self._notes.more, **in_json(more)})

    def begun(self, name: str) -> None:
        """Note that a picture will be opened, in case it ends the process.

        Raises:
            OSError: it cannot be written.
        """
        self._in_flight.add(name)

    def append(self, rows: Iterable[Row]) -> None:
        """Append the rows of one picture.

        Raises:
            UsageError: another program deleted, replaced or changed the lines.
            OSError: they cannot be written.
        """
        self._file.check()
        rows = list(rows)
        self._file.write(self._format.encode(rows))
        self.held.wrote(rows[0])

    def drop_failed(self, pictures: Iterable[str]) -> int:
        """Take out the rows of pictures whose failure may have passed.

        Args:
            pictures: of this run; of them those that failed lose their rows, and are not done.

        Returns:
            How many pictures.

        Raises:
            OSError: it cannot be written; the old lines stay.
        """
        held = self.held
        dropped = held.failed_of(pictures)
        if not dropped:
            return 0
        fresh = self.lines.with_name(self.lines.name + ".new")
        try:
            with fresh.open("wb") as new:
                copy_rows(self.lines, self._format, new, lambda row: not held.is_of(row, dropped))
                size = new.tell()
                new.flush()
                os.fsync(new.fileno())
            self._save(fewer=size)
            if os.name == "nt":  # where an open file cannot be replaced
                self._file.close()
            fresh.replace(self.lines)
        except BaseException:
            fresh.unlink(missing_ok=True)
            raise
        self._file.close()
        self._open(size)
        self._save()
        held.drop(dropped)
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
            try:
                self._finish(publish)
            finally:
                self._in_flight.clear()  # no picture has ended this run

    def _finish(self, publish: bool) -> None:
        if not publish and not self._file.in_place(self._file.size):
            return  # nothing to tidy up, and what a person put there stays
        if publish:
            self._file.check()
        self._file.cut(self._file.size)
        sync(self.lines)
        finished = self._file.size if publish and self.table == self.lines else None
        self._notes = replace(self._notes, finished=finished)
        self._save()
        if publish and self.table != self.lines:
            self._publish()

    def _publish(self) -> None:
        with self.lines.open("rb") as file:
            rows = (row for row, _ in self._format.decode(file) if row is not None)
            notes = {"settings": self._notes.settings, **self._notes.more}
            write_table(self.table, self.schema, rows, notes, excel=self._excel)
        self._notes = replace(self._notes, finished=self.table.stat().st_size)
        self._save()
        if os.name == "nt":  # where an open file cannot be deleted
            self._file.close()
        self.lines.unlink()

    def _open(self, size: int = 0) -> None:
        self._file = AppendedFile(self.lines, self.table, size)

    @property
    def _only_finished(self) -> bool:
        """Whether there is a finished table and no line, as of a run that was about to begin."""
        if self.table == self.lines:
            return False
        return not self.lines.exists() or (not self.lines.stat().st_size and self.table.exists())

    def _save(self, fewer: int = 0) -> None:
        """Store the settings, how far the lines are complete, and the suspects."""
        now = replace(self._notes, whole=self._file.size, fewer=fewer, suspects=self.held.suspects)
        write_notes(self.table, now)

    def _say_killed(self, suspects: int) -> None:
        many = "s" if suspects > 1 else ""
        logger.info(
            "an earlier run of %s was killed while it had %d picture%s in hand; each will be tried "
            "in a process of its own",
            *(self.table, suspects, many),
        )

    def _read_notes(self) -> Notes:
        try:
            return read_notes(self.table)
        except UsageError as error:
            raise self._refused(f": {error}") from error

    def _compare_columns(self, schema: Schema) -> None:
        if names := other_columns(schema, self.schema):
            raise self._refused(f" with other columns: {', '.join(names)}")

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
        """Collect the pictures that are certainly complete; where the last of them ends."""
        try:
            with self.lines.open("rb") as file:
                ends = (notes.whole, notes.fewer or notes.whole)
                return self.held.read(self._format.decode(file), ends)
        except (ValueError, KeyError, TypeError) as error:
            raise self._damaged(self.lines, error) from error

    def _damaged(self, file: Path, error: Exception) -> UsageError:
        return self._refused(f": {file.name} is damaged, or no {self._noun}: {error}")

    def _refused(self, why: str, remedy: str = "") -> UsageError:
        remedy = f"{remedy} or " if remedy else ""
        return UsageError(f"cannot resume {self.table}{why}; {remedy}{self._restart}")
