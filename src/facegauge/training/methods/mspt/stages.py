"""The stages of MSPT as they run, the two baselines of the same cost, and what is forgotten."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from facegauge.training.methods.mspt.config import SOURCES, MsptConfig, SourceCounts, StageConfig

Figures = dict[str, dict[str, float]]  # stage -> source -> (SRCC + PLCC) / 2


def plan_stages(config: MsptConfig) -> dict[str, StageConfig]:
    """The stages that a run trains, by name.

    Returns:
        The stages that have steps. With `single_stage`, one stage of the last one's views and input
        and the first one's learning rate, which shows the network as many pixels as all stages.
        Without `replay`, the stages with their new sources only.
    """
    stages = {name: stage for name, stage in config.stages.items() if stage.fit.trains}
    if config.single_stage:
        return {"single": _single(list(stages.values()), config.objective.copies)}
    return stages if config.replay else _without_replay(stages)


def forgetting(figures: Figures) -> dict[str, float]:
    """For each source, the best figure after an earlier stage less that after the last one."""
    *earlier, last = figures.values()
    return {source: max(stage[source] for stage in earlier) - last[source] for source in last}


def _single(stages: Sequence[StageConfig], copies: int) -> StageConfig:
    first, last = stages[0], stages[-1]
    total = sum(stage.pixels(copies) for stage in stages)
    one_step = replace(last, fit=replace(last.fit, steps=1, warmup=0)).pixels(copies)
    fit = replace(last.fit, lr=first.fit.lr, warmup=first.fit.warmup, steps=round(total / one_step))
    return replace(last, fit=fit)


def _without_replay(stages: Mapping[str, StageConfig]) -> dict[str, StageConfig]:
    alone: dict[str, StageConfig] = {}
    known: set[str] = set()
    for name, stage in stages.items():
        new = [source for source in SOURCES if stage.views[source] and source not in known]
        known.update(new)
        alone[name] = stage
        if new:
            views, groups = (_restrict(counts, new) for counts in (stage.views, stage.groups))
            alone[name] = replace(stage, views=views, groups=groups)
    return alone


def _restrict(counts: SourceCounts, sources: Sequence[str]) -> SourceCounts:
    """The same total, of some sources only; what the others had goes to the first of these."""
    kept = {source: counts[source] for source in sources}
    kept[sources[0]] += counts.total - sum(kept.values())
    return SourceCounts(**kept)
