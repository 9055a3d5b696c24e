"""A trained network that only judges: nothing around it can train, change or store it."""

from __future__ import annotations

import os
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn

from facegauge import zoo
from facegauge.calibration import ScoreMap
from facegauge.faces.spec import PreprocessSpec
from facegauge.nn.checkpoints import find_run
from facegauge.nn.predictor import uses_landmarks, uses_size
from facegauge.predictors import is_run


class FrozenNetwork(nn.Module):
    """The network of a scorer as part of other modules, without parameters to them.

    It is always in evaluation mode. Its weights need no gradient and are in no `parameters()`,
    `state_dict()` or `apply()` of the modules around: it is loaded from the scorer, not from their
    checkpoints. It moves between devices with them. It computes in float32, or in float64 after
    `double()`; never in less, also under autocast, where scores would be off.

    Args:
        network: (N, 3, H, W) normalised -> (N,) scores; is frozen. If its attribute
            `uses_landmarks` is true, it also takes landmarks (N, 10), if `uses_size` is, sizes
            (N, 1).
        spec: how a face becomes its input.
        score_map: from its scores to those of the scorer, see `mapped`; None: they are the same.
    """

    def __init__(
        self, network: nn.Module, spec: PreprocessSpec, score_map: ScoreMap | None = None
    ) -> None:
        super().__init__()
        self.spec, self.score_map = spec, score_map
        self._scorer = ""  # what it was opened from
        self._held = (network.eval().requires_grad_(False),)  # a tuple registers no module
        self.uses_landmarks, self.uses_size = uses_landmarks(network), uses_size(network)

    @classmethod
    def open(cls, scorer: str | os.PathLike[str]) -> FrozenNetwork:
        """The network of a shipped scorer (by name), of a scorer folder or of a run folder.

        Raises:
            UsageError, ScorerError: there is no such scorer, or it is damaged.
        """
        run = find_run(os.fspath(scorer))
        card = None if is_run(scorer) else zoo.load_card(zoo.open_folder(scorer))
        opened = cls(run.network, run.spec, card.map if card else None)
        name = os.fspath(scorer)
        opened._scorer = name if name in zoo.names() else os.path.abspath(name)  # noqa: PTH100
        return opened

    @property
    def like(self) -> Tensor:
        """An empty tensor of the network's device and type."""
        return next(self._held[0].parameters()).new_empty(0)

    def forward(self, x: Tensor, guide: Tensor | None) -> Tensor:
        """Map normalised crops to scores (N,), not clipped.

        Args:
            x: (N, 3, H, W).
            guide: landmarks (N, 10) or sizes (N, 1), for a network that uses them.
        """
        told = () if guide is None else (guide,)
        with torch.autocast(x.device.type, enabled=False):
            score: Tensor = self._held[0](x.contiguous(memory_format=torch.channels_last), *told)
        return score

    def mapped(self, scores: Tensor) -> Tensor:
        """Scores (N,) in 0..1 of faces as the scorer's; nan stays. Linear between its knots."""
        if self.score_map is None:
            return scores
        x, y = (
            torch.tensor(side, dtype=scores.dtype, device=scores.device)
            for side in (self.score_map.knots, self.score_map.values)
        )
        right = torch.searchsorted(x, scores.detach().contiguous()).clamp(1, len(x) - 1)
        slope = (y[right] - y[right - 1]) / (x[right] - x[right - 1])
        return y[right - 1] + (scores - x[right - 1]) * slope

    def __getstate__(self) -> dict[str, Any]:
        """To pickle; one that was opened from a scorer is opened again, where it is unpickled.

        Traced networks, as those of torchvision's feature extraction, cannot all be pickled.
        """
        state = dict(self.__dict__)
        return {**state, "_held": (self.like.device, self.like.dtype)} if self._scorer else state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        if self._scorer:
            network = find_run(self._scorer).network.eval().requires_grad_(False)
            self._held = (network.to(*state["_held"]),)

    def __deepcopy__(self, memo: dict[int, Any]) -> FrozenNetwork:
        other = FrozenNetwork(deepcopy(self._held[0], memo), self.spec, self.score_map)
        other._scorer = self._scorer
        memo[id(self)] = other
        return other

    def _apply(self, fn: Any, recurse: bool = True) -> FrozenNetwork:
        """What torch calls to move or convert a module."""
        wanted = fn(self.like)
        double = wanted.dtype is torch.float64
        self._held[0].to(wanted.device, torch.float64 if double else torch.float32)
        return self
