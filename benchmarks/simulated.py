"""What a step of training needs on a GPU, from tensors without data: bytes, operations, traffic.

A step is carried out once on torch's fake tensors, which have shapes and types but no data, in the
types that CUDA's autocast uses. So no GPU is needed, and a step of 100 GB takes a few seconds.
"""

from __future__ import annotations

import gc
import math
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.func import functional_call
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from facegauge.training.learner import TYPES, Task

COPIES = 3  # of the weights, beside them and their gradients: AdamW's two, and the averaged ones
IN_FLOAT32 = {torch.softmax, torch.layer_norm, F.softmax, F.layer_norm, Tensor.softmax}


@dataclass(frozen=True)
class Cost:
    """Of one step.

    Attributes:
        peak: the most bytes that are held at once.
        operations: floating-point operations; a multiplication and an addition are two.
        traffic: bytes that all kernels read and write, if none are fused.
    """

    peak: float
    operations: float
    traffic: float


class Memory(TorchDispatchMode):
    """Counts the bytes of all tensors that are alive, and those that pass through kernels."""

    def __init__(self) -> None:
        super().__init__()
        self.held = self.peak = self.traffic = 0
        self.known: set[int] = set()

    def note(self, tensor: Tensor) -> None:
        """Count a tensor's memory until it is freed."""
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key in self.known:
            return
        self.known.add(key)
        size = storage.nbytes()
        self.held += size
        self.peak = max(self.peak, self.held)
        weakref.finalize(storage, self._free, key, size)

    def _free(self, key: int, size: int) -> None:
        self.known.discard(key)
        self.held -= size

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        found = function(*args, **(kwargs or {}))
        before = len(self.known)
        outputs = [one for one in tree_leaves(found) if isinstance(one, Tensor)]
        for one in outputs:
            self.note(one)
        if len(self.known) > before:  # a kernel, not another view of a tensor
            inputs = [one for one in tree_leaves((args, kwargs)) if isinstance(one, Tensor)]
            self.traffic += sum(one.nbytes for one in (*inputs, *outputs))
        return found


class CudaTypes(TorchFunctionMode):
    """Autocast of a CPU, with the functions in float32 that CUDA's autocast has there."""

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if function in IN_FLOAT32 and args[0].dtype in (torch.bfloat16, torch.float16):
            args = (args[0].float(), *args[1:])
        return function(*args, **kwargs)


def cost_of_a_step(
    network: nn.Module, objective: nn.Module, batch: dict[str, Tensor], precision: str
) -> Cost:
    """Carry out a step without data; what lies in cycles of references is held to its end.

    Args:
        batch: of any values; only shapes and types count.
        precision: of the fit.
    """
    task = Task(network, objective).train()
    gc.collect()
    gc.disable()  # it would free such cycles at some point or other
    try:
        return _cost(task, batch, precision)
    finally:
        gc.enable()


def _cost(task: nn.Module, batch: dict[str, Tensor], precision: str) -> Cost:
    with FakeTensorMode(allow_non_fake_inputs=True) as fake, Memory() as memory:
        state = {
            name: fake.from_tensor(value)
            for name, value in (*task.named_parameters(), *task.named_buffers())
        }
        weights = [value for value in state.values() if value.requires_grad]
        copies = [torch.empty_like(weight) for weight in weights for _ in range(COPIES)]
        inputs = {name: fake.from_tensor(value) for name, value in batch.items()}
        for tensor in (*state.values(), *inputs.values()):
            memory.note(tensor)
        before = memory.traffic
        low = torch.autocast("cpu", TYPES[precision], enabled=precision != "fp32")
        mapping = {torch.ops.aten.convolution_backward: operations_of_a_backward_convolution}
        with FlopCounterMode(display=False, custom_mapping=mapping) as counter:
            with CudaTypes(), low:
                losses = functional_call(task, state, (inputs,))
            torch.stack(list(losses.values())).sum().backward()
        del copies
        return Cost(memory.peak, counter.get_total_flops(), memory.traffic - before)


def operations_of_a_backward_convolution(
    gradient: Sequence[int], x: Sequence[int], weight: Sequence[int], *more: Any, **named: Any
) -> int:
    """Those of the convolution, for each gradient that is asked for; torch's own count is wrong
    where there are groups.

    Args:
        gradient, x, weight: shapes, of an ordinary convolution.
        more: its other arguments; the last one says for which of input and weight.
    """
    asked = sum(more[-1][:2])
    return 2 * asked * gradient[0] * math.prod(gradient[2:]) * math.prod(weight)
