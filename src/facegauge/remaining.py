"""Scores what a table does not hold yet; what may have ended an earlier run, in a guarded way."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Protocol

from facegauge.images.sources import check_sources, named
from facegauge.results import ImageScore, Status

if TYPE_CHECKING:
    from facegauge.images.sources import Picture, Source
    from facegauge.scorer import Scorer

    Named = tuple[str, Picture]


class Table(Protocol):
    """What is asked of a table, such as a `tables.scores.ScoreTable`."""

    def is_done(self, path: str) -> bool: ...
    def is_suspect(self, path: str) -> bool: ...
    def begun(self, path: str) -> None: ...


def score_remaining(
    scorer: Scorer, table: Table, sources: Iterable[Source]
) -> Generator[ImageScore, None, None]:
    """The results of the sources that a table does not hold yet, for it to write.

        with scorer.open_table("scores.csv", resume=True) as table:
            for result in score_remaining(scorer, table, paths):
                table.write(result)

    The table notes which pictures are begun. If the process is killed, those without rows are
    suspects of the next run: it tries each alone in a process of its own, within the memory that is
    free. Their results are the same; but a picture that ends that process, or takes too long, has
    the status `error` and a message that says so.

    Args:
        scorer: of the table.
        table: open, from `scorer.open_table`.
        sources: as for `Scorer.score_iter`; read lazily. Pictures in memory that have no name are
            known to the table by their place, "<image 0>" and so on.

    Raises:
        UsageError: a single picture in place of a list; no process can be started for a suspect, as
            in a script that does not check for `__name__ == "__main__"`, or with a detector or
            factors that cannot be pickled.
        ScorerError: the scorer or the detector itself is damaged.
    """
    check_sources(sources)
    return _score_remaining(scorer, table, sources)


def _score_remaining(
    scorer: Scorer, table: Table, sources: Iterable[Source]
) -> Generator[ImageScore, None, None]:
    from facegauge.guard import guarded  # imports multiprocessing

    pairs = (named(source, place) for place, source in enumerate(sources))
    left = (pair for pair in pairs if not table.is_done(pair[0]))
    for suspect, group in groupby(left, lambda pair: table.is_suspect(pair[0])):
        if suspect:
            yield from guarded(partial(_score_one, scorer), group, _failed)
        else:
            yield from scorer.score_iter(_noted(group, table))


def _noted(pairs: Iterable[Named], table: Table) -> Iterator[Named]:
    for pair in pairs:
        table.begun(pair[0])
        yield pair


def _score_one(scorer: Scorer, pair: Named) -> ImageScore:
    return next(scorer.score_iter([pair]))


def _failed(pair: Named, why: str) -> ImageScore:
    return ImageScore(pair[0], Status.ERROR, (), why)
