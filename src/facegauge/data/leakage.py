"""Leakage: the same picture, a near duplicate or the same person in two splits.

Figures on val are not valid if its pictures were used for training, so training refuses such data.

Near duplicates are found by the correlation of grey thumbnails, see `images.likeness`.
"""

from __future__ import annotations

import hashlib
import logging
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np

from facegauge.data.manifests import Manifest
from facegauge.errors import PictureError, UsageError
from facegauge.images.likeness import THRESHOLD, Thumbnails, similar, thumbnail
from facegauge.progress import track

PEOPLE = ("identity", "person", "subject")
SHOWN_LEAKS = 10  # in the message of an error

Fingerprint = tuple[str, Thumbnails]  # a file's sha256 and its thumbnail

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Leak:
    """Two pictures in different splits that must not be.

    Attributes:
        kind: "same file" (equal bytes), "near duplicate" or "same person".
        first: a picture.
        second: the other picture.
        splits: the split, or the manifest, of each picture.
        detail: the correlation, or the person.
    """

    kind: str
    first: Path
    second: Path
    splits: tuple[str, str]
    detail: str = ""

    def __str__(self) -> str:
        detail = f" ({self.detail})" if self.detail else ""
        first, second = self.splits
        return f"{self.kind}{detail}: {self.first} in {first}, {self.second} in {second}"


def check_leakage(
    data: Manifest, other: Manifest | None = None, threshold: float = THRESHOLD
) -> list[Leak]:
    """Find leaks between the splits of a manifest, or between two manifests.

    People (columns identity, person or subject) are compared within one manifest only, because the
    numbers in two manifests may stand for different people. One leak is reported per person.

    Args:
        data: compared split by split if `other` is None, else as a whole.
        other: a second manifest, compared with `data`; its pictures are `Leak.second`. Pictures
            that cannot be read are then skipped.
        threshold: correlation of thumbnails, -1..1, from which two pictures are near duplicates.

    Returns:
        Same files, then near duplicates, then people.

    Raises:
        UsageError: a picture cannot be read, and `other` is None.
    """
    if other is None:
        if data.splits is None:
            return []
        paths, sides = data.paths, data.splits
        people = _shared_people(data, data.splits)
    else:
        names = str(data.source), str(other.source)
        if names[0] == names[1]:
            names = names[0], f"{names[1]} (the second list)"
        paths, people = data.paths + other.paths, []
        sides = (names[0],) * len(data) + (names[1],) * len(other)
    results = _fingerprints(paths)
    fingerprints: list[Fingerprint] = []
    readable = []
    for row, (path, result) in enumerate(zip(paths, results, strict=True)):
        if not isinstance(result, Exception):
            fingerprints.append(result)
            readable.append(row)
        elif other is None:
            raise UsageError(f"cannot compare {path}: {result}") from result
    paths, sides = tuple(paths[row] for row in readable), tuple(sides[row] for row in readable)
    same = _same_files(paths, sides, [sha256 for sha256, _ in fingerprints])
    known = {(leak.first, leak.second) for leak in same}
    thumbnails = np.stack([thumbnail for _, thumbnail in fingerprints])
    near = _near_duplicates(paths, sides, thumbnails, threshold)
    return same + [leak for leak in near if (leak.first, leak.second) not in known] + people


def find_duplicates(paths: Sequence[Path], threshold: float = THRESHOLD) -> list[tuple[int, int]]:
    """Find pictures that are listed twice: same files and near duplicates.

    Args:
        paths: pictures.
        threshold: as for `check_leakage`.

    Returns:
        Pairs of places in `paths`, the smaller one first.

    Raises:
        UsageError: a picture cannot be read.
    """
    found = _fingerprints(paths)
    for path, one in zip(paths, found, strict=True):
        if isinstance(one, Exception):
            raise UsageError(f"cannot compare {path}: {one}") from one
    fingerprints = [one for one in found if not isinstance(one, Exception)]
    thumbnails = np.stack([thumbnail for _, thumbnail in fingerprints])
    first: dict[str, int] = {}
    same = [(first.setdefault(sha, row), row) for row, (sha, _) in enumerate(fingerprints)]
    near = [(a, b) for a, b, _ in similar(thumbnails, thumbnails, threshold) if a < b]
    return [(a, b) for a, b in dict.fromkeys(same + near) if a != b]


