"""MSPT: one light network, trained in stages with more varied pictures and larger inputs.

Source: arXiv 2508.07590. Its abstract gives the idea, and that a small network forgets less this
way; the network is inferred from its published size and cost. The stages, their pictures and their
lengths are our completion. In order:
1. labelled faces;
2. and faces from other sources, labelled by a teacher;
3. and large portraits, clean and degraded, at the largest input. The teacher scores them at its own
   input size; the network learns finer detail from the order of degraded copies.
Each stage starts from the last one's best weights and also sees the earlier stages' pictures.

Every source holds out pictures, which choose the weights and show what was forgotten. There are two
baselines of the same cost: without `replay` each stage sees its new sources only; with
`single_stage` all sources are learned at the last input size in one stage.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NoReturn

from facegauge.data.leakage import without_leaks
from facegauge.data.manifests import Manifest
from facegauge.errors import UsageError
from facegauge.nn.regressor import Regressor
from facegauge.predictors import Predictor
from facegauge.training.begin import begin_run, describe
from facegauge.training.config import to_dict
from facegauge.training.context import TrainingContext
from facegauge.training.devices import this_process
from facegauge.training.held_out import split_held_out
from facegauge.training.inputs.views import Framed, ViewMaker
from facegauge.training.methods.mspt.config import (
    SOURCES,
    MsptConfig,
    ObjectiveConfig,
    StageConfig,
)
from facegauge.training.methods.mspt.portraits import CLEAN, cut_portraits
from facegauge.training.methods.mspt.sources import (
    MixedBatches,
    Source,
    evenly_spaced,
)
from facegauge.training.methods.mspt.stages import Figures, forgetting, plan_stages
from facegauge.training.objectives import Supervised, score_loss
from facegauge.training.validation import make_source_validation
from facegauge.training.view_settings import BatchPlan

SYSTEM = "mspt"
FACES = "auto"  # in unlabelled pictures: the largest face is detected
MIN_HELD_OUT = 5  # pictures of a source

logger = logging.getLogger(__name__)


def run(
    config: MsptConfig,
    data: Manifest,
    unlabelled: Sequence[Manifest],
    portraits: Sequence[Manifest],
    out: Path,
    *,
    teacher: Predictor,
    resume: bool = False,
    allow_leakage: bool = False,
) -> Figures:
    """Train stage by stage into the run folder `out`, which becomes the last stage's.

    Args:
        config: a preset, with overrides; see `training.config.load_preset`.
        data: labelled pictures, framed as the labels saw them, with splits train and val.
        unlabelled: faces from other sources; see `split_held_out` for their splits.
        portraits: large, sharp portraits; likewise.
        out: the run folder.
        teacher: labels both; a curve fitted to val maps its scores to the labels' scale.
        resume: continue with what `out` holds.
        allow_leakage: train although splits share pictures or people, and on unlabelled pictures
            that another list has too. Otherwise the first are refused and the second left out.

    Returns:
        (SRCC + PLCC) / 2 on what each source holds out, after each stage, at its input size.

    Raises:
        UsageError: leaks between the splits, no train or val rows, a source with too few pictures,
            or `out` is in use and `resume` is off.
    """
    stages = plan_stages(config)
    first, last = next(iter(stages.values())), [*stages.values()][-1]
    context = begin_run(
        config, data, [], out, spec=first.input.spec, resume=resume, allow_leakage=allow_leakage
    )
    if not allow_leakage:
        unlabelled = [without_leaks(one, [data]) for one in unlabelled]
        portraits = [without_leaks(one, [data, *unlabelled]) for one in portraits]
    given = {"unlabelled": unlabelled, "portraits": portraits}
    learned = [given[name] for name in given if is_learned(name, stages.values())]
    lists = [split_held_out(side)[0] for side in learned]
    context = context.recorded(
        input=to_dict(last.input),
        stages={name: to_dict(stage) for name, stage in stages.items()},
        data=[*context.record["data"], *describe(lists)],
        teacher=teacher.name,
    )
    sources = gather(at_stage(context, last), config, unlabelled, portraits, teacher)
    held_out = {source: sources[source].held_out for source in SOURCES}
    network = context.build_network(config.network, seed=first.fit.seed)
    figures: Figures = {}
    for name, stage in stages.items():
        train_stage(
            at_stage(context, stage), name, stage, network, sources, objective=config.objective
        )
        after = make_source_validation(held_out, stage.input.spec)(network)
        figures[name] = {source: after[source] for source in SOURCES}
        logger.info("after stage %s: %s", name, _shown(figures[name]))
    at_stage(context, last).save("", SYSTEM, network)
    if len(stages) > 1:
        logger.info("forgotten (best earlier less last): %s", _shown(forgetting(figures)))
    return figures


def is_learned(source: str, stages: Iterable[StageConfig]) -> bool:
    """Whether a stage learns from a source; what is held out of it is always looked at."""
    return any(stage.views[source] or stage.groups[source] for stage in stages)


def at_stage(context: TrainingContext, stage: StageConfig) -> TrainingContext:
    """The same run, with views of a stage's input."""
    maker = context.maker
    return replace(context, maker=ViewMaker(maker.pictures, stage.input.spec, maker.config))


