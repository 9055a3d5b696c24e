"""A network that takes steps: precision, accumulation, compilation, several processes."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import nullcontext

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from facegauge.errors import FacegaugeError, UsageError
from facegauge.training.devices import computes_bfloat16, this_process
from facegauge.training.inputs.views import Batch
from facegauge.training.optimisers import OPTIMISERS
from facegauge.training.settings import FitConfig
from facegauge.training.whole_step import Step, sees_whole_step, unchanged_buffers

TYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
DROPOUT = 1_000_003  # between the seeds of two runs' dropout

logger = logging.getLogger(__name__)


class Learner:
    """Network and objective on their device, with their optimisers.

    Args:
        name: of the fit, for messages.
        network: is trained in place.
        objective: (network, batch) -> named losses, summed; its own parameters are trained too.
        config: rate, optimiser, precision and so on.
        batches: of each process in a step.

    Attributes:
        optimisers: of the weights; their states are loaded before the first step.
        scaler: of the losses in float16; idle in other precisions.
    """

    def __init__(
        self,
        name: str,
        network: nn.Module,
        objective: nn.Module,
        config: FitConfig,
        *,
        batches: int = 1,
    ) -> None:
        process = self.process = this_process()
        self.name, self.config, device = name, config, process.device
        self.type = TYPES[config.precision]
        if config.precision != "fp32" and not computes_bfloat16(device):
            kind = str(self.type).removeprefix("torch.")
            logger.warning('%s: this CPU emulates %s; precision = "fp32" is faster', name, kind)
        network.to(device).to(memory_format=torch.channels_last)
        objective.to(device)
        task = Task(network, objective)
        if config.sync_batch_norm and process.num_processes > 1:
            synchronise(network, objective, device)
        self.weights = [weight for weight in task.parameters() if weight.requires_grad]
        make = OPTIMISERS[config.optimiser]
        self.optimisers: list[Optimizer] = make(
            network, self.weights, config.lr, config.weight_decay
        )
        self.scaler = torch.amp.GradScaler(device.type, enabled=config.precision == "fp16")
        if config.compile:
            task.compile()
        # whether a first pass over the batches is needed, see `whole_step`
        self.twice = batches > 1 and sees_whole_step(objective)
        self.step_rows = Step(process.num_processes, batches)
        self.task = process.prepare(task) if process.num_processes > 1 else task

    def step(self, number: int, batches: Sequence[Batch], lr: float) -> dict[str, Tensor]:
        """Take one step.

        Args:
            number: of the step, from 0; seeds dropout.
            batches: this process's.
            lr: the learning rate.

        Returns:
            The losses by name, means over these batches.

        Raises:
            FacegaugeError: a loss is not finite, or the GPU's memory does not suffice.
        """
        set_rate(self.optimisers, lr)
        try:
            losses = self._learn(number, batches)
            self._update()
        except torch.cuda.OutOfMemoryError as error:
            raise FacegaugeError(
                f"{self.name} needs more memory than the GPU has; halve the views of its plan and "
                'double its fit.accumulate, or set fit.precision = "bf16", and continue with '
                f"--resume ({str(error).splitlines()[0]})"
            ) from error
        return losses

    def _learn(self, number: int, batches: Sequence[Batch]) -> dict[str, Tensor]:
        """Losses and gradients of a step."""
        device = self.process.device
        moved = [{key: value.to(device) for key, value in batch.items()} for batch in batches]
        if self.twice:
            with torch.no_grad(), unchanged_buffers(self.task):
                for place, batch in enumerate(moved):
                    self._losses(number, place, batch, first_pass=True)
        sums: dict[str, Tensor] = {}
        for place, batch in enumerate(moved):
            alone = place + 1 < len(moved)  # the last batch alone meets those of other processes
            with self.process.no_sync(self.task) if alone else nullcontext():
                losses = self._losses(number, place, batch)
                loss = finite(torch.stack(list(losses.values())).sum(), number, self.name)
                torch.autograd.backward(self.scaler.scale(loss / len(moved)))
            for name, value in losses.items():
                sums[name] = sums[name] + value.detach() if place else value.detach()
        return {name: value / len(moved) for name, value in sums.items()}

    def _losses(
        self, number: int, place: int, batch: Batch, *, first_pass: bool = False
    ) -> dict[str, Tensor]:
        """The losses of a batch, with the dropout of its step."""
        torch.manual_seed(self.config.seed * DROPOUT + number)
        computing = self.step_rows.computing(place, first_pass=first_pass)
        # not accelerate's own, which one process cannot have in two precisions
        low = torch.autocast(
            self.process.device.type, self.type, enabled=self.config.precision != "fp32"
        )
        with computing, low:
            losses: dict[str, Tensor] = self.task(batch)
        return losses

    def _update(self) -> None:
        for optimiser in self.optimisers:
            self.scaler.unscale_(optimiser)
        if self.config.clip:
            torch.nn.utils.clip_grad_norm_(self.weights, self.config.clip)
        for optimiser in self.optimisers:
            self.scaler.step(optimiser)
            optimiser.zero_grad(set_to_none=True)
        self.scaler.update()


class Task(nn.Module):
    """Network and objective as one module, which is what DDP wraps."""

    def __init__(self, network: nn.Module, objective: nn.Module) -> None:
        super().__init__()
        self.network, self.objective = network, objective

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        losses: dict[str, Tensor] = self.objective(self.network, batch)
        return losses


def synchronise(network: nn.Module, objective: nn.Module, device: torch.device) -> None:
    """Let batch norms see the batches of all processes.

    Raises:
        UsageError: on CPUs, which torch's SyncBatchNorm refuses; or the network has no batch norm
            that can be replaced.
    """
    if device.type == "cpu":
        raise UsageError(
            "sync_batch_norm needs GPUs, as torch's SyncBatchNorm does; set it to false to train "
            "in several processes on CPUs, where every process has its own batch statistics"
        )
    norms = [one for one in network.modules() if isinstance(one, nn.modules.batchnorm._BatchNorm)]
    if not norms:
        raise UsageError(
            "sync_batch_norm: this network has no batch norms that torch can replace (those of "
            "timm's convolutional backbones are functions here); set it to false"
        )
    for part in (network, objective):
        nn.SyncBatchNorm.convert_sync_batchnorm(part)  # type: ignore[no-untyped-call]


def set_rate(optimisers: Sequence[Optimizer], lr: float) -> None:
    """Give all weights this learning rate."""
    for optimiser in optimisers:
        for group in optimiser.param_groups:
            group["lr"] = lr


def finite(loss: Tensor, step: int, name: str) -> Tensor:
    """The loss as it is.

    Raises:
        FacegaugeError: it is not a number.
    """
    if not torch.isfinite(loss):
        raise FacegaugeError(
            f"the loss became {loss.item()} at step {step} of {name}; lower lr, or set precision "
            "to fp32, and continue with --resume"
        )
    return loss
