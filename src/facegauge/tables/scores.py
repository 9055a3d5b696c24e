"""Score tables: CSV, JSONL and Parquet, one row a face; a killed run can be taken up again.

Rows reach the disk picture by picture. Beside the table lies `<table>.settings.json`: the settings
that the scores were made with, and how many bytes of the table were whole when it was last closed.
Resuming keeps these bytes; of what a killed run wrote after them it drops a cut last line and all
rows of the last picture, since no row says whether more were to follow.

Parquet can only be read once it is closed, so its rows first go to a JSONL journal,
`<table>.partial.jsonl`, which becomes the Parquet file when the run ends well.

A table that one process writes is refused to others.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from facegauge.errors import UsageError
from facegauge.results import ImageScore
from facegauge.tables.formats import (
    CSV,
    JSONL,
    Row,
    read_parquet,
    require_parquet,
    rounded_rows,
    without_bytes,
    write_parquet,
)
from facegauge.tables.locks import hold

SUFFIXES = (".csv", ".jsonl", ".parquet")


def open_table(
    path: str | os.PathLike[str],
    settings: Mapping[str, Any] | None = None,
    *,
    resume: bool = False,
    overwrite: bool = False,
) -> Table:
    """A new table, or one to go on with; its suffix, .csv, .jsonl or .parquet, says the format.

    Args:
        path: of the table.
        settings: what the scores depend on, as JSON types.
        resume: go on with what is there, if anything; see `Table.is_done`.
        overwrite: replace what is there, if anything.

    Raises:
        UsageError: unknown suffix; the table exists and neither `resume` nor `overwrite` is given;
            another process is writing it; resumed with other settings; no folder or permission to
            write.
        MissingExtra: Parquet without pyarrow.
    """
    path = Path(path)
    kind = ParquetTable if _suffix(path) == ".parquet" else Table
    # through JSON, so that new and stored settings compare equal
    stored: Row = json.loads(json.dumps(dict(settings or {})))
    try:
        return kind(path, stored, resume=resume, overwrite=overwrite)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror or error}") from error


def read_rows(path: str | os.PathLike[str]) -> Iterator[Row]:
    """The rows of a finished table, with the columns `results.COLUMNS`; empty cells are None.

    Raises:
        UsageError: unknown suffix, unreadable, or no score table.
        MissingExtra: Parquet without pyarrow.
    """
    path = Path(path)
    suffix = _suffix(path)
    try:
        if suffix == ".parquet":
            yield from read_parquet(path)
        else:
            with path.open("rb") as file:
                lines = CSV if suffix == ".csv" else JSONL
                yield from (row for row, _ in lines.decode(file) if row is not None)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path} is not a score table: {error}") from error


class Table:
    """A table of lines that grows by whole pictures; a context manager, made by `open_table`."""

    def __init__(self, path: Path, settings: Row, *, resume: bool, overwrite: bool) -> None:
        self.path = path
        self._format = CSV if _suffix(path) == ".csv" else JSONL
        self._lines = self._lines_path()
        self._notes = path.with_name(path.name + ".settings.json")
        self._settings = settings
        self._done: set[str] = set()
        self._whole = 0  # bytes, up to the end of the last picture
        exists = any(file.exists() and file.stat().st_size for file in (path, self._lines))
        if exists and not (resume or overwrite):
            raise UsageError(f"{path} exists: go on with it (--resume) or replace it (--overwrite)")
        going_on = exists and not overwrite
        whole = self._reopen(self._compare_settings()) if going_on else 0
        self._file = self._lines.open("ab", buffering=0)
        try:
            hold(self._file, path)
            if going_on:
                self._whole = self._read_back(whole)
            elif path != self._lines:
                path.unlink(missing_ok=True)
            self._note()
            self._file.truncate(self._whole)
            if not self._whole:
                self._append(self._format.header)
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            with self._file:
                self._file.truncate(self._whole)  # a write may have left half a picture
            self._note()
            if kind is None:
                self._publish()
        except OSError as failed:
            if kind is None:
                raise self._cannot_write(failed) from failed
            # else what went wrong first is what a person must know

    def write(self, result: ImageScore) -> None:
        """Append the rows of one picture.

        Raises:
            UsageError: the disk is full or gone.
        """
        try:
            self._append(b"".join(map(self._format.encode, rounded_rows(result))))
        except OSError as error:
            raise self._cannot_write(error) from error

    def _cannot_write(self, error: OSError) -> UsageError:
        reason = error.strerror or error
        return UsageError(
            f"cannot write {self.path}: {reason}; the rows so far are kept, go on with --resume"
        )

    def is_done(self, path: str) -> bool:
        """Whether a resumed table already holds this path."""
        return path in self._done

    def _lines_path(self) -> Path:
        """Where the lines are written."""
        return self.path

    def _reopen(self, whole: int) -> int:
        """Bring a finished table back to lines, if it is none; returns how far they are whole."""
        return whole

    def _publish(self) -> None:
        """Turn the lines into the finished table, if they are not it themselves."""

    def _append(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[self._file.write(rest) or 0 :]
        self._whole += len(data)

    def _note(self) -> None:
        """Store the settings and how far the table is whole."""
        text = json.dumps({"settings": self._settings, "whole": self._whole}, indent=2)
        fresh = self._notes.with_name(self._notes.name + ".new")
        try:
            fresh.write_text(text + "\n", encoding="utf-8")
            fresh.replace(self._notes)
        except OSError:
            fresh.unlink(missing_ok=True)
            raise

    def _compare_settings(self) -> int:
        """Refuse other settings than the table was begun with; returns how far it was whole."""
        try:
            notes = json.loads(self._notes.read_text(encoding="utf-8"))
            old, whole = dict(notes["settings"]), int(notes["whole"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UsageError(
                f"cannot resume {self.path}: {self._notes.name}, which says how its scores were "
                "made, is missing or damaged; start anew with --overwrite"
            ) from error
        new = self._settings
        differing = [
            f"{key} was {old.get(key)!r}, is {new.get(key)!r}"
            for key in {**old, **new}
            if old.get(key) != new.get(key)
        ]
        if differing:
            raise UsageError(
                f"cannot resume {self.path} with other settings: {'; '.join(differing)}; "
                "repeat the old ones or start anew with --overwrite"
            )
        return whole

    def _read_back(self, whole: int) -> int:
        """Collect the pictures that are there for certain; returns where the last one ends."""
        if not self._lines.exists():
            return 0
        path, start, end = None, 0, 0  # of the picture being read
        try:
            with self._lines.open("rb") as file:
                for row, row_end in self._format.decode(file):
                    if row is not None and (not row["face"] or row["path"] != path):
                        if path is not None:
                            self._done.add(path)
                        path, start = row["path"], end
                    end = row_end
        except (ValueError, KeyError, TypeError) as error:
            raise UsageError(f"cannot resume {self.path}: no score table: {error}") from error
        if path is None:
            return end
        if end != whole:  # written or cut since it was closed: more of its rows may be missing
            return start
        self._done.add(path)
        return end


class ParquetTable(Table):
    """A Parquet file, by way of a journal; bytes that are not UTF-8 become backslash escapes."""

    def __init__(self, path: Path, settings: Row, *, resume: bool, overwrite: bool) -> None:
        require_parquet()
        super().__init__(path, settings, resume=resume, overwrite=overwrite)

    def is_done(self, path: str) -> bool:
        return path in self._done or without_bytes(path) in self._done

    def _lines_path(self) -> Path:
        return self.path.with_name(self.path.name + ".partial.jsonl")

    def _reopen(self, whole: int) -> int:
        if self._lines.exists():
            return whole
        fresh = self._lines.with_name(self._lines.name + ".new")
        with fresh.open("wb") as lines:
            lines.writelines(map(self._format.encode, read_rows(self.path)))
        fresh.replace(self._lines)
        return self._lines.stat().st_size

    def _publish(self) -> None:
        with self._lines.open("rb") as file:
            write_parquet(
                self.path, (row for row, _ in self._format.decode(file) if row is not None)
            )
        self._lines.unlink()


def _suffix(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise UsageError(f"{path}: expected a table's name to end in {', '.join(SUFFIXES)}")
    return suffix