def gather(
    context: TrainingContext,
    config: MsptConfig,
    unlabelled: Sequence[Manifest],
    portraits: Sequence[Manifest],
    teacher: Predictor,
) -> dict[str, Source]:
    """The pictures of every source, with their labels.

    Pseudo-labels and faces cut out of portraits are kept in the run folder's `sources`.

    Raises:
        UsageError: a source has too few pictures to hold some out.
    """
    folder = context.out / "sources"
    folder.mkdir(parents=True, exist_ok=True)

    def label(name: str, pictures: Manifest, faces: str) -> tuple[list[Framed], tuple[Path, ...]]:
        table = folder / f"{name}.csv"
        return context.pseudo_labelled(table, teacher, pictures, faces, config.label)

    def cut(name: str, pictures: Manifest) -> Manifest:
        if this_process().is_main_process:
            cut_portraits(pictures, folder / name, teacher.spec, config.portraits)
        this_process().wait_for_everyone()
        return cut_portraits(pictures, folder / name, teacher.spec, config.portraits)  # reads them

    faces, large = split_held_out(unlabelled), split_held_out(portraits)
    for name, (train, held_out) in (("unlabelled", faces), ("portraits", large)):
        if not (len(train) and len(held_out)):
            _refuse(name, len(held_out))
    val = context.val_pictures
    web, _ = label("unlabelled", faces[0], FACES)
    web_held_out, _ = label("unlabelled_val", faces[1], FACES)
    cuts, files = label("portraits", cut("portraits", large[0]), "whole")
    cuts_held_out, _ = label("portraits_val", cut("portraits_val", large[1]), "whole")
    clean = [one for one, file in zip(cuts, files, strict=True) if file.stem.endswith(CLEAN)]

    labelled, most = context.maker.pictures, config.max_held_out
    sources = {
        "labelled": Source(labelled, evenly_spaced(val, most), labelled),
        "unlabelled": Source(web, evenly_spaced(web_held_out, most), web),
        "portraits": Source(cuts, evenly_spaced(cuts_held_out, most), clean),
    }
    for name, source in sources.items():
        logger.info(
            "%s: %d pictures to train on, %d held out",
            *(name, len(source.train), len(source.held_out)),
        )
        if len(source.held_out) < MIN_HELD_OUT:
            _refuse(name, len(source.held_out))
    return sources


def train_stage(
    context: TrainingContext,
    name: str,
    stage: StageConfig,
    network: Regressor,
    sources: Mapping[str, Source],
    *,
    objective: ObjectiveConfig,
) -> None:
    """One stage: labels and pseudo-labels, and the order of degraded copies."""
    spec, views = context.maker.spec, context.maker.config
    parts: list[tuple[ViewMaker, BatchPlan]] = []
    for source in SOURCES:
        if stage.views[source]:
            maker = ViewMaker(sources[source].train, spec, views)
            parts.append((maker, BatchPlan(labelled=stage.views[source])))
    for source in SOURCES:
        if stage.groups[source]:
            maker = ViewMaker(sources[source].sharp, spec, views)
            plan = BatchPlan(
                groups=stage.groups[source],
                copies=objective.copies,
                portrait_share=objective.portrait_share,
            )
            parts.append((maker, plan))
    held_out = {source: sources[source].held_out for source in SOURCES if stage.views[source]}
    loss = Supervised(
        spec,
        score_loss(objective, objective.label_rank_weight),
        objective.severity_rank_weight,
        objective.margin,
    )
    validated = replace(context, validate=make_source_validation(held_out, spec))
    batches = partial(MixedBatches, parts)
    validated.fit(name, network, loss, batches, stage.fit, system=f"{SYSTEM} stage {name}")
    network.eval()


def _refuse(source: str, held_out: int) -> NoReturn:
    raise UsageError(
        f"{source}: {held_out} pictures with a face are held out; expected {MIN_HELD_OUT} or more, "
        "and others to train on; add pictures, or a column split with train and val"
    )


def _shown(figures: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.4f}" for name, value in figures.items())
