"""A run on a cluster: blocks to actors, their parts to the folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

from facegauge.cluster.blocks import Block
from facegauge.cluster.engine import ray_cluster, reports
from facegauge.cluster.folder import Folder, earlier
from facegauge.cluster.stores import Store, absolute
from facegauge.cluster.tasks import Task
from facegauge.cluster.worker import Limits
from facegauge.errors import ScorerError, UsageError

NOTHING = "no pictures found in the input"
Progress = Callable[[Iterator[None]], Iterable[None]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run has done.

    Attributes:
        new: pictures of this run, with how many have which status.
        all: pictures of the folder.
        rows: of the folder.
    """

    new: Counter[str]
    all: Counter[str]
    rows: int


def run(
    out: str,
    task: Task,
    blocks: Iterator[Block],
    *,
    inputs: Mapping[str, Any],
    resume: bool = False,
    address: str | None = None,
    actors: int | None = None,
    limits: Limits = Limits(),  # noqa: B008  # frozen
    progress: Progress = lambda pictures: pictures,
) -> Outcome:
    """Have the pictures of some blocks done on a Ray cluster, into a folder of Parquet parts.

    Parts appear under their names once they are whole. A run that was stopped or killed goes on
    with `resume`: pictures that are in whole parts are passed over.

    Args:
        out: a new folder, as a path or a URL.
        task: what is done with each picture.
        blocks: of pictures.
        inputs: what they come from, as JSON types.
        resume: go on with what is there, if anything.
        address: of a running cluster; without one a cluster is started on this machine.
        actors: how many processes score, each with one CPU; by default one for each CPU.
        limits: of parts and pictures.
        progress: passes on an item for each picture of this run, to show them.

    Raises:
        UsageError: there are no pictures; the folder is another run's, or cannot be read or
            written; no such cluster; a machine of it has another facegauge, or a damaged one.
        MissingExtra: Ray or pyarrow is not installed.
    """
    first = next(blocks, None)  # which tells what is wrong with the input before anything is begun
    if first is None:
        raise UsageError(NOTHING)
    blocks = chain((first,), blocks)
    store = Store(absolute(out))
    earlier(store, task, resume=resume)  # which is sooner told than a cluster is started
    with ray_cluster(address) as ray:
        folder = Folder(store, task, inputs, resume=resume)
        before = Counter(folder.statuses)
        try:
            found = reports(
                ray, task, blocks, folder.drafts, limits=limits, done=folder.done, actors=actors
            )

            def pictures() -> Iterator[None]:
                for report in found:
                    if report is None:
                        continue
                    folder.add(report.draft, report.rows, report.statuses)
                    yield from (None for _ in range(report.pictures))

            for _ in progress(pictures()):
                pass
            folder.finish()
        except (UsageError, ScorerError) as error:
            raise UsageError(f"{error}; finished parts are kept: go on with --resume") from error
        finally:
            found.close()
            folder.close()
    if not folder.statuses.total():  # as of tar files with other files
        raise UsageError(NOTHING)
    return Outcome(folder.statuses - before, folder.statuses, folder.rows)
