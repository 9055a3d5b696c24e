"""Builds networks from their descriptions in run folders."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from torch import nn

from facegauge.errors import UsageError

# A network's kind and its "module:class". The class is imported when a network of its kind is
# built, so that a method's network can be in the method's own folder. These names are the only
# references from nn/ to training/; imports never go in that direction.
KINDS = {
    "regressor": "facegauge.nn.regressor:Regressor",
    "sized_regressor": "facegauge.nn.sized:SizedRegressor",
    "ensemble": "facegauge.nn.ensemble:Ensemble",
    "curved": "facegauge.nn.curved:Curved",
    "degradation_encoder": "facegauge.training.methods.dsl_fiqa.encoder:DegradationEncoder",
    "dsl_fiqa": "facegauge.training.methods.dsl_fiqa.network:DslFiqa",
}


def build(config: Mapping[str, Any]) -> nn.Module:
    """Build a network with random weights.

    Args:
        config: the network's `config` attribute, or the key `network` of a run.json: `kind`, a key
            of `KINDS`, and the arguments of that class's `from_config`.

    Raises:
        UsageError: the kind is unknown, or an argument is not valid.
    """
    kind = config["kind"]
    if kind not in KINDS:
        raise UsageError(f"unknown network kind {kind!r}; expected one of {', '.join(KINDS)}")
    module, name = KINDS[kind].split(":")
    cls = getattr(import_module(module), name)
    network: nn.Module = cls.from_config({key: config[key] for key in config if key != "kind"})
    return network
