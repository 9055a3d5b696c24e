"""From sources of pictures to blocks of a few hundred: what an actor is given at a time.

A block says where its pictures are; the actor that gets it reads them. Sources are names of files,
Parquet files with the bytes of pictures, and WebDataset shards (tar files).
"""

from __future__ import annotations

import os
import tarfile
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import PurePosixPath
from typing import Any, Protocol

from facegauge.cluster.stores import Store, absolute, is_url
from facegauge.errors import UsageError, in_one_line
from facegauge.images.suffixes import SUFFIXES
from facegauge.tables.cells import path_from_cell

FIRST, ROWS = 50, 1000
"""Pictures of the first block and of later ones, each of which has twice as many as the one before:
so every actor soon has one. A tar file is one block."""

AHEAD, SHARE = 2 * ROWS, 4
"""When no more than that many names are left, a block has one of so many parts of them, so that the
actors end at about the same time."""

HELD = 16
"""Rows of pictures' bytes that are read at a time."""

Source = str | bytes | Store | None
"""A picture for the actor: a path of its machine, bytes, where they are to be read, or None if they
could not be read."""


@dataclass(frozen=True, slots=True)
class Item:
    """A picture: its name in the table, its source, and why it has none."""

    name: str
    source: Source
    why: str = ""

    def fetched(self) -> Item:
        """The same with its bytes, if it is in a store."""
        if not isinstance(self.source, Store):
            return self
        try:
            return Item(self.name, self.source.read())
        except UsageError as error:
            return Item(self.name, None, str(error))


class Block(Protocol):
    """Some pictures."""

    def items(self) -> Iterator[Item]:
        """The pictures, one by one; a file of pictures that cannot be read is one without bytes."""

    def after(self, count: int) -> Block:
        """What is left of it after that many."""


@dataclass(frozen=True, slots=True)
class Names:
    """Files by their names, relative ones from a folder."""

    names: tuple[str, ...]
    folder: str

    def items(self) -> Iterator[Item]:
        for name in self.names:
            path = os.path.join(self.folder, name)  # noqa: PTH118  # names of any kind
            yield Item(name, Store(name) if is_url(name) else path)

    def after(self, count: int) -> Names:
        return replace(self, names=self.names[count:])


@dataclass(frozen=True, slots=True)
class Cells:
    """Rows of a Parquet file, of one row group.

    Attributes:
        column: of the bytes.
        named: column of the names; None: they are named after the file and the row.
        first: number of the row group's first row in the file.
        begin, end: rows of the row group.
    """

    file: str
    column: str
    named: str | None
    group: int
    first: int
    begin: int
    end: int

    def items(self) -> Iterator[Item]:
        from pyarrow import ArrowException, parquet

        columns = [self.column, *([self.named] if self.named else [])]
        row = 0
        try:
            with Store(self.file).open() as opened:
                batches = parquet.ParquetFile(opened).iter_batches(HELD, [self.group], columns)
                for batch in batches:
                    for place in range(batch.num_rows):
                        if self.begin <= row < self.end:
                            yield self._item(batch, place, row)
                        row += 1
        except (UsageError, ArrowException, OSError) as error:
            yield Item(f"{self.file}#{self.first + row}", None, in_one_line(error))

    def _item(self, batch: Any, place: int, row: int) -> Item:
        data = batch[self.column][place].as_py()
        data = data.get("bytes") if isinstance(data, dict) else data  # as Hugging Face has it
        name = batch[self.named][place].as_py() if self.named else None
        name = f"{self.file}#{self.first + row}" if name is None else path_from_cell(str(name))
        known = isinstance(data, bytes)
        return Item(name, data if known else None, "" if known else "its cell has no bytes")

    def after(self, count: int) -> Cells:
        return replace(self, begin=self.begin + count)


