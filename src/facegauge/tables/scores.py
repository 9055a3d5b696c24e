"""Score tables: CSV, JSONL and Parquet, one row a face; a killed run can be resumed.

Rows reach the disk picture by picture, see `tables.journal`. CSV and JSONL grow in place. Parquet
can only be read once it is closed, so its rows first go to `<table>.partial.jsonl`, which becomes
the Parquet file when the run ends well.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from facegauge.errors import UsageError
from facegauge.outputs import make_folder_of
from facegauge.results import COLUMNS, FIRST_COLUMNS, LATER_COLUMNS, ImageScore
from facegauge.schema import Schema
from facegauge.tables.files import check_excel, suffix_of, table_rows, table_schema
from facegauge.tables.formats import Row
from facegauge.tables.journal import Journal
from facegauge.tables.notes import Notes, read_notes
from facegauge.tables.shards import Listing, Shard

RESTART = "start anew with --overwrite"


def same_file(path: str) -> str:
    """What is compared of a path: `a.jpg`, `./a.jpg` and its absolute path are one picture.

    Links are not resolved, so two links to a file are two pictures.
    """
    return os.path.normcase(os.path.abspath(path))  # noqa: PTH100  # `resolve` follows links


def open_table(
    path: str | os.PathLike[str],
    settings: Mapping[str, Any] | None = None,
    *,
    schema: Schema = COLUMNS,
    same_as: Collection[str] = (),
    resume: bool = False,
    overwrite: bool = False,
    excel: bool = False,
    shard: Shard | None = None,
) -> ScoreTable:
    """A new table, or one to resume; its suffix, .csv, .jsonl or .parquet, says the format.

    Args:
        path: of the table.
        settings: what the scores depend on, as JSON types, such as `Scorer.settings`.
        schema: the columns, `COLUMNS` and those of factors, such as `Scorer.schema`.
        same_as: sha256 of scorers whose tables this run may resume as if they were its own.
        resume: continue what is there, if anything; see `ScoreTable.is_done`. A table of an earlier
            version keeps its columns.
        overwrite: replace what is there, if anything.
        excel: for spreadsheets, see `tables.cells`: CSV only.
        shard: which share of the pictures it is of, see `tables.shards`.

    Raises:
        UsageError: unknown suffix; `excel` and no CSV; the table exists and neither `resume` nor
            `overwrite` is given; another process is writing it; resumed with other settings or
            columns; no permission to write.
        MissingExtra: Parquet without pyarrow.
    """
    path = Path(path)
    suffix = suffix_of(path)
    check_excel(path, excel)
    settings = {**(settings or {}), **({"excel": True} if excel else {})}
    if shard is not None:
        settings["shard"] = str(shard)
    journal_of = partial(
        Journal,
        path,
        key="path",
        part="face",
        state="status",
        same=same_file,
        in_place=suffix != ".parquet",
        noun="score table",
        restart=RESTART,
        excel=excel,
    )
    journal = journal_of(schema=schema)
    if resume and journal.exists:
        journal = journal_of(schema=_as_begun(path, schema))
    try:
        make_folder_of(path)
        if not journal.exists or overwrite:
            journal.begin(settings)
        elif resume:
            journal.resume(settings, same_as)
        else:
            raise UsageError(f"{path} exists: resume it (--resume) or replace it (--overwrite)")
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror or error}") from error
    return ScoreTable(journal)


def _as_begun(path: Path, schema: Schema) -> Schema:
    """A schema without the columns that came after the version that a table was begun with."""
    try:
        begun = read_notes(path).schema or FIRST_COLUMNS
    except UsageError:  # the journal says so
        return schema
    return Schema(one for one in schema if one.name in begun or one not in LATER_COLUMNS)


def read_schema(path: str | os.PathLike[str]) -> Schema:
    """The columns of a finished table, those of factors and of other tools among them.

    Types and docs of columns beside `FIRST_COLUMNS` come from the table's notes; without notes the
    type is that of the Parquet file, or the narrowest that all values have.

    Raises:
        UsageError: unknown suffix, unreadable, or no score table.
        MissingExtra: Parquet without pyarrow.
    """
    path = Path(path)
    suffix = suffix_of(path)
    try:
        notes = read_notes(path)
    except UsageError:  # a table that was moved without its notes is a table nevertheless
        notes = Notes({})
    try:
        if suffix == ".jsonl" and notes.schema and path.stat().st_size == notes.whole:
            return notes.schema  # as it was written: no need to read all its rows for their keys
        return table_schema(path, FIRST_COLUMNS, notes.schema or COLUMNS)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path} is not a score table: {error}") from error


def read_rows(path: str | os.PathLike[str]) -> Iterator[Row]:
    """The rows of a finished table, with the columns `read_schema(path)`; empty cells are None.

    Raises:
        UsageError: unknown suffix, unreadable, or no score table.
        MissingExtra: Parquet without pyarrow.
    """
    path = Path(path)
    schema = read_schema(path)
    try:
        yield from table_rows(path, schema)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path} is not a score table: {error}") from error


class ScoreTable:
    """A table that grows by whole pictures; a context manager, made by `open_table`."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def write(self, result: ImageScore) -> None:
        """Append the rows of one picture.

        Raises:
            UsageError: the disk is full or gone.
        """
        try:
            self._journal.append(result.rows(self._journal.schema))
        except OSError as error:
            raise self._cannot_write(error) from error

    def listed(self, listing: Listing) -> None:
        """Note the list that a shard's pictures are a share of; `merge` compares it."""
        self._journal.note({"listing": listing.to_dict()})

    def is_done(self, path: str) -> bool:
        """Whether a resumed table already holds the rows of this path, however it is spelt."""
        return same_file(path) in self._journal.held.done

    def is_suspect(self, path: str) -> bool:
        """Whether this picture may have ended an earlier run; see `remaining.score_remaining`."""
        return self._journal.held.is_suspect(path)

    def begun(self, path: str) -> None:
        """Note that a picture will be opened, in case it ends the process.

        Raises:
            UsageError: the disk is full or gone.
        """
        try:
            self._journal.begun(path)
        except OSError as error:
            raise self._cannot_write(error) from error

    @property
    def failed(self) -> int:
        """How many of its pictures have the status unreadable or error, which may pass."""
        return len(self._journal.held.failed)

    def retry(self, paths: Iterable[str]) -> int:
        """Take out the rows of pictures that failed, so that they are no longer done.

            with scorer.open_table("scores.csv", resume=True) as table:
                table.retry(paths)
                for result in score_remaining(scorer, table, paths):
                    table.write(result)

        Args:
            paths: the pictures of this run; the rows of others stay. They are read through once,
                and only if there is a row with the status unreadable or error.

        Returns:
            How many pictures will be tried again.

        Raises:
            UsageError: the disk is full or gone.
        """
        if not self._journal.held.failed:
            return 0
        try:
            return self._journal.drop_failed(paths)
        except OSError as error:
            raise self._cannot_write(error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._journal.close(publish=kind is None)
        except OSError as failed:
            if kind is None:
                raise self._cannot_write(failed) from failed
            # otherwise the first error is the one to report

    def _cannot_write(self, error: OSError) -> UsageError:
        return UsageError(
            f"cannot write {self._journal.table}: {error.strerror or error}; "
            "the rows so far are kept, resume with --resume"
        )
