"""Pictures to the scores of their faces, with gradients."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from facegauge.arrays import FloatArray
from facegauge.errors import UsageError
from facegauge.faces.detection import MIN_FACE, Detector
from facegauge.faces.framing import crop_frames
from facegauge.faces.guide import guide_vector, landmarks_of, sizes_of
from facegauge.metric.faces import Boxes, FaceFinder, Place, check_images
from facegauge.metric.frozen import FrozenNetwork
from facegauge.metric.sampling import eight_bits, normalise, sample, straight_through
from facegauge.results import Box

REDUCTIONS = ("mean", "none")


class QualityModel(nn.Module):
    """Scores the faces of batches of pictures, as a `Scorer` would score the saved pictures.

    Args:
        network: of a scorer.
        faces: "largest": the largest face is searched, outside the graph, and cut out unless the
            picture is framed already; "whole": every picture is a framed face.
        detector: finds the faces in (H, W, 3) uint8 RGB pixels; CenterFace by default.
        min_face: faces whose box's shorter side has fewer pixels are left out.
        rounding: round pixels to 8 bits as in a saved picture; the gradient passes straight
            through. False: scores change smoothly, as numeric checks of gradients need it.

    Raises:
        UsageError: a value that is not one of these.
    """

    def __init__(
        self,
        network: FrozenNetwork,
        *,
        faces: str = "largest",
        detector: Detector | None = None,
        min_face: float = MIN_FACE,
        rounding: bool = True,
    ) -> None:
        super().__init__()
        self.network, self.spec, self.rounding = network, network.spec, rounding
        self._finder = FaceFinder(
            network.spec,
            faces=faces,
            landmarks=network.uses_landmarks,
            detector=detector,
            min_face=min_face,
        )

    def forward(self, images: Tensor, boxes: Boxes | None = None) -> Tensor:
        """Map pictures to the scores of their faces.

        Args:
            images: (N, 3, H, W) floats in 0..1, on the device of the network; values outside are
                clipped, as when a picture is saved.
            boxes: of the faces in place of a search: (N, 4) left, top, right, bottom in pixels,
                nan for none, or what `find_faces` returns.

        Returns:
            (N,) scores in 0..1, nan without a face. The gradient of a clipped score is that of the
            score before.

        Raises:
            UsageError: images or boxes of another shape, type, range or device.
        """
        check_images(images)
        like = self.network.like
        if images.device != like.device:
            raise UsageError(
                f"the images are on {images.device}, the network on {like.device}; "
                f'move it with .to("{images.device}")'
            )
        places = self._finder.places(images, boxes)
        levels = eight_bits(images.to(like.dtype) * 255, self.rounding)
        owners, scores = self._crop_scores(levels, places)
        sums = levels.new_zeros(len(images)).index_add(0, owners, scores)
        counts = torch.bincount(owners, minlength=len(images)).to(sums)
        mean = sums / counts  # 0 / 0 is nan: no face
        return self.network.mapped(straight_through(mean, mean.clamp(0, 1)))

    def _crop_scores(self, levels: Tensor, places: list[Place | None]) -> tuple[Tensor, Tensor]:
        """The pictures (M,) that crops belong to, and their scores (M,)."""
        alike: dict[tuple[int, Box], dict[int, Place]] = {}  # pictures that are sampled together
        for number, place in enumerate(places):
            if place is not None:
                for crop in crop_frames(place.frame, self.spec):
                    alike.setdefault((place.turn, crop), {})[number] = place
        owners = [number for members in alike.values() for number in members]
        numbers = torch.tensor(owners, dtype=torch.long, device=levels.device)
        if not owners:
            return numbers, levels.new_zeros(0)
        crops = [
            sample(torch.rot90(levels[[*members]], turn, (2, 3)), crop, self.spec, self.rounding)
            for (turn, crop), members in alike.items()
        ]
        picture = Box(0, 0, levels.shape[3], levels.shape[2])
        vectors = [
            guide_vector(place.points, crop, self.spec, whole=place.frame == picture)
            for (_, crop), members in alike.items()
            for place in members.values()
        ]
        guide = self._guide(np.stack(vectors), levels)
        return numbers, self.network(normalise(torch.cat(crops), self.spec), guide)

    def _guide(self, vectors: FloatArray, like: Tensor) -> Tensor | None:
        """What the network is told of crops beside their pixels, of guides (M, 11)."""
        if self.network.uses_landmarks:
            return torch.from_numpy(landmarks_of(vectors)).to(like)
        return torch.from_numpy(sizes_of(vectors)).to(like) if self.network.uses_size else None


def check_reduction(reduction: str) -> str:
    """Refuse an unknown reduction.

    Raises:
        UsageError: neither "mean" nor "none".
    """
    if reduction not in REDUCTIONS:
        raise UsageError(f"expected reduction to be {' or '.join(REDUCTIONS)}, got {reduction!r}")
    return reduction
