"""What do the paper presets need: memory of a GPU, and at most how many views a second?

    python benchmarks/training_cost.py

All figures are computed, none is timed: every step is carried out once on tensors without data (see
`simulated.py`). Memory is the most that a step holds at once: weights, gradients, AdamW's moments,
averaged weights, activations, with the settings of each `fit` table. CUDA itself, workspaces of
kernels and gaps in memory come on top: leave 3 GB. Views a second follow from the larger of two
times: operations at the GPU's peak rate, and the bytes of all kernels at its bandwidth. Kernels do
not reach their peaks, so this is a limit.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from page import Table, arguments_for, publish
from simulated import Cost, cost_of_a_step
from torch import Tensor, nn

from facegauge.faces.spec import PreprocessSpec
from facegauge.nn.regressor import Regressor
from facegauge.training.config import load_preset
from facegauge.training.methods.dsl_fiqa.network import DslFiqa
from facegauge.training.methods.dsl_fiqa.recipe import (
    create_core,
    create_encoder,
    encoder_objective,
)
from facegauge.training.methods.mspt.config import StageConfig
from facegauge.training.objectives import Supervised, score_loss
from facegauge.training.settings import FitConfig

GPUS = {  # operations a second in bfloat16, dense, and bytes a second: the makers' data sheets
    "A100 80 GB": (312e12, 2.0e12),
    "H100 80 GB": (989e12, 3.35e12),
}
SHARE = 0.5  # of the bfloat16 rate in float32, by TF32


@dataclass(frozen=True)
class Part:
    """One network that a recipe trains, with a batch of its plan."""

    name: str
    network: nn.Module
    objective: nn.Module
    batch: dict[str, Tensor]
    fit: FitConfig
    views: int


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    rows = [row(part, cost) for part, cost in computed(options.methods)]
    columns = ["part", "precision", "views a step", "memory, GB", "GFLOP a view"]
    columns += [f"views/s at most, {gpu}" for gpu in GPUS]
    table = Table("One step of every paper preset", columns, rows, NOTE)
    intro = "Computed by torch " + torch.__version__ + " on tensors without data; nothing is timed."
    publish(options.name, "What the paper presets need", intro, [table], options.results)


NOTE = (
    "Memory is what tensors hold at the peak of a step; leave 3 GB for CUDA, workspaces and gaps. "
    "Views a second are a limit: the larger of operations at the GPU's peak rate and bytes of all "
    "kernels, unfused, at its bandwidth. A step has `accumulate` batches; memory is that of one."
)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = arguments_for(__doc__)
    add = parser.add_argument
    add("methods", nargs="*", default=list(PARTS), help="which methods (default: all)")
    add("--name", default="training-cost", help="name of the page (default: %(default)s)")
    return parser.parse_args(arguments)


def computed(methods: Sequence[str]) -> Iterator[tuple[Part, Cost]]:
    for method in methods:
        for part in PARTS[method]():
            yield part, cost_of_a_step(part.network, part.objective, part.batch, part.fit.precision)


def row(part: Part, cost: Cost) -> list[str]:
    each = part.fit.accumulate
    cells = [part.name, part.fit.precision, str(part.views * each), f"{cost.peak / 1e9:.1f}"]
    cells.append(f"{cost.operations / part.views / 1e9:.1f}")
    for rate, bandwidth in GPUS.values():
        peak = rate * (1 if part.fit.precision != "fp32" else SHARE)
        seconds = max(cost.operations / peak, cost.traffic / bandwidth)
        cells.append(f"{part.views / seconds:,.0f}")
    return cells


def views(spec: PreprocessSpec, *counts: int) -> Tensor:
    return torch.empty(*counts, spec.height, spec.width, 3, dtype=torch.uint8)


def supervised(
    spec: PreprocessSpec, labelled: int, groups: int = 0, copies: int = 0
) -> dict[str, Tensor]:
    """A batch of `Supervised`."""
    batch = {"labelled": views(spec, labelled), "score": torch.empty(labelled)}
    if groups:
        batch |= {
            "ordered": views(spec, groups * copies),
            "severity": torch.arange(copies).float().expand(groups, copies).clone(),
        }
    return batch


def light_ensemble() -> Iterator[Part]:
    config = load_preset("light_ensemble", "paper")
    student, spec = config.student, config.input.spec
    for name, member in config.members.items():
        loss = score_loss(student, student.label_rank_weight)
        count = student.plan.labelled
        yield Part(
            f"light ensemble: {name}",
            Regressor(name, student.depths, head=student.head),
            Supervised(spec, loss, 0.0, 0.0),
            supervised(spec, count),
            member.fit,
            count,
        )


def efficient_fiqa() -> Iterator[Part]:
    config = load_preset("efficient_fiqa", "paper")
    teacher, student = config.teacher, config.student
    members = [
        (f"teacher {name}", config.teachers[name].backbone, teacher, config.teacher_input.spec,
         config.teachers[name].fit)
        for name in teacher.members
    ]  # fmt: skip
    members.append(("student", student.backbone, student, config.input.spec, student.fit))
    for name, backbone, numbers, spec, fit in members:
        count = numbers.plan.labelled
        yield Part(
            f"Efficient-FIQA: {name}",
            Regressor(backbone, numbers.depths, head=numbers.head),
            Supervised(spec, score_loss(numbers), 0.0, 0.0),
            supervised(spec, count),
            fit,
            count,
        )


def mspt() -> Iterator[Part]:
    config = load_preset("mspt", "paper")
    loss, network = config.objective, config.network
    for name, stage in config.stages.items():
        assert isinstance(stage, StageConfig)
        spec, count, groups = stage.input.spec, stage.views.total, stage.groups.total
        yield Part(
            f"MSPT: stage {name}",
            Regressor(network.backbone, network.depths, head=network.head),
            Supervised(spec, score_loss(loss), loss.severity_rank_weight, loss.margin),
            supervised(spec, count, groups, loss.copies),
            stage.fit,
            count + groups * loss.copies,
        )


def dsl_fiqa() -> Iterator[Part]:
    config = load_preset("dsl_fiqa", "paper")
    spec, plan = config.input.spec, config.encoder.plan
    encoder, _ = create_encoder(replace(config.encoder, init_from=""))
    encoder.checkpointing = config.encoder.checkpointing
    sets = {"degraded": views(spec, plan.degraded), "real": views(spec, plan.real)}
    objective = encoder_objective(config.encoder, spec)
    fit = config.encoder.fit
    count = plan.degraded + plan.real
    yield Part("DSL-FIQA: encoder", encoder, objective, sets, fit, count)
    core = create_core(replace(config.core, init_from=""), encoder, spec, bias=0.4)
    count = config.core.plan.labelled
    batch = supervised(spec, count)
    if config.core.landmarks:
        batch["landmarks"] = torch.empty(count, config.core.landmarks)
    loss = Supervised(spec, score_loss(config.core), 0.0, 0.0)
    yield Part("DSL-FIQA: core", DslFiqa(encoder, core), loss, batch, config.core.fit, count)


PARTS = {
    "light_ensemble": light_ensemble,
    "efficient_fiqa": efficient_fiqa,
    "mspt": mspt,
    "dsl_fiqa": dsl_fiqa,
}

if __name__ == "__main__":
    main()