def refuse_leaks(labelled: Manifest, *, allow: bool = False) -> dict[str, int]:
    """Refuse labelled pictures with a picture or a person in two splits.

    Args:
        labelled: pictures with splits; a manifest without splits has no leaks.
        allow: only warn of them.

    Returns:
        How many leaks of which kind were allowed; empty if there are none.

    Raises:
        UsageError: there are leaks (the message lists the first `SHOWN_LEAKS`), or a picture cannot
            be read.
    """
    leaks = check_leakage(labelled)
    counts = dict(Counter(leak.kind for leak in leaks))
    if allow and leaks:
        logger.warning(
            "%s: leaks between splits, allowed: %s; figures on val are too good",
            *(labelled.source, counted(counts)),
        )
    if allow or not leaks:
        return counts
    shown = "\n".join(f"  {leak}" for leak in leaks[:SHOWN_LEAKS])
    rest = f"\n  and {len(leaks) - SHOWN_LEAKS} more" if len(leaks) > SHOWN_LEAKS else ""
    raise UsageError(
        f"{labelled.source}: leaks between splits: {len(leaks)}; figures on val would not be "
        f"valid\n{shown}{rest}\nmove these rows to one split, or train with --allow-leakage "
        "(in Python, allow_leakage=True)"
    )


def counted(leaks: Mapping[str, int]) -> str:
    """Numbers of leaks in words, such as "2 same file, 1 same person"."""
    return ", ".join(f"{count} {kind}" for kind, count in leaks.items())


def without_leaks(manifest: Manifest, others: Sequence[Manifest]) -> Manifest:
    """Leave out unlabelled pictures that are in other manifests too.

    Args:
        manifest: pictures to train on.
        others: manifests that must not share a picture with it, such as the val split. Pictures
            that cannot be read are not compared.

    Returns:
        The rows of `manifest` without leaks, in order. A warning is logged for each leak.
    """
    leaks = [leak for other in others for leak in check_leakage(other, manifest)]
    for leak in leaks:
        logger.warning("left out: %s", leak)
    leaked = {leak.second for leak in leaks}
    return manifest.take(np.array([path not in leaked for path in manifest.paths], bool))


def _fingerprints(paths: Sequence[Path]) -> list[Fingerprint | PictureError | OSError]:
    with ThreadPoolExecutor(2) as pool:
        found = pool.map(_fingerprint, paths)
        return list(track(found, "comparing pictures", total=len(paths)))


def _fingerprint(path: Path) -> Fingerprint | PictureError | OSError:
    """The sha256 and thumbnail of a picture, or the reason why it cannot be read."""
    from facegauge.images.loading import open_picture

    try:
        pixels = open_picture(path)  # first: it refuses pipes, which would be waited for
        return hashlib.sha256(path.read_bytes()).hexdigest(), thumbnail(pixels)
    except (PictureError, OSError) as error:
        return error


def _same_files(paths: Sequence[Path], sides: Sequence[str], digests: Sequence[str]) -> list[Leak]:
    rows = defaultdict(list)
    for row, digest in enumerate(digests):
        rows[digest].append(row)
    return [
        Leak("same file", paths[a], paths[b], (sides[a], sides[b]))
        for group in rows.values()
        for a, b in combinations(group, 2)
        if sides[a] != sides[b]
    ]


def _near_duplicates(
    paths: Sequence[Path],
    sides: Sequence[str],
    thumbnails: Thumbnails,
    threshold: float,
    block: int = 4096,
) -> list[Leak]:
    """All pairs of different sides above the threshold."""
    names = np.asarray(sides)
    leaks = []
    for one, two in combinations(dict.fromkeys(sides), 2):
        rows, columns = np.flatnonzero(names == one), np.flatnonzero(names == two)
        for a, b, correlation in similar(thumbnails[rows], thumbnails[columns], threshold, block):
            pair = sorted((int(rows[a]), int(columns[b])))
            files = paths[pair[0]], paths[pair[1]]
            between = (sides[pair[0]], sides[pair[1]])
            leaks.append(Leak("near duplicate", *files, between, f"correlation {correlation:.3f}"))
    return leaks


def _shared_people(data: Manifest, splits: Sequence[str]) -> list[Leak]:
    leaks = []
    for column in PEOPLE:
        first_row: dict[str, int] = {}
        reported: set[str] = set()
        for row, person in enumerate(data.groups.get(column, ())):
            first = first_row.setdefault(person, row)
            if person and person not in reported and splits[first] != splits[row]:
                reported.add(person)
                pair, between = (data.paths[first], data.paths[row]), (splits[first], splits[row])
                leaks.append(Leak("same person", *pair, between, f"{column} {person}"))
    return leaks
