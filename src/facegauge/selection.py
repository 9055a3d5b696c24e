"""The pictures with the best faces, each picture once."""

from __future__ import annotations

import heapq
import logging
import os
from collections import Counter
from collections.abc import Iterable
from itertools import count
from pathlib import Path

from facegauge.default_scorer import default_scorer
from facegauge.errors import UsageError
from facegauge.images.discovery import find_pictures
from facegauge.images.suffixes import in_words
from facegauge.results import ImageScore
from facegauge.scorer import Scorer

logger = logging.getLogger(__name__)

StrPath = str | os.PathLike[str]


def best(
    paths: StrPath | Iterable[StrPath],
    n: int = 1,
    scorer: Scorer | None = None,
    *,
    per_folder: bool = False,
    exclude: StrPath | Iterable[StrPath] = (),
) -> list[ImageScore]:
    """The n pictures with the best face, best first.

    A picture counts by its best face, and once, however many paths lead to it. Of equal pictures
    the first counts more.

    Args:
        paths: a file or folder, or several; folders are searched with their subfolders.
        n: how many at most, 1 or more; pictures without a scored face never count.
        scorer: the default scorer if None.
        per_folder: n of each folder, the folders sorted by their paths.
        exclude: files, and folders with all that is in them, that never count.

    Raises:
        UsageError: n below 1.
        ScorerError: the scorer or the detector itself is damaged.
    """
    _check(n)
    left_out: Counter[str] = Counter()
    pictures = find_pictures([paths] if isinstance(paths, str | os.PathLike) else paths, left_out)
    results = (scorer or default_scorer()).score_iter(pictures)
    chosen = select(results, n, per_folder=per_folder, exclude=exclude)
    if line := in_words(left_out):
        logger.info("%s", line)
    return chosen


def select(
    results: Iterable[ImageScore],
    n: int = 1,
    *,
    per_folder: bool = False,
    exclude: StrPath | Iterable[StrPath] = (),
) -> list[ImageScore]:
    """The best of some results, see `best`; only those that may still be chosen are held.

    Raises:
        UsageError: n below 1.
    """
    _check(n)
    excluded = [exclude] if isinstance(exclude, str | os.PathLike) else exclude
    left_out = [Path(one).resolve() for one in excluded]
    chosen: dict[str, _Best] = {}
    for result in results:
        if not result.faces:
            continue
        file = Path(result.path).resolve()
        if any(file.is_relative_to(one) for one in left_out):
            continue
        folder = str(Path(result.path).parent) if per_folder else ""
        chosen.setdefault(folder, _Best(n)).add(result, file)
    return [result for _, kept in sorted(chosen.items()) for result in kept.best_first()]


class _Best:
    """The n results with the highest scores, each file once; of equal ones the first."""

    def __init__(self, n: int) -> None:
        self._n = n
        self._heap: list[tuple[float, int, ImageScore, Path]] = []  # the lowest in front
        self._order = count(0, -1)
        self._files: set[Path] = set()

    def add(self, result: ImageScore, file: Path) -> None:
        one = (result.score or 0.0, next(self._order), result, file)
        if file in self._files or (len(self._heap) == self._n and one < self._heap[0]):
            return
        self._files.add(file)
        heapq.heappush(self._heap, one)
        if len(self._heap) > self._n:
            self._files.remove(heapq.heappop(self._heap)[-1])

    def best_first(self) -> list[ImageScore]:
        return [result for _, _, result, _ in sorted(self._heap, reverse=True)]


def _check(n: int) -> None:
    if n < 1:
        raise UsageError(f"expected n to be 1 or more, got {n}")
