"""The networks, and the plain data that each is built from."""

from __future__ import annotations

from typing import Any

from torch import nn

from facegauge.errors import UsageError


def build(config: dict[str, Any]) -> nn.Module:
    """A network from its description, as a run folder keeps it. Weights are random.

    Raises:
        UsageError: the kind is unknown.
    """
    from facegauge.nn.ensemble import Ensemble
    from facegauge.nn.regressor import Regressor
    from facegauge.training.methods.dsl_fiqa.encoder import DegradationEncoder
    from facegauge.training.methods.dsl_fiqa.network import Core, CoreSettings, DslFiqa

    options = {key: value for key, value in config.items() if key != "kind"}
    if config["kind"] == "regressor":
        return Regressor(**options)
    if config["kind"] == "ensemble":
        members = {name: build(member) for name, member in options["members"].items()}
        return Ensemble(members, flip=options.get("flip", False))
    if config["kind"] == "degradation_encoder":
        return DegradationEncoder(**options)
    if config["kind"] == "dsl_fiqa":
        encoder = options["encoder"] and build(options["encoder"])
        assert encoder is None or isinstance(encoder, DegradationEncoder)
        return DslFiqa(encoder, Core(CoreSettings(**options["core"])))
    raise UsageError(
        f"unknown network kind {config['kind']!r}; expected regressor, ensemble, "
        "degradation_encoder or dsl_fiqa"
    )
