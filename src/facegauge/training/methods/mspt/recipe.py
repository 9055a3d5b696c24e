"""MSPT: one light network, trained in stages that bring more varied pictures and larger inputs.

Source: arXiv 2508.07590. Its abstract gives the idea, and that a small network so forgets less; the
network is inferred from its published size and cost. How many stages, on what and how long, is our
completion. In order:
1. labelled faces;
2. and faces from other sources, labelled by a teacher;
3. and large portraits, clean and degraded, at the largest size. The teacher looks at them in its
   own way, at the size it was made for; finer detail is learned from the order of degraded copies.
Every stage starts from the last one's best weights and goes on with the earlier stages' pictures.

Every source holds pictures out, which choose the weights and show what was forgotten. Two baselines
cost the same: `replay = false` learns at every stage from its new pictures alone, `single = true`
learns from all of them at the last size in one stage.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NoReturn

from facegauge.data.leakage import refuse_leaks, without_leaks
from facegauge.data.manifests import Manifest
from facegauge.errors import UsageError
from facegauge.faces.spec import PreprocessSpec
from facegauge.nn.regressor import Regressor
from facegauge.predictors import Predictor
from facegauge.training.context import describe
from facegauge.training.devices import log_from_main_process, this_process
from facegauge.training.inputs.views import Framed, ViewMaker
from facegauge.training.legacy_job import Job, Settings, open_job, score_loss
from facegauge.training.methods.mspt.portraits import CLEAN, CopySettings, cut_portraits
from facegauge.training.methods.mspt.sources import Source, Together, parted, thinned, watch
from facegauge.training.objectives import Supervised
from facegauge.training.settings import BatchPlan

SYSTEM = "mspt"
SOURCES = ("labelled", "unlabelled", "portraits")
FACES = "auto"  # in unlabelled pictures: the largest face is searched
FEWEST = 5  # held-out pictures of a source

After = dict[str, dict[str, float]]


def run(
    settings: Settings,
    data: Manifest,
    unlabelled: Sequence[Manifest],
    portraits: Sequence[Manifest],
    out: Path,
    *,
    teacher: Predictor,
    resume: bool = False,
    allow_leakage: bool = False,
    say: Callable[[str], None] = print,
) -> After:
    """Train stage by stage into the run folder `out`; it becomes the last stage's.

    Args:
        settings: a preset of `mspt.toml`, with overrides.
        data: labelled pictures, framed as the labels saw them, with splits train and val.
        unlabelled: faces from other sources.
        portraits: large and sharp ones; as unlabelled ones, split by `parted`.
        teacher: labels both; its scores are mapped to the labels' scale on val.
        resume: go on with what `out` holds.
        allow_leakage: train although splits share pictures or people, and on unlabelled pictures
            that another list has too. Otherwise the first are refused and the second left out.

    Returns:
        (SRCC + PLCC) / 2 on what each source holds out, after each stage at its size.

    Raises:
        UsageError: leaks between the splits, no train or val rows, a source without enough
            pictures, or `out` is in use and `resume` is off.
    """
    stages = planned(settings)
    first, last = _ends(stages)
    log_from_main_process()
    if not allow_leakage:
        refuse_leaks(data)
        unlabelled = [without_leaks(part, [data]) for part in unlabelled]
        portraits = [without_leaks(part, [data, *unlabelled]) for part in portraits]
    job = open_job({**settings, "input": first["input"]}, data, [], out, resume=resume, say=say)
    record = {
        **job.settings,
        "input": last["input"],
        "stages": stages,
        "data": [
            *job.settings["data"],
            *describe(parted(side)[0] for side in (unlabelled, portraits)),
        ],
        "teacher": teacher.name,
    }
    job = replace(job, settings=record)
    sources = gather(at_size(job, last["input"]), unlabelled, portraits, teacher)
    network = job.begun({**settings["network"], "fit": first["fit"]})
    after: After = {}
    for name, stage in stages.items():
        train_stage(at_size(job, stage["input"]), name, network, sources)
        held = {source: sources[source].held for source in SOURCES}
        figures = watch(held, PreprocessSpec(**stage["input"]))(network)
        after[name] = {source: figures[source] for source in SOURCES}
        job.say(f"after {name}: {_shown(after[name])}")
    at_size(job, last["input"]).save("", SYSTEM, network, network.config)
    if len(stages) > 1:
        job.say(f"forgotten, the best earlier less now: {_shown(forgotten(after))}")
    return after


def planned(settings: Settings) -> dict[str, Settings]:
    """The stages as they are run: those of the settings that have steps, or those of a baseline.

    Raises:
        UsageError: there are none, or one has no views or an unknown source.
    """
    stages = {name: stage for name, stage in settings["stages"].items() if stage["fit"]["steps"]}
    copies = settings["objective"]["copies"]
    if not stages:
        raise UsageError("the settings have no stage with steps; expected one or more")
    for name, stage in stages.items():
        unknown = sorted({*stage["views"], *stage["groups"]} - set(SOURCES))
        if unknown or not sum(stage["views"].values()):
            said = f"unknown source {unknown[0]!r}" if unknown else "no views"
            raise UsageError(f"stage {name}: {said}; expected views of {', '.join(SOURCES)}")
    if settings["single"]:
        first, last = _ends(stages)
        once = {**last, "fit": {**last["fit"], "steps": 1}}
        total = sum(pixels_seen(stage, copies) for stage in stages.values())
        rates = {key: first["fit"][key] for key in ("lr", "warmup")}
        steps = round(total / pixels_seen(once, copies))
        return {"single": {**last, "fit": {**last["fit"], **rates, "steps": steps}}}
    if settings["replay"]:
        return stages
    alone, before = {}, set[str]()
    for name, stage in stages.items():
        new = [source for source, count in stage["views"].items() if count and source not in before]
        before.update(new)
        kinds = {key: _moved(stage[key], new) for key in ("views", "groups")}
        alone[name] = {**stage, **kinds} if new else stage
    return alone


def pixels_seen(stage: Settings, copies: int) -> int:
    """What the training of a stage costs: the pixels that it shows to the network."""
    views = sum(stage["views"].values()) + copies * sum(stage["groups"].values())
    return int(stage["fit"]["steps"] * views * stage["input"]["width"] * stage["input"]["height"])


def forgotten(after: After) -> dict[str, float]:
    """For each source the best figure of the earlier stages less that of the last one."""
    *earlier, last = after.values()
    return {source: max(one[source] for one in earlier) - last[source] for source in last}


def at_size(job: Job, size: Settings) -> Job:
    """The same job, for views of another size."""
    maker = ViewMaker(job.maker.pictures, PreprocessSpec(**size), job.maker.config)
    return replace(job, maker=maker)


def gather(
    job: Job, unlabelled: Sequence[Manifest], portraits: Sequence[Manifest], teacher: Predictor
) -> dict[str, Source]:
    """Every source's pictures with their labels; lists and cuts lie in the run folder's `sources`.

    Raises:
        UsageError: a source has too few pictures to hold some out.
    """
    most, copying = job.settings["held_out"], job.settings["portraits"]
    (job.out / "sources").mkdir(parents=True, exist_ok=True)

    def told(name: str, pictures: Manifest, faces: str) -> tuple[list[Framed], tuple[Path, ...]]:
        """Pictures with what the teacher says of them, and their files."""
        table = job.out / "sources" / f"{name}.csv"
        return job.pseudo_labelled(table, teacher, pictures, faces)

    def cut(name: str, pictures: Manifest) -> Manifest:
        settings = CopySettings(**copying)
        folder = job.out / "sources" / name
        if this_process().is_main_process:
            cut_portraits(pictures, folder, teacher.spec, settings)
        this_process().wait_for_everyone()
        return cut_portraits(pictures, folder, teacher.spec, settings)  # cut by now: read

    web, whole = parted(unlabelled), parted(portraits)
    for name, (learn, held) in (("unlabelled", web), ("portraits", whole)):
        if not (len(learn) and len(held)):
            _refuse(name, len(held))
    val = job.load(job.val, "whole")
    faces, _ = told("unlabelled", web[0], FACES)
    faces_held, _ = told("unlabelled_val", web[1], FACES)
    large, files = told("portraits", cut("portraits", whole[0]), "whole")
    large_held, _ = told("portraits_val", cut("portraits_val", whole[1]), "whole")
    clean = [one for one, file in zip(large, files, strict=True) if file.stem.endswith(CLEAN)]

    known = list(job.maker.pictures)
    sources = {
        "labelled": Source(known, thinned(val, most), known),
        "unlabelled": Source(faces, thinned(faces_held, most), faces),
        "portraits": Source(large, thinned(large_held, most), clean),
    }
    for name, source in sources.items():
        job.say(f"{name}: {len(source.learn)} to learn from, {len(source.held)} held out")
        if len(source.held) < FEWEST:
            _refuse(name, len(source.held))
    return sources


def train_stage(job: Job, name: str, network: Regressor, sources: Mapping[str, Source]) -> None:
    """One stage: labels and pseudo-labels, and the order of degraded copies."""
    stage, numbers = job.settings["stages"][name], job.settings["objective"]
    spec, how = job.maker.spec, job.maker.config
    kinds: list[tuple[ViewMaker, BatchPlan]] = []
    for source, count in stage["views"].items():
        maker = ViewMaker(sources[source].learn, spec, how)
        kinds += [(maker, BatchPlan(labelled=count))] if count else []
    for source, count in stage["groups"].items():
        maker = ViewMaker(sources[source].clean, spec, how)
        plan = BatchPlan(groups=count, copies=numbers["copies"], portrait_share=numbers["large"])
        kinds += [(maker, plan)] if count else []
    held = {source: sources[source].held for source, count in stage["views"].items() if count}
    objective = Supervised(spec, score_loss(numbers), numbers["order_weight"], numbers["margin"])
    replace(job, validate=watch(held, spec)).fit(
        name,
        network,
        objective,
        partial(Together, kinds),
        system=f"{SYSTEM} stage {name}",
        numbers=stage["fit"],
    )
    network.eval()


def _refuse(name: str, held: int) -> NoReturn:
    raise UsageError(
        f"{name}: {held} pictures with a face are held out, expected {FEWEST} or more, and others "
        "to learn from; add pictures, or a column split with train and val"
    )


def _ends(stages: Mapping[str, Settings]) -> tuple[Settings, Settings]:
    """The first and the last stage."""
    every = list(stages.values())
    return every[0], every[-1]


def _moved(counts: Mapping[str, int], new: Sequence[str]) -> dict[str, int]:
    """As many, but of new sources only."""
    kept = {source: counts.get(source, 0) for source in new}
    if kept:
        kept[new[0]] += sum(counts.values()) - sum(kept.values())
    return kept


def _shown(figures: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.4f}" for name, value in figures.items())
