"""The pictures of a command line: files, folders, and lists of any length."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from facegauge.cli.streams import PathList
from facegauge.cli.terminal import say
from facegauge.errors import UsageError
from facegauge.tables.shards import Listing, Shard

if TYPE_CHECKING:
    from facegauge.placing import Place


class Given:
    """The paths of the command line, with `-` replaced by those on stdin; not held in memory.

    Args:
        paths: as given.

    Raises:
        UsageError: the paths on stdin cannot be decoded.
    """

    def __init__(self, paths: Sequence[str]) -> None:
        self._parts: list[Iterable[str]] = []
        for path in paths:
            self._parts.append(PathList(sys.stdin.buffer) if path == "-" else [path])

    def __iter__(self) -> Iterator[str]:
        return (path for part in self._parts for path in part)


def hint_at_lists(paths: Iterable[str], column: str | None) -> None:
    """Say how a list is read, if without a column a path with its suffix is taken as a picture."""
    from facegauge.data.list_files import SUFFIXES

    for path in paths if column is None else ():
        if Path(path).suffix.lower() in SUFFIXES and Path(path).is_file():
            say(
                f"{path} is taken as a picture; to read it as a list, name its column of paths "
                "with --path-column NAME"
            )


class Pictures:
    """The pictures of the command line's paths, and what their folders hold besides.

    Args:
        paths: files and folders; `-` for paths on stdin.
        exclude: patterns of files and folders to skip in folders, see `find_pictures`.
        column: the column of the paths' lists, which name the pictures; None: they are no lists.
        shard: share of the pictures to take.

    Attributes:
        given: the paths, those on stdin among them; can be read again.
        listing: all that there are, of every shard, once `paths` has passed them.

    Raises:
        UsageError: there is no picture, or no such column.
        MissingExtra: a Parquet list without pyarrow.
    """

    def __init__(
        self,
        paths: Sequence[str],
        exclude: Sequence[str] = (),
        *,
        column: str | None = None,
        shard: Shard | None = None,
    ) -> None:
        from facegauge.images.suffixes import in_words

        if column is not None and exclude:
            raise UsageError("--exclude goes with folders, and --path-column with lists")
        self.left_out: Counter[str] = Counter()
        self.listing = Listing()
        self._places: tuple[Place, ...] = ()
        self._exclude, self._column, self._shard = exclude, column, shard
        self.given: Iterable[str] = list(paths) if column is not None else Given(paths)
        left_out: Counter[str] = Counter()
        if next(self._find(left_out), None) is None:
            shown = ", ".join(islice(self.given, 3))
            shown += ", ..." if len(list(islice(self.given, 4))) > 3 else ""
            found = f"no pictures found in {shown or 'an empty list of paths'}"
            raise UsageError("; ".join(part for part in (found, in_words(left_out)) if part))

    def leave_out(self, *places: Place | None) -> None:
        """Leave out what is in the folders that this command writes into.

        Raises:
            UsageError: nothing else is there.
        """
        self._places = tuple(place for place in places if place)
        if next(self._find(), None) is None:
            folders = " and ".join(str(place.folder) for place in self._places)
            raise UsageError(f"all pictures are in {folders}; choose another folder to write to")

    def paths(self) -> Iterator[str]:
        """The pictures; `left_out` counts the other files as they are passed."""
        self.left_out.clear()
        found = self._find(self.left_out)
        if self._shard is None:
            return found
        self.listing = Listing()
        return self._share(found, self._shard)

    def again(self) -> Iterator[str]:
        """The pictures once more, only to count them."""
        shard = self._shard
        return (path for path in self._find() if shard is None or path in shard)

    def say_left_out(self) -> None:
        """Print which files were left out, if any."""
        from facegauge.images.suffixes import in_words

        if line := in_words(self.left_out):
            say(line)

    def _find(self, left_out: Counter[str] | None = None) -> Iterator[str]:
        """All pictures that are not in a folder to write into, lazily."""
        found = self._all(left_out)
        return (path for path in found if not any(one.holds(path) for one in self._places))

    def _all(self, left_out: Counter[str] | None) -> Iterator[str]:
        if self._column is not None:
            from facegauge.data.list_columns import read_paths

            for path in self.given:
                yield from read_paths(Path(path), self._column)
        else:
            from facegauge.images.discovery import find_pictures

            yield from find_pictures(self.given, left_out, self._exclude)

    def _share(self, found: Iterator[str], shard: Shard) -> Iterator[str]:
        for path in found:
            self.listing.add(path)
            if path in shard:
                yield path
