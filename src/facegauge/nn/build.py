"""Networks from the plain data that a run folder keeps of them."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from torch import nn

from facegauge.errors import UsageError

# A network's kind -> "module:class". A class is imported when a network of its kind is built, so
# that a method's network can lie in the method's own folder. These are the only names in nn/ that
# point down the list of rooms, to training/; imports never do.
KINDS = {
    "regressor": "facegauge.nn.regressor:Regressor",
    "ensemble": "facegauge.nn.ensemble:Ensemble",
    "degradation_encoder": "facegauge.training.methods.dsl_fiqa.encoder:DegradationEncoder",
    "dsl_fiqa": "facegauge.training.methods.dsl_fiqa.network:DslFiqa",
}


def build(config: Mapping[str, Any]) -> nn.Module:
    """A network from its description, with random weights.

    Args:
        config: `kind`, a key of `KINDS`, and what the `from_config` of that class takes; the
            network's own `config` attribute, or the `network` table of a run.json.

    Raises:
        UsageError: the kind is unknown, or the class refuses the rest.
    """
    kind = config["kind"]
    if kind not in KINDS:
        raise UsageError(f"unknown network kind {kind!r}; expected {' or '.join(KINDS)}")
    module, name = KINDS[kind].split(":")
    cls = getattr(import_module(module), name)
    network: nn.Module = cls.from_config({key: config[key] for key in config if key != "kind"})
    return network