@dataclass(frozen=True, slots=True)
class Shard:
    """The pictures of a tar file, named after it and the member."""

    file: str
    begin: int = 0

    def items(self) -> Iterator[Item]:
        try:
            with Store(self.file).open() as opened, tarfile.open(fileobj=opened) as tar:
                members = (one for one in tar if one.isfile() and _is_picture(one.name))
                for member in islice(members, self.begin, None):
                    extracted = tar.extractfile(member)
                    assert extracted is not None
                    yield Item(f"{self.file}/{member.name}", extracted.read())
                    tar.members.clear()  # type: ignore[attr-defined]  # which it would keep
        except (UsageError, tarfile.TarError, EOFError, OSError) as error:
            yield Item(self.file, None, f"not read to its end: {in_one_line(error)}")

    def after(self, count: int) -> Shard:
        return replace(self, begin=self.begin + count)


def blocks_of_names(names: Iterable[str], folder: str) -> Iterator[Names]:
    """Files by their names; relative ones start from `folder`."""
    left, rows = iter(names), FIRST
    held: deque[str] = deque()
    while True:
        held.extend(islice(left, AHEAD - len(held)))
        if not held:
            return
        count = rows if len(held) == AHEAD else min(rows, max(FIRST, len(held) // SHARE))
        yield Names(tuple(held.popleft() for _ in range(min(count, len(held)))), folder)
        rows = min(2 * rows, ROWS)


def blocks_of_cells(files: Iterable[str], column: str, named: str | None) -> Iterator[Cells]:
    """Pictures in a column of Parquet files.

    Args:
        files: Parquet files, or folders of them; paths or URLs.
        column: of the bytes, or of structs with a field `bytes`.
        named: column of the pictures' names.

    Raises:
        UsageError: a file cannot be read, or has no such column.
    """
    from pyarrow import ArrowInvalid, parquet

    rows = FIRST
    for file in _files(files, ".parquet"):
        with Store(file).open() as opened:
            try:
                found = parquet.ParquetFile(opened)
            except ArrowInvalid as error:
                raise UsageError(f"cannot read {file} as Parquet: {error}") from error
            names = found.schema_arrow.names
            for one in (column, named):
                if one is not None and one not in names:
                    raise UsageError(
                        f"{file} has no column {one}; its columns are {', '.join(names)}"
                    )
            counts = [found.metadata.row_group(g).num_rows for g in range(found.num_row_groups)]
        for group, count in enumerate(counts):
            first, begin = sum(counts[:group]), 0
            while begin < count:
                yield Cells(file, column, named, group, first, begin, min(count, begin + rows))
                begin, rows = begin + rows, min(2 * rows, ROWS)


def blocks_of_shards(files: Iterable[str]) -> Iterator[Shard]:
    """Pictures in tar files, as of WebDataset; paths or URLs of files or of their folders."""
    return (Shard(file) for file in _files(files, ".tar"))


def names_in(url: str) -> Iterator[str]:
    """The pictures of a folder of a store and of the folders in it, in the order of names.

    Raises:
        UsageError: it is not there, or cannot be listed.
    """
    store = Store(url)
    if store.kind != "folder":
        yield url
        return
    for name, is_folder in store.entries():
        if name.startswith("."):
            continue
        if is_folder:
            yield from names_in((store / name).name)
        elif _is_picture(name):
            yield (store / name).name


def _files(names: Iterable[str], suffix: str) -> Iterator[str]:
    """Files with a suffix: as given, absolute if they are no URLs, or those in a given folder."""
    for name in names:
        store = Store(absolute(name))
        if store.kind != "folder":
            yield store.name
            continue
        for inner, is_folder in store.entries():
            if not is_folder and inner.lower().endswith(suffix) and inner[0] not in "._":
                yield (store / inner).name


def _is_picture(name: str) -> bool:
    last = PurePosixPath(name)  # of a tar file or a store, whatever this system's paths are
    return last.suffix.lower() in SUFFIXES and not last.name.startswith(".")
