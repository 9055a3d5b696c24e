"""Leakage: the same picture, nearly the same picture or the same person on both sides of a split.

Figures on val mean nothing where val was trained on, so training refuses such data.

Near duplicates are found by the correlation of grey 32 x 32 thumbnails. Among the 85 million pairs
of 13,082 aligned CelebA faces, all 27 pairs above 0.96 are the same photo (saved anew, retouched
or in other colours), and the first two different photos follow at 0.95; 64-bit perceptual hashes
cannot tell aligned faces apart as cleanly. A change of size, JPEG at quality 30, a blur of 2 pixels
and a cut of 2 pixels in 178 stay above 0.97; a cut of 5 pixels or a mirror image goes unseen.
"""

from __future__ import annotations

import hashlib
import logging
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import combinations, product
from pathlib import Path

import numpy as np
import numpy.typing as npt

from facegauge.data.manifests import Manifest
from facegauge.errors import PictureError, UsageError

PEOPLE = ("identity", "person", "subject")
SIDE = 32  # pixels a side of the thumbnails
THRESHOLD = 0.96

SHOWN_LEAKS = 10  # in the message of an error

Thumbnails = npt.NDArray[np.float32]
Marks = tuple[str, Thumbnails]  # a file's sha256 and its thumbnail

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Leak:
    """One thing that two splits share.

    Attributes:
        kind: "same file" (equal bytes), "near duplicate" or "same person".
        first, second: the two pictures.
        splits: the split, or the manifest, that each is in.
        detail: how near, or who.
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
    """What the splits of a manifest share, or what two manifests share.

    People are compared within one manifest only (columns identity, person or subject), as numbers
    in two manifests need not mean the same people; one leak is reported for each person.

    Args:
        data: checked split against split, where `other` is None; else as a whole.
        other: a second manifest, checked against `data`; its pictures are `Leak.second`. Between
            two manifests, pictures that cannot be read are passed over.
        threshold: correlation of thumbnails, -1..1, from which two pictures are near duplicates.

    Returns:
        Same files first, then near duplicates, then people.

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
    with ThreadPoolExecutor(2) as pool:
        seen = list(pool.map(_marks, paths))
    marks: list[Marks] = []
    kept = []
    for row, (path, found) in enumerate(zip(paths, seen, strict=True)):
        if not isinstance(found, Exception):
            marks.append(found)
            kept.append(row)
        elif other is None:
            raise UsageError(f"cannot compare {path}: {found}") from found
    paths, sides = tuple(paths[row] for row in kept), tuple(sides[row] for row in kept)
    same = _same_files(paths, sides, [digest for digest, _ in marks])
    known = {(leak.first, leak.second) for leak in same}
    near = _near_duplicates(paths, sides, np.stack([thumb for _, thumb in marks]), threshold)
    return same + [leak for leak in near if (leak.first, leak.second) not in known] + people


def refuse_leaks(labelled: Manifest) -> None:
    """The policy for labelled pictures: no picture and no person in two splits.

    Args:
        labelled: pictures with splits; a manifest without splits cannot leak.

    Raises:
        UsageError: there are leaks; the message lists the first `SHOWN_LEAKS` of them. Or a picture
            cannot be read.
    """
    leaks = check_leakage(labelled)
    if not leaks:
        return
    shown = "\n".join(f"  {leak}" for leak in leaks[:SHOWN_LEAKS])
    rest = f"\n  and {len(leaks) - SHOWN_LEAKS} more" if len(leaks) > SHOWN_LEAKS else ""
    raise UsageError(
        f"{labelled.source}: leaks between splits: {len(leaks)}; figures on val would mean "
        f"nothing\n{shown}{rest}\nmove these rows to one split, or train with --allow-leakage "
        "(in Python, allow_leakage=True)"
    )


def without_leaks(manifest: Manifest, others: Sequence[Manifest]) -> Manifest:
    """The policy for unlabelled pictures: those that other lists have too are left out.

    Args:
        manifest: pictures to train on.
        others: lists that no picture of `manifest` may be in, such as the val split. Pictures that
            cannot be read are not compared.

    Returns:
        The rows of `manifest` that are in none of the others, in their order. Every row that is
        left out is logged as a warning.
    """
    leaks = [leak for other in others for leak in check_leakage(other, manifest)]
    for leak in leaks:
        logger.warning("left out: %s", leak)
    leaked = {leak.second for leak in leaks}
    return manifest.take(np.array([path not in leaked for path in manifest.paths], bool))


def thumbnail(pixels: npt.NDArray[np.uint8]) -> Thumbnails:
    """(H, W, 3) RGB to a grey thumbnail (SIDE * SIDE,) of mean 0 and length 1.

    The product of two is their correlation. A flat picture gives zeros.
    """
    from PIL import Image

    grey = Image.fromarray(pixels).convert("L").resize((SIDE, SIDE), Image.Resampling.BOX)
    values = np.asarray(grey, np.float64).reshape(-1)
    values -= values.mean()
    length = np.linalg.norm(values)
    return (values / length if length > 0 else values).astype(np.float32)


def _marks(path: Path) -> Marks | PictureError | OSError:
    """What a picture is compared by, or why it cannot be."""
    from facegauge.images.loading import open_picture

    try:
        return hashlib.sha256(path.read_bytes()).hexdigest(), thumbnail(open_picture(path))
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
    """Every pair across two sides, a matrix product at a time."""
    names = np.asarray(sides)
    leaks = []
    for one, two in combinations(dict.fromkeys(sides), 2):
        firsts, seconds = np.flatnonzero(names == one), np.flatnonzero(names == two)
        starts = product(range(0, len(firsts), block), range(0, len(seconds), block))
        for start, other in starts:
            rows, columns = firsts[start : start + block], seconds[other : other + block]
            alike = thumbnails[rows] @ thumbnails[columns].T
            for a, b in np.argwhere(alike >= threshold):
                pair = sorted((int(rows[a]), int(columns[b])))
                detail = f"correlation {alike[a, b]:.3f}"
                files = paths[pair[0]], paths[pair[1]]
                between = (sides[pair[0]], sides[pair[1]])
                leaks.append(Leak("near duplicate", *files, between, detail))
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
