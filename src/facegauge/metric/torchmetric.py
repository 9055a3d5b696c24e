"""The quality of faces as a metric of torchmetrics."""

from __future__ import annotations

import os
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat, rank_zero_warn

from facegauge import zoo
from facegauge.faces.detection import MIN_FACE, Detector
from facegauge.metric.faces import Boxes
from facegauge.metric.frozen import FrozenNetwork
from facegauge.metric.model import QualityModel, check_reduction


class FaceQuality(Metric):
    """Perceptual quality of the faces of pictures, 0 (worst) to 1 (best); needs no reference.

    Equal to the score that `Scorer(scorer, faces=faces)` gives the saved pictures, but for the
    rounding of float32. Its network has no part in `parameters()` and `state_dict()`, and is always
    in evaluation mode.

    Args:
        scorer: a shipped scorer's name, a scorer folder or a run folder.
        faces: "largest": the largest face is searched, outside the graph, and cut out unless the
            picture is framed already; "whole": every picture is a framed face.
        reduction: "mean": of the pictures with a face, summed across processes; "none": one score a
            picture, nan without a face.
        detector: finds the faces in (H, W, 3) uint8 RGB pixels; CenterFace by default.
        min_face: faces whose box's shorter side has fewer pixels are left out.
        rounding: round pixels to 8 bits as in a saved picture; the gradient passes straight
            through.
        kwargs: of `torchmetrics.Metric`.

    Attributes:
        sum_scores, total: sum and number of the scores, with the reduction "mean".
        missing: number of pictures without a face, with the reduction "mean".
        scores: of all pictures, with the reduction "none".

    Raises:
        UsageError, ScorerError: an argument that cannot be, or a damaged scorer.
    """

    is_differentiable = True
    higher_is_better = True
    full_state_update = False
    plot_lower_bound = 0.0
    plot_upper_bound = 1.0

    sum_scores: Tensor
    total: Tensor
    missing: Tensor
    scores: list[Tensor]

    def __init__(
        self,
        scorer: str | os.PathLike[str] = zoo.DEFAULT,
        *,
        faces: str = "largest",
        reduction: str = "mean",
        detector: Detector | None = None,
        min_face: float = MIN_FACE,
        rounding: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.reduction = check_reduction(reduction)
        self.model = QualityModel(
            FrozenNetwork.open(scorer),
            faces=faces,
            detector=detector,
            min_face=min_face,
            rounding=rounding,
        )
        if reduction == "none":
            self.add_state("scores", default=[], dist_reduce_fx="cat")
        else:
            self.add_state("sum_scores", torch.tensor(0.0), dist_reduce_fx="sum")
            self.add_state("total", torch.tensor(0), dist_reduce_fx="sum")
            self.add_state("missing", torch.tensor(0), dist_reduce_fx="sum")

    def update(self, images: Tensor, boxes: Boxes | None = None) -> None:
        """Score a batch of pictures.

        Args:
            images: (N, 3, H, W) floats in 0..1, RGB, on the metric's device; values outside are
                clipped.
            boxes: of the faces in place of a search: (N, 4) left, top, right, bottom in pixels,
                nan for none, or what `find_faces` returns.

        Raises:
            UsageError: images or boxes of another shape, type, range or device.
        """
        scores: Tensor = self.model(images, boxes)
        if self.reduction == "none":
            self.scores.append(scores)
            return
        missing = scores.isnan()
        self.sum_scores = self.sum_scores + scores[~missing].sum()
        self.total = self.total + (~missing).sum()
        self.missing = self.missing + missing.sum()

    def compute(self) -> Tensor:
        """The mean score (), nan without any face; or the scores (n,) of all pictures."""
        if self.reduction == "none":
            empty = torch.zeros(0, device=self.device)
            return dim_zero_cat(self.scores) if len(self.scores) else empty
        if self.missing:
            rank_zero_warn(
                f"no face was found in {int(self.missing)} of {int(self.total + self.missing)} "
                "pictures; they are not in the mean"
            )
        return self.sum_scores / self.total

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Score a batch, with a gradient, and add it to the state, without one."""
        value = super().forward(*args, **kwargs)
        if self.reduction == "none":
            self.scores = [one.detach() for one in self.scores]
        return value

    def plot(self, val: Any = None, ax: Any = None) -> Any:
        """Plot one or more values; see `torchmetrics.Metric.plot`. Needs matplotlib."""
        return self._plot(val, ax)
