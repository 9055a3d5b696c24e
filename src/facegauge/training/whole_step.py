"""What correlations and rankings see: the rows of a whole step, not of one of its batches.

A step's gradient comes from the batches of all processes, and of each process several where it
accumulates. A mean over rows is the mean of the batches' means, but a correlation is not the mean
of the batches' correlations. So `whole_step` gives a loss the rows of all of them, and every
process computes the loss of the whole step. Where a process has several batches, they go through
the network twice: first without gradients, for their scores (as Gao et al. 2021, arXiv 2101.06983).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch import distributed as dist


@dataclass
class Step:
    """The batches of a step.

    Attributes:
        processes: of the run.
        batches: of each process.
        rows: by batch and call of `whole_step` in it, the rows of every process; filled by a first
            pass over the batches, if there is one.
    """

    processes: int = 1
    batches: int = 1
    rows: list[list[list[Tensor]]] = field(default_factory=list)
    batch: int = 0
    call: int = 0
    first_pass: bool = False

    @contextmanager
    def computing(self, batch: int, *, first_pass: bool = False) -> Iterator[None]:
        """The loss of a batch is computed in the block.

        Args:
            batch: its number among those of this process; the first pass goes in order.
            first_pass: only note its rows.
        """
        if first_pass:
            self.rows = [*self.rows[:batch], []]
        self.batch, self.call, self.first_pass = batch, 0, first_pass
        token = _current.set(self)
        try:
            yield
        finally:
            _current.reset(token)

    def joined(self, own: Tensor) -> Tensor:
        """The rows (N, C) of the step, of which `own`, (n, C), have gradients."""
        call, self.call = self.call, self.call + 1
        if self.first_pass:
            self.rows[self.batch].append(gathered(own.detach(), self.processes))
            return own
        if self.rows:
            known = [calls[call] for calls in self.rows]
            place = self.batch
        else:
            known, place = [gathered(own.detach(), self.processes)], 0
        known[place] = list(known[place])
        # DDP and the loop average gradients over as many batches; the whole loss has their sum
        count = len(known) * self.processes
        known[place][_rank()] = own.detach() + count * (own - own.detach())
        return torch.cat([rows for batch in known for rows in batch])


_current: ContextVar[Step | None] = ContextVar("whole_step", default=None)


@torch.compiler.disable  # type: ignore[untyped-decorator]
def whole_step(*columns: Any) -> tuple[Any, ...]:
    """Columns of a batch to those of the whole step: of all its batches, in one order everywhere.

    The batches may differ in size. Outside of a fit, or where the step has one batch, the columns
    are returned as they are.

    Args:
        columns: each (n,); None stays None.

    Returns:
        Columns (N,). Gradients reach the rows of this batch alone, scaled so that the mean over the
        step's batches is the gradient of a loss on all rows.
    """
    step = _current.get()
    if step is None or step.processes * step.batches == 1:
        return columns
    there = [column for column in columns if column is not None]
    joined = step.joined(torch.stack([column.float() for column in there], 1))
    found = iter(joined.unbind(1))
    return tuple(None if one is None else next(found).to(one.dtype) for one in columns)


def gathered(rows: Tensor, processes: int) -> list[Tensor]:
    """Rows (n, C) of every process, in order; n may differ."""
    if processes == 1:
        return [rows]
    counts = [torch.zeros(1, dtype=torch.long, device=rows.device) for _ in range(processes)]
    dist.all_gather(counts, torch.tensor([len(rows)], device=rows.device))
    lengths = [int(count) for count in counts]
    padded = rows.new_zeros(max(lengths), rows.shape[1])
    padded[: len(rows)] = rows
    parts = [torch.empty_like(padded) for _ in range(processes)]
    dist.all_gather(parts, padded)
    return [part[:length] for part, length in zip(parts, lengths, strict=True)]


@contextmanager
def unchanged_buffers(module: nn.Module) -> Iterator[None]:
    """Batch norms and other buffers are put back after the block."""
    buffers = list(module.buffers())
    before = [buffer.clone() for buffer in buffers]
    try:
        yield
    finally:
        with torch.no_grad():
            for buffer, value in zip(buffers, before, strict=True):
                buffer.copy_(value)


def _rank() -> int:
    return dist.get_rank() if dist.is_initialized() else 0


def sees_whole_step(objective: nn.Module) -> bool:
    """Whether an objective's losses need the rows of the whole step."""
    return bool(getattr(objective, "sees_whole_step", False))
