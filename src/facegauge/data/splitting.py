"""Splits of a manifest into train, val and test, without leaks.

Pictures of one person, and copies of one picture, stay together. Groups of such pictures are sorted
by their mean label, cut into runs of neighbours, and one group of each run is drawn: so every split
has the labels of the whole.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from facegauge.data.leakage import PEOPLE, find_duplicates
from facegauge.data.manifests import Manifest
from facegauge.errors import UsageError

LEAST = 3  # groups: with fewer, a split would hold one picture or person alone

Rows = npt.NDArray[np.int64]

logger = logging.getLogger(__name__)


def split_manifest(
    manifest: Manifest, *, val: float = 0.2, test: float = 0.0, seed: int = 0
) -> Manifest:
    """Draw the splits of a manifest.

    Args:
        manifest: pictures, with labels or without; a `split` column is replaced. In a column
            `identity`, `person` or `subject` equal values mean the same person.
        val: share of the groups (people, or pictures) that become val, above 0 and below 1.
        test: share of the groups that become test.
        seed: of what is drawn; the same seed gives the same splits.

    Returns:
        The same rows in the same order, with splits train, val and, if asked for, test.

    Raises:
        UsageError: a share is out of range, there are too few people or pictures for the splits, or
            a picture cannot be read.
    """
    if not (0 < val < 1 and 0 <= test < 1 and val + test < 1):
        raise UsageError(
            f"expected shares above 0 that leave some for train, got val {val:g} and test {test:g}"
        )
    groups = _groups(manifest)
    wanted = {name: share for name, share in (("val", val), ("test", test)) if share}
    counts = {name: max(1, round(share * len(groups))) for name, share in wanted.items()}
    if len(groups) < LEAST or sum(counts.values()) >= len(groups):
        raise UsageError(
            f"{manifest.source} has {len(groups)} {_noun(manifest)} to divide; expected {LEAST} or "
            "more, and more than val and test take"
        )
    rng = np.random.default_rng(seed)
    splits = np.full(len(manifest), "train", dtype="<U5")
    for name, count in counts.items():
        left = [group for group in groups if splits[group[0]] == "train"]
        for drawn in _drawn(left, manifest.scores, count, rng):
            splits[drawn] = name
    return replace(manifest, splits=tuple(splits.tolist()))


def people_column(manifest: Manifest) -> str | None:
    """The column that says who is shown, if there is one."""
    return next((name for name in PEOPLE if name in manifest.groups), None)


def _noun(manifest: Manifest) -> str:
    return "pictures" if people_column(manifest) is None else "people"


def _groups(manifest: Manifest) -> list[Rows]:
    """Rows that belong together: those of one person, and copies of one picture."""
    pairs = find_duplicates(manifest.paths)
    if pairs:
        logger.info(
            "pairs of pictures that are copies: %d; each pair stays in one split", len(pairs)
        )
    for column in PEOPLE:
        first: dict[str, int] = {}
        people = enumerate(manifest.groups.get(column, ()))
        pairs += [(first.setdefault(person, row), row) for row, person in people if person]
    return _connected(len(manifest), pairs)


def _connected(count: int, pairs: Iterable[tuple[int, int]]) -> list[Rows]:
    """The connected components of rows 0 .. count - 1, by their first row."""
    parent = list(range(count))

    def root(row: int) -> int:
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    for one, two in pairs:
        first, second = sorted((root(one), root(two)))
        parent[second] = first
    members: dict[int, list[int]] = {}
    for row in range(count):
        members.setdefault(root(row), []).append(row)
    return [np.array(rows, np.int64) for rows in members.values()]


def _drawn(
    groups: list[Rows], scores: npt.NDArray[np.float64] | None, count: int, rng: np.random.Generator
) -> list[Rows]:
    """One group of each of `count` runs of neighbours by mean label; without labels, by chance."""
    order = rng.permutation(len(groups))
    if scores is not None:
        means = np.array([scores[group].mean() for group in groups])
        order = order[np.argsort(means[order], kind="stable")]
    edges = np.linspace(0, len(groups), count + 1).round().astype(int)
    return [groups[order[place]] for place in rng.integers(edges[:-1], edges[1:])]
