"""The quality of faces as a loss."""

from __future__ import annotations

import os

from torch import Tensor, nn

from facegauge import zoo
from facegauge.faces.detection import MIN_FACE, Detector
from facegauge.metric.faces import Boxes
from facegauge.metric.frozen import FrozenNetwork
from facegauge.metric.model import QualityModel, check_reduction


class FaceQualityLoss(nn.Module):
    """1 - score: 0 for the best faces, 1 for the worst.

    It has no parameters: its network judges and is not trained. Beside a loss that compares with a
    reference, and with a small weight, it is a hint; alone, it is easily deceived.

    Args:
        scorer: a shipped scorer's name, a scorer folder or a run folder.
        faces: "largest": the largest face is searched, outside the graph, and cut out unless the
            picture is framed already; "whole": every picture is a framed face.
        reduction: "mean": of the pictures with a face; "none": one loss a picture.
        detector: finds the faces in (H, W, 3) uint8 RGB pixels; CenterFace by default.
        min_face: faces whose box's shorter side has fewer pixels are left out.
        rounding: round pixels to 8 bits as in a saved picture; the gradient passes straight
            through.

    Raises:
        UsageError, ScorerError: an argument that cannot be, or a damaged scorer.
    """

    def __init__(
        self,
        scorer: str | os.PathLike[str] = zoo.DEFAULT,
        *,
        faces: str = "largest",
        reduction: str = "mean",
        detector: Detector | None = None,
        min_face: float = MIN_FACE,
        rounding: bool = True,
    ) -> None:
        super().__init__()
        self.reduction = check_reduction(reduction)
        self.model = QualityModel(
            FrozenNetwork.open(scorer),
            faces=faces,
            detector=detector,
            min_face=min_face,
            rounding=rounding,
        )

    def forward(self, images: Tensor, boxes: Boxes | None = None) -> Tensor:
        """Map pictures to their loss.

        Args:
            images: (N, 3, H, W) floats in 0..1, RGB, on the loss's device; values outside are
                clipped.
            boxes: of the faces in place of a search: (N, 4) left, top, right, bottom in pixels,
                nan for none, or what `find_faces` returns.

        Returns:
            (), or (N,) without a reduction. A picture without a face does not count: its loss and
            its gradient are 0.

        Raises:
            UsageError: images or boxes of another shape, type, range or device.
        """
        scores: Tensor = self.model(images, boxes)
        missing = scores.isnan()
        losses = (1 - scores).masked_fill(missing, 0) + 0 * images[:, 0, 0, 0]
        if self.reduction == "none":
            return losses
        return losses.sum() / (~missing).sum().clamp(min=1)
