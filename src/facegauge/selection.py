"""The pictures with the best faces: each once, without copies, one of each burst."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import count
from pathlib import Path

from facegauge.default_scorer import default_scorer
from facegauge.errors import PictureError, UsageError
from facegauge.images.bursts import find_bursts
from facegauge.images.discovery import find_pictures
from facegauge.images.likeness import Likeness, likeness
from facegauge.images.loading import open_picture
from facegauge.images.sources import paths_of
from facegauge.images.suffixes import in_words
from facegauge.results import ImageScore
from facegauge.scorer import Scorer

logger = logging.getLogger(__name__)

StrPath = str | os.PathLike[str]

BY: dict[str, Callable[[list[float]], float]] = {
    "best": max,
    "worst": min,
    "mean": lambda scores: sum(scores) / len(scores),
}
"""How a picture with several faces counts."""

HELD, HELD_FOR_EACH = 1000, 100  # pictures that may still be chosen, at least and for each of n


def best(
    paths: StrPath | Iterable[StrPath],
    n: int = 1,
    scorer: Scorer | None = None,
    *,
    per_folder: bool = False,
    exclude: StrPath | Iterable[StrPath] = (),
    by: str = "best",
    min_score: float = 0.0,
    keep_copies: bool = False,
    per_burst: bool = False,
) -> list[ImageScore]:
    """The n pictures with the best face, best first.

    A picture counts once, however many paths lead to it. Of equal pictures the first counts more.

    Args:
        paths: a file or folder, or several; folders are searched with their subfolders.
        n: how many at most, 1 or more; pictures without a scored face never count.
        scorer: the default scorer if None.
        per_folder: n of each folder, the folders sorted by their paths.
        exclude: files, and folders with all that is in them, that never count.
        by: of several faces, whether a picture counts by the "best", the "worst", or the "mean".
        min_score: pictures that count less are left out, 0..1.
        keep_copies: whether pictures count that have the pixels of a better one or are near
            duplicates of it, see `images.likeness`; with `per_folder`, of one in its folder.
        per_burst: only the best of each burst counts, see `images.bursts`.

    Raises:
        UsageError: n below 1, or an unknown `by`.
        ArgumentTypeError: something that is neither a path nor an iterable of paths.
        ScorerError: the scorer or the detector itself is damaged.
    """
    _check(n, by)
    left_out: Counter[str] = Counter()
    pictures = find_pictures(paths_of(paths), left_out)
    results = (scorer or default_scorer()).score_iter(pictures)
    chosen = select(
        results, n, per_folder=per_folder, exclude=exclude, by=by, min_score=min_score,
        keep_copies=keep_copies, per_burst=per_burst,
    )  # fmt: skip
    if line := in_words(left_out):
        logger.info("%s", line)
    return chosen


def select(
    results: Iterable[ImageScore],
    n: int = 1,
    *,
    per_folder: bool = False,
    exclude: StrPath | Iterable[StrPath] = (),
    by: str = "best",
    min_score: float = 0.0,
    keep_copies: bool = False,
    per_burst: bool = False,
) -> list[ImageScore]:
    """The best of some results, see `best`.

    Only the best thousand are held, or a hundred for each of n. Their files are opened again, best
    first, to tell copies, until n are chosen; what cannot be opened is no copy.

    Raises:
        UsageError: n below 1, or an unknown `by`.
    """
    _check(n, by)
    excluded = [exclude] if isinstance(exclude, str | os.PathLike) else exclude
    left_out = [Path(one).resolve() for one in excluded]
    rankings: dict[str, _Ranking] = {}
    seen: list[str] = []
    for result in results:
        file = Path(result.path).resolve()
        if any(file.is_relative_to(one) for one in left_out):
            continue
        if per_burst:  # those without a face too: they link a burst
            seen.append(result.path)
        if not result.faces:
            continue
        score = BY[by]([face.score for face in result.faces])
        folder = str(Path(result.path).parent) if per_folder else ""
        if score >= min_score:
            rankings.setdefault(folder, _Ranking(n)).add(score, result, file)
    bursts = find_bursts(seen)
    chosen = []
    copies = 0
    for _, ranking in sorted(rankings.items()):
        kept, dropped = _distinct(ranking.best_first(), n, bursts, keep_copies)
        chosen += kept
        copies += dropped
    if copies:
        logger.info("left out as copies of better pictures: %d", copies)
    return chosen


class _Ranking:
    """The results with the highest scores, each file once; of equal ones the first."""

    def __init__(self, n: int) -> None:
        self._held = max(HELD, HELD_FOR_EACH * n)
        self._ranked: list[tuple[float, int, ImageScore, Path]] = []
        self._order = count(0, -1)
        self._files: set[Path] = set()

    def add(self, score: float, result: ImageScore, file: Path) -> None:
        if file in self._files:
            return
        self._files.add(file)
        self._ranked.append((score, next(self._order), result, file))
        if len(self._ranked) > 2 * self._held:
            self._ranked.sort(reverse=True)
            del self._ranked[self._held :]
            self._files = {file for *_, file in self._ranked}

    def best_first(self) -> list[ImageScore]:
        return [result for _, _, result, _ in sorted(self._ranked, reverse=True)]


def _distinct(
    ranked: Iterable[ImageScore], n: int, bursts: dict[str, int], keep_copies: bool
) -> tuple[list[ImageScore], int]:
    """The first n that are neither copies nor of a burst of an earlier one; how many are copies."""
    chosen: list[ImageScore] = []
    looks: list[Likeness] = []
    used: set[int] = set()
    copies = 0
    for result in ranked:
        if len(chosen) == n:
            break
        burst = bursts.get(result.path)
        if burst in used:
            continue
        look = None if keep_copies else _look(result.path)
        if look is not None:
            if any(look.is_copy(other) for other in looks):
                copies += 1
                continue
            looks.append(look)
        if burst is not None:
            used.add(burst)
        chosen.append(result)
    return chosen, copies


def _look(path: str) -> Likeness | None:
    try:
        return likeness(open_picture(path))
    except (PictureError, OSError):
        return None


def _check(n: int, by: str) -> None:
    if n < 1:
        raise UsageError(f"expected n to be 1 or more, got {n}")
    if by not in BY:
        raise UsageError(f"expected by to be one of {', '.join(BY)}, got {by!r}")
