"""Weights that papers published: read from their files, with their names turned into ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from facegauge.errors import UsageError

WRAPPERS = ("state_dict", "model_state_dict", "model")  # keys under which trainers keep weights
PARALLEL = "module."  # before every name, where several GPUs trained


def read_weights(file: str | Path) -> dict[str, Tensor]:
    """The tensors of a file that `torch.save` wrote, by name; no code in it is run.

    Args:
        file: a state dict, or a dict that holds one.

    Raises:
        UsageError: it cannot be read, or holds something else.
    """
    try:
        found: Any = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:
        reason = " ".join(str(error).split())
        raise UsageError(f"cannot read weights from {file}: {reason:.200}") from error
    for key in WRAPPERS:
        if isinstance(found, Mapping) and isinstance(found.get(key), Mapping):
            found = found[key]
    if not isinstance(found, Mapping) or not found or not all(map(torch.is_tensor, found.values())):
        raise UsageError(f"{file} holds no weights; expected tensors by name")
    return {str(name).removeprefix(PARALLEL): value for name, value in found.items()}


def renamed(
    state: Mapping[str, Tensor], names: Sequence[tuple[str, str]], dropped: Sequence[str] = ()
) -> dict[str, Tensor]:
    """Tensors under our names.

    Args:
        state: under the names of the paper's code.
        names: beginnings of theirs and what is in their place in ours; the first that fits counts.
        dropped: ends of names that no score depends on.

    Raises:
        UsageError: a name that fits none.
    """
    out = {}
    for name, value in state.items():
        if name.endswith(tuple(dropped)):
            continue
        for theirs, ours in names:
            if name.startswith(theirs):
                out[ours + name.removeprefix(theirs)] = value
                break
        else:
            raise UsageError(f"there is a tensor {name!r}, which the paper's network does not have")
    return out


def fill(network: nn.Module, state: Mapping[str, Tensor], what: str) -> None:
    """Load weights into a network of ours, which must be complete.

    Args:
        state: under our names.
        what: the network, for messages.

    Raises:
        UsageError: a tensor is missing, of another shape, or one too many.
    """
    own = network.state_dict()
    missing = [name for name in own if name not in state and not name.endswith("batches_tracked")]
    more = [name for name in state if name not in own]
    if missing or more:
        wrong = f"lack {missing[0]!r}" if missing else f"have {more[0]!r} beside it"
        raise UsageError(f"these weights are not those of {what}: they {wrong}")
    for name, value in state.items():
        if value.shape != own[name].shape:
            raise UsageError(
                f"these weights are not those of {what}: {name!r} is {tuple(value.shape)}, "
                f"expected {tuple(own[name].shape)}"
            )
    network.load_state_dict(dict(state), strict=False)
