"""Which pictures a journal holds: those that are done, that failed, that may end the process."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from facegauge.tables.formats import Row

MAY_PASS = frozenset({"unreadable", "error"})  # what pictures are tried again for


class Held:
    """The pictures of a journal; it compares them by what `same` makes of their names.

    Args:
        key: the column that names a row's picture.
        part: the column that numbers the rows of a picture from 0, None for a picture without
            parts; "" where each picture has one row.
        state: the column that holds a picture's status; "" without one.
        same: a picture's name to what is compared, such as its absolute path.

    Attributes:
        done: the pictures that a resumed table holds completely.
        failed: those of them, and of the pictures written since, whose status is in `MAY_PASS`.
    """

    def __init__(self, key: str, part: str, state: str, same: Callable[[str], str]) -> None:
        self.done: set[str] = set()
        self.failed: set[str] = set()
        self._suspects: dict[str, str] = {}  # to their names
        self._key, self._part, self._state, self._same = key, part, state, same

    @property
    def suspects(self) -> tuple[str, ...]:
        """Names of the pictures that may have ended an earlier run; see `suspect`."""
        return tuple(self._suspects.values())

    def suspect(self, known: Iterable[str], begun: Iterable[str]) -> int:
        """Take down which pictures may have ended an earlier run.

        They are suspects until they have rows with a status that is final.

        Args:
            known: names of those of runs before the last one.
            begun: names of those that the last run had begun when it was killed; those that have
                rows are innocent.

        Returns:
            How many have come to those that are known.
        """
        for name in known:
            if (same := self._same(name)) not in self.done or same in self.failed:
                self._suspects[same] = name
        before = len(self._suspects)
        for name in begun:
            if (same := self._same(name)) not in self.done:
                self._suspects.setdefault(same, name)
        return len(self._suspects) - before

    def is_suspect(self, name: str) -> bool:
        """Whether this picture may have ended an earlier run."""
        return bool(self._suspects) and self._same(name) in self._suspects

    def wrote(self, row: Row) -> None:
        """Note the first row of a picture that was appended."""
        if not self._note_failure(row) and self._suspects:
            self._suspects.pop(self._same(row[self._key]), None)

    def is_of(self, row: Row, pictures: set[str]) -> bool:
        """Whether a row is of one of these pictures, as `same` gives them."""
        return self._same(row[self._key]) in pictures

    def failed_of(self, names: Iterable[str]) -> set[str]:
        """Those of these pictures that failed."""
        return {same for name in names if (same := self._same(name)) in self.failed}

    def drop(self, pictures: set[str]) -> None:
        """Note that the rows of these pictures are gone."""
        self.done -= pictures
        self.failed -= pictures

    def read(self, rows: Iterator[tuple[Row | None, int]], ends: Iterable[int]) -> int:
        """Collect the pictures that are certainly complete.

        Args:
            rows: with the offsets where they end; None for a header.
            ends: bytes of the lines when they were last closed.

        Returns:
            Where the last of them ends.
        """
        first: Row | None = None  # row of the picture being read
        start, end = 0, 0  # of it
        part = self._part
        for row, row_end in rows:
            if row is not None and (
                not (part and row[part]) or not first or row[self._key] != first[self._key]
            ):
                self._add(first)
                first, start = row, end
            end = row_end
        if part and first and end not in ends:
            return start  # written or cut since it was closed: rows may be missing
        self._add(first)
        return end

    def _add(self, row: Row | None) -> None:
        """Count the picture of its first row as done."""
        if row is not None:
            self.done.add(self._same(row[self._key]))
            self._note_failure(row)

    def _note_failure(self, row: Row) -> bool:
        failed = bool(self._state) and row[self._state] in MAY_PASS
        if failed:
            self.failed.add(self._same(row[self._key]))
        return failed
