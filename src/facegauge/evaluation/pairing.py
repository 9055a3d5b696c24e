"""Pairs the rows of two lists of pictures by path or by name."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from facegauge.tables.scores import same_file

Keys = Sequence[str]


@dataclass(frozen=True, slots=True)
class Pairs:
    """Rows of two lists that have the same key.

    Attributes:
        rows: pairs of a row of the left and a row of the right list, in the order of the right.
        left_alone: rows of the left list whose key the right does not have.
        right_alone: rows of the right list whose key the left does not have.
        left_doubled: rows of the left list whose key is that of other rows of either list too.
        right_doubled: the same of the right list. No row of such a key is in a pair.
    """

    rows: tuple[tuple[int, int], ...]
    left_alone: tuple[int, ...]
    right_alone: tuple[int, ...]
    left_doubled: tuple[int, ...]
    right_doubled: tuple[int, ...]


def pair(left: Keys, right: Keys) -> Pairs:
    """Pair two lists by their keys; a key that a list has twice is ambiguous and pairs nothing."""
    of_left, of_right = Counter(left), Counter(right)
    shared = of_left.keys() & of_right.keys()
    doubled = {key for key in shared if of_left[key] > 1 or of_right[key] > 1}
    places = {key: row for row, key in enumerate(left)}
    return Pairs(
        tuple(
            (places[key], row)
            for row, key in enumerate(right)
            if key in shared and key not in doubled
        ),
        tuple(row for row, key in enumerate(left) if key not in shared),
        tuple(row for row, key in enumerate(right) if key not in shared),
        tuple(row for row, key in enumerate(left) if key in doubled),
        tuple(row for row, key in enumerate(right) if key in doubled),
    )


def best_pairs(candidates: Iterable[tuple[Keys, Keys]]) -> Pairs:
    """The pairs by the keys that give the most of them; of equal ones the first."""
    return max((pair(*keys) for keys in candidates), key=lambda pairs: len(pairs.rows))


def by_path(
    left: Keys, bases: Sequence[Path], right: Keys, right_bases: Sequence[Path] = (Path(),)
) -> Pairs:
    """Pair paths that are relative to one of several folders.

    Args:
        left: paths, all relative to the same one of the bases, or absolute.
        bases: folders.
        right: paths, all relative to the same one of their bases, or absolute.
        right_bases: folders; by default the current one.
    """
    written = [left]
    if os.sep == "/" and any("\\" in path for path in left):
        written.append([path.replace("\\", "/") for path in left])
    return best_pairs(
        (_files(base, paths), _files(other, right))
        for other in right_bases
        for base in bases
        for paths in written
    )


def _files(base: Path, paths: Keys) -> Keys:
    return [same_file(os.path.join(base, path)) for path in paths]  # noqa: PTH118


def by_name(left: Keys, right: Keys) -> Pairs:
    """Pair paths by their file names, or without the suffixes, whichever gives more pairs."""
    ways: tuple[Callable[[str], str], ...] = (name, lambda path: PurePath(name(path)).stem)
    return best_pairs(([way(one) for one in left], [way(one) for one in right]) for way in ways)


def name(path: str) -> str:
    """The last part of a path of any system."""
    return path.replace("\\", "/").rpartition("/")[2]
