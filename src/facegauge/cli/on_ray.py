"""`--on ray`: the options that verbs have for a cluster, and how they use it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from facegauge.cli.pictures import Pictures
from facegauge.cli.progress import with_progress
from facegauge.cli.terminal import resumable, say, with_noun
from facegauge.errors import UsageError, require

if TYPE_CHECKING:
    from facegauge.cluster.blocks import Block
    from facegauge.cluster.run import Outcome
    from facegauge.cluster.tasks import Task
    from facegauge.data.manifests import Manifest
    from facegauge.predictors import Predictor
    from facegauge.results import Status

On = Annotated[
    str | None,
    typer.Option(
        metavar="ray",
        help="Use the CPUs of a Ray cluster, by default one that is started on this machine; needs "
        "the [cluster] extra",
        show_default=False,
    ),
]
RayAddress = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="Running Ray cluster: auto, HOST:PORT or ray://HOST:PORT",
        show_default=False,
    ),
]
Actors = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Processes of the cluster that score, each with one CPU  [default: one per CPU]",
        show_default=False,
    ),
]
Deadline = Annotated[
    float | None,
    typer.Option(
        min=1,
        metavar="SECONDS",
        help="With --on ray, seconds that a picture may take; one that takes longer twice, or ends "
        "the process that opens it twice, has the status error  [default: 30]",
        show_default=False,
    ),
]
COLLAPSED = re.compile(r"^([a-z][a-z0-9+.-]*):/(?=[^/])")


@dataclass(frozen=True)
class OnRay:
    """The options of a cluster, as given."""

    on: str | None
    address: str | None
    actors: int | None
    deadline: float | None
    resume: bool

    def check(self, only: Mapping[str, object], not_with: Mapping[str, object]) -> None:
        """Refuse options that do not go together.

        Args:
            only: the verb's options that go with a cluster only, with their values.
            not_with: its options that do not go with a cluster.

        Raises:
            UsageError: names them.
        """
        if self.on not in (None, "ray"):
            raise UsageError(f"expected --on to be ray, got {self.on}")
        own = {"--ray-address": self.address, "--actors": self.actors, "--deadline": self.deadline}
        wrong = [
            name for name, value in (not_with if self.on else {**own, **only}).items() if value
        ]
        if wrong:
            verb = "goes" if len(wrong) == 1 else "go"
            how = "not with --on ray" if self.on else "only with --on ray"
            raise UsageError(f"{', '.join(wrong)} {verb} {how}")

    def run(
        self,
        out: str,
        task: Task,
        blocks: Iterator[Block],
        expected: Iterator[object] | None,
        inputs: Mapping[str, object],
        *,
        what: str = "scoring",
    ) -> Outcome:
        """Have the pictures of blocks done, and show how far it is; see `cluster.run.run`."""
        from facegauge.cluster.run import run
        from facegauge.cluster.worker import Limits

        begun = False

        def shown(pictures: Iterator[None]) -> Iterator[None]:
            nonlocal begun
            begun = True
            return with_progress(pictures, None if self.resume else expected, what)

        with resumable(lambda: begun):
            return run(
                out,
                task,
                blocks,
                inputs=inputs,
                resume=self.resume,
                address=self.address,
                actors=self.actors,
                limits=Limits() if self.deadline is None else Limits(deadline=self.deadline),
                progress=shown,
            )


@dataclass(frozen=True)
class Inputs:
    """What the command line names."""

    paths: Sequence[str]
    exclude: Sequence[str]
    path_column: str | None
    bytes_column: str | None

    def to_dict(self) -> dict[str, object]:
        """As JSON types, for `_facegauge.json`."""
        columns = {"path_column": self.path_column, "bytes_column": self.bytes_column}
        return {"paths": list(self.paths), **columns}

    def blocks(self) -> tuple[Iterator[Block], Iterator[object] | None]:
        """The blocks, and as many items as they have pictures, if that is known.

        Raises:
            UsageError: there is no picture, no such column, or files of several kinds.
        """
        from facegauge.cluster.blocks import blocks_of_cells, blocks_of_names, blocks_of_shards

        if self.bytes_column is not None:
            given = self.paths, self.bytes_column, self.path_column
            sizes = (block.end - block.begin for block in blocks_of_cells(*given))
            return blocks_of_cells(*given), (None for size in sizes for _ in range(size))
        if shards := [path for path in self.paths if path.lower().endswith(".tar")]:
            if len(shards) < len(self.paths):
                raise UsageError("expected tar files only, or none of them, in one run")
            return blocks_of_shards(shards), None
        names = self._names()
        return blocks_of_names(names(), str(Path.cwd())), iter(names())

    def _names(self) -> Callable[[], Iterator[str]]:
        """Lists the pictures, each time anew."""
        from facegauge.cluster.blocks import names_in
        from facegauge.cluster.stores import is_url

        urls = [path for path in self.paths if is_url(path)]
        local = [path for path in self.paths if not is_url(path)]
        pictures = Pictures(local, self.exclude, column=self.path_column) if local else None

        def names() -> Iterator[str]:
            found = (name for url in urls for name in names_in(url))
            return chain(pictures.again() if pictures else (), found)

        return names


def score_on_ray(
    cluster: OnRay, inputs: Inputs, output: Path | None, scorer: str, options: dict[str, Any]
) -> bool:
    """Score on a cluster, into a folder of parts; whether every picture of it is ok."""
    if output is None:
        raise UsageError("--on ray writes a folder: -o DIR")
    require("ray", "--on ray", "cluster")
    require("pyarrow", "--on ray", "cluster")
    from facegauge.cluster.tasks import ScoreTask

    out = url_or_path(output)
    blocks, expected = inputs.blocks()
    task = ScoreTask(scorer, **options)
    outcome = cluster.run(out, task, blocks, expected, inputs.to_dict())
    return say_outcome(out, outcome, resumed=cluster.resume)


def label_on_ray(
    cluster: OnRay, out: Path, predictor: Predictor, manifest: Manifest, options: dict[str, Any]
) -> Counter[Status]:
    """Label on a cluster, into a table; how many pictures of this run have which status."""
    require("ray", "--on ray", "cluster")
    require("pyarrow", "--on ray", "cluster")
    from facegauge.cluster.labels import label_on_cluster

    def run(folder: str, task: Task, blocks: Iterator[Block]) -> Outcome:
        inputs = {"manifest": str(manifest.source)}
        return cluster.run(folder, task, blocks, iter(manifest.paths), inputs, what="labelling")

    return label_on_cluster(out, predictor, manifest, run, resume=cluster.resume, **options)


def url_or_path(output: Path) -> str:
    """The text that was given for a path, which has lost a slash if it was a URL."""
    return COLLAPSED.sub(r"\1://", str(output))


def say_outcome(out: str, outcome: Outcome, *, resumed: bool) -> bool:
    """Print the last line; whether every picture of the folder is ok."""
    new, every = outcome.new, outcome.all
    if resumed and not new:
        say(f"nothing left to do: {out} holds every picture, {_counts(every)}")
    else:
        more = " more" if resumed else ""
        whole = f"; {with_noun(every.total(), 'picture')} in {out}" if resumed else ""
        say(f"{with_noun(new.total(), 'picture')}{more}, {_counts(new)}{whole}")
    return every.total() == every["ok"]


def _counts(statuses: Counter[str]) -> str:
    faceless = statuses["no_face"] + statuses["too_small"]
    failed = statuses.total() - statuses["ok"] - faceless
    return f"{faceless} without a face, {failed} failed"
