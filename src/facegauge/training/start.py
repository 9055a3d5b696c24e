"""A trained network to start from."""

from __future__ import annotations

from facegauge.errors import UsageError
from facegauge.nn.checkpoints import find_run
from facegauge.nn.regressor import Regressor


def load_pretrained(
    name_or_folder: str, backbone: str | None = None, member: str = ""
) -> Regressor:
    """A network that was trained before; of an ensemble, its member with that backbone.

    Args:
        name_or_folder: a shipped scorer's name, a scorer folder with weights or a run folder.
        backbone: None takes any.
        member: which of several members with that backbone; otherwise the first.

    Raises:
        UsageError: there is none with that backbone.
    """
    run = find_run(name_or_folder)
    networks = [*run.members.values()] or [run.network]
    if member in run.members:
        networks.insert(0, run.members[member])
    there = [network for network in networks if isinstance(network, Regressor)]
    for network in there:
        if backbone in (None, network.backbone):
            return network
    held = " and ".join(network.backbone for network in there) or f"a {run.system} network"
    raise UsageError(
        f"cannot start from {name_or_folder}: it holds {held}, not {backbone or 'a regressor'}"
    )
