"""What does a network forget when it is trained in stages?

Takes run folders of `facegauge train mspt` and the sources to evaluate them on: manifests with
labels. Every stage of every run scores every source at the stage's own size. Forgotten is the
figure of the best earlier stage minus that of the last one. The first run is compared with the
others, its baselines: without replay, and in a single stage.

    python benchmarks/forgetting.py --run stages=runs/mspt --run no-replay=runs/no-replay \
        --run single=runs/single --source labelled=labels.csv \
        --source unlabelled=runs/mspt/sources/unlabelled_val.csv \
        --source portraits=runs/mspt/sources/portraits_val.csv --auto unlabelled

Of a manifest with splits, the split val is used. Pictures without a score are left out and counted.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from page import Table, arguments_for, name_of, publish
from pictures import Scores
from rows import figure, named

from facegauge.data.manifests import Manifest, load_manifest
from facegauge.errors import UsageError
from facegauge.evaluation.metrics import challenge, plcc, srcc
from facegauge.evaluation.predictions import predict_with
from facegauge.nn.predictor import open_run_predictor

FIGURES = {"srcc": srcc, "plcc": plcc, "challenge": challenge}
TITLES = {"srcc": "SRCC", "plcc": "PLCC", "challenge": "(SRCC + PLCC) / 2"}

Statistic = Callable[..., float]


@dataclass(frozen=True)
class RunScores:
    """The scores that the stages of a run give to the sources.

    Attributes:
        stages: a description of each stage, by its name, in order.
        cost: billions of pixels that the network saw in training.
        scores: (stages, N) for each source; nan where a picture has none.
    """

    stages: Mapping[str, str]
    cost: float
    scores: Mapping[str, Scores]


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    runs, lists = named(options.run, "--run"), named(options.source, "--source")
    missing = sorted(set(options.auto) - set(lists))
    if missing:
        raise UsageError(f"--auto {missing[0]}: expected one of {', '.join(lists)}")
    sources = {name: labelled(path, options.split) for name, path in lists.items()}
    scored = {name: score_stages(Path(path), sources, options.auto) for name, path in runs.items()}
    labels = {name: manifest.labels() for name, manifest in sources.items()}
    statistic, title = FIGURES[options.figure], TITLES[options.figure]
    tables = [
        cost_table(scored),
        stage_table(scored, labels, statistic, title),
        forgetting_table(scored, labels, statistic, title),
        baseline_table(scored, labels, statistic, title),
    ]
    used = ", ".join(f"{name}: {name_of(path)}" for name, path in lists.items())
    intro = f"Evaluated on {used}. Intervals: bootstrap 95 %, over pictures."
    publish(options.name, "Forgetting", intro, tables, options.results)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = arguments_for(__doc__)
    add = parser.add_argument
    add("--run", action="append", required=True, metavar="NAME=FOLDER",
        help="run folder of train mspt; the first is compared with the others")  # fmt: skip
    add("--source", action="append", required=True, metavar="NAME=MANIFEST",
        help="labelled pictures, framed as their labels saw them")  # fmt: skip
    add("--auto", nargs="+", default=[], metavar="NAME", help="sources in which faces are detected")
    add(
        "--split",
        default="val",
        help="split, where there is one; 'all' for every picture (default: val)",
    )
    add(
        "--figure",
        default="challenge",
        choices=FIGURES,
        help="metric (default: %(default)s)",
    )
    add("--name", default="forgetting", help="name of the page (default: %(default)s)")
    return parser.parse_args(arguments)


def labelled(path: str, split: str) -> Manifest:
    manifest = load_manifest(path)
    manifest.labels()
    return manifest if manifest.splits is None or split == "all" else manifest.where(split=split)


def score_stages(folder: Path, sources: Mapping[str, Manifest], auto: Sequence[str]) -> RunScores:
    """Score every source with every stage of a run.

    Raises:
        UsageError: it is not a finished run of this recipe.
    """
    description = folder / "run.json"
    settings = json.loads(description.read_text())["settings"] if description.is_file() else {}
    if "stages" not in settings:
        raise UsageError(f"{folder} is not a finished run of `facegauge train mspt`")
    stages = {
        name: f"{stage['input']['width']} x {stage['input']['height']}"
        for name, stage in settings["stages"].items()
    }
    copies = settings["objective"]["copies"]
    cost = sum(pixels_seen(stage, copies) for stage in settings["stages"].values()) / 1e9
    collected: dict[str, list[Scores]] = {source: [] for source in sources}
    for stage in stages:
        run = open_run_predictor(folder / stage)
        for source, manifest in sources.items():
            faces = "auto" if source in auto else "whole"
            collected[source].append(predict_with(run, manifest, faces).scores)
    return RunScores(stages, cost, {source: np.stack(rows) for source, rows in collected.items()})


def pixels_seen(stage: Mapping[str, Any], copies: int) -> int:
    """The pixels that training a stage showed to the network.

    Args:
        stage: as the settings in run.json describe it.
        copies: in an ordered group.
    """
    views = sum(stage["views"].values()) + copies * sum(stage["groups"].values())
    return int(stage["fit"]["steps"] * views * stage["input"]["width"] * stage["input"]["height"])


def cost_table(scored: Mapping[str, RunScores]) -> Table:
    rows = [
        (name, ", then ".join(run.stages.values()), f"{run.cost:.2f}")
        for name, run in scored.items()
    ]
    columns = ("run", "stages", "gigapixels seen in training")
    return Table("Training cost", columns, rows)


def stage_table(
    scored: Mapping[str, RunScores], labels: Mapping[str, Scores], statistic: Statistic, title: str
) -> Table:
    """One row a stage, one column a source."""
    kept = in_all(scored)
    rows = [
        (
            name,
            stage,
            size,
            *(
                figure(statistic, scores[place][kept[source]], labels[source][kept[source]])
                for source, scores in run.scores.items()
            ),
        )
        for name, run in scored.items()
        for place, (stage, size) in enumerate(run.stages.items())
    ]
    columns = ("run", "after stage", "input", *map(heading, kept.items()))
    return Table("After each stage", columns, rows, f"{title} of scores and labels.")


def forgetting_table(
    scored: Mapping[str, RunScores], labels: Mapping[str, Scores], statistic: Statistic, title: str
) -> Table:
    """For each run with several stages and each source: the best earlier stage minus the last."""
    kept = in_all(scored)
    rows = []
    for name, run in scored.items():
        cells = []
        for source, scores in run.scores.items():
            label, seen = labels[source][kept[source]], scores[:, kept[source]]
            cells.append(forgotten(label, seen, list(run.stages), statistic))
        if len(run.stages) > 1:
            rows.append((name, *cells))
    note = (
        f"{title} of the best earlier stage, which is named, minus that of the last one, on the "
        "same pictures. Above 0 something was forgotten, below 0 more was learned."
    )
    return Table("Forgotten", ("run", *map(heading, kept.items())), rows, note)


def forgotten(labels: Scores, scores: Scores, stages: Sequence[str], statistic: Statistic) -> str:
    """A cell of it, from (N,) labels and (stages, N) scores; "-" without a pair to compare."""
    *earlier, last = scores
    if not earlier:
        return "-"
    figures = [statistic(one, labels) for one in earlier]
    if np.isnan(figures).all():
        return "-"
    best = int(np.nanargmax(figures))
    return f"{difference(statistic, earlier[best], last, labels)} ({stages[best]})"


def baseline_table(
    scored: Mapping[str, RunScores], labels: Mapping[str, Scores], statistic: Statistic, title: str
) -> Table:
    """The first run's last stage minus that of every other run."""
    kept = in_all(scored)
    (first, ours), *others = scored.items()
    rows = []
    for name, run in others:
        cells = [
            difference(
                statistic,
                ours.scores[source][-1, rows_],
                run.scores[source][-1, rows_],
                labels[source][rows_],
            )
            for source, rows_ in kept.items()
        ]
        rows.append((f"{first} - {name}", *cells))
    note = f"{title} at the end, on the same pictures. Above 0, {first} is better."
    return Table("Compared with the baselines", ("runs", *map(heading, kept.items())), rows, note)


def difference(statistic: Statistic, one: Scores, other: Scores, labels: Scores) -> str:
    """The paired difference of two sets of scores, with its interval."""
    return figure(lambda a, b, y: statistic(a, y) - statistic(b, y), one, other, labels, sign="+")


def in_all(scored: Mapping[str, RunScores]) -> dict[str, np.ndarray]:
    """(N,) bool for each source: pictures with a score from every stage of every run."""
    every = list(scored.values())
    return {
        source: np.isfinite(np.concatenate([run.scores[source] for run in every])).all(0)
        for source in every[0].scores
    }


def heading(source: tuple[str, np.ndarray]) -> str:
    name, kept = source
    lost = len(kept) - int(kept.sum())
    return f"{name}, n = {kept.sum()}" + (f" ({lost} without a score)" if lost else "")


if __name__ == "__main__":
    main()
