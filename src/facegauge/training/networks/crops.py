"""Large faces crop by crop: where the crops lie, and the mean score over them.

DSL-FIQA (arXiv 2406.09622) crops and does not shrink, as shrinking changes the quality that is
seen. Its code averages over 20 crops whose positions change from run to run. Here positions depend
on the picture's size alone, so that the same picture always has the same score.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from facegauge.errors import UsageError

Corner = tuple[int, int]
"""(left, top) of a crop, in pixels."""


def even_corners(picture: Sequence[int], crop: Sequence[int]) -> list[Corner]:
    """The fewest evenly spaced crops that cover the picture: four of 384 in 512 x 512 (our choice).

    Args:
        picture, crop: (height, width).

    Returns:
        Corners, row by row; one where the picture has the size of the crop.

    Raises:
        UsageError: the picture is smaller than the crop.
    """
    down, across = _room(picture, crop)
    tops = _spread(down, -(-picture[0] // crop[0]))
    lefts = _spread(across, -(-picture[1] // crop[1]))
    return [(left, top) for top in tops for left in lefts]


def scattered_corners(
    picture: Sequence[int], crop: Sequence[int], count: int = 20, seed: int = 20
) -> list[Corner]:
    """Crops at random positions, as in the paper, but the same ones for every call.

    Args:
        picture, crop: (height, width).
        count, seed: 20 and 20 in the reference.

    Raises:
        UsageError: the picture is smaller than the crop.
    """
    down, across = _room(picture, crop)
    rng = np.random.default_rng(seed)
    places = rng.integers(0, [across, down], (count, 2), endpoint=True)
    return [(int(left), int(top)) for left, top in places]


def cut(picture: Tensor, corners: Sequence[Corner], crop: Sequence[int]) -> Tensor:
    """(3, H, W) to the crops (K, 3, *crop)."""
    height, width = crop
    return torch.stack(
        [picture[:, top : top + height, left : left + width] for left, top in corners]
    )


@torch.no_grad()
def mean_score(
    network: nn.Module,
    picture: Tensor,
    corners: Sequence[Corner],
    crop: Sequence[int],
    *,
    landmarks: Tensor | None = None,
    batch: int = 4,
) -> float:
    """The mean of a network's scores over the crops of one picture.

    Args:
        network: (N, 3, *crop) to scores (N,); or, where there are landmarks, (crops, landmarks).
        picture: (3, H, W), normalised.
        landmarks: (K, L), those of each crop.
        batch: crops the network sees at a time.
    """
    scores = []
    for start in range(0, len(corners), batch):
        crops = cut(picture, corners[start : start + batch], crop)
        if landmarks is None:
            scores.append(network(crops))
        else:
            scores.append(network(crops, landmarks[start : start + batch]))
    return float(torch.cat(scores).double().mean())


def _room(picture: Sequence[int], crop: Sequence[int]) -> tuple[int, int]:
    """How far a crop may move down and across."""
    down, across = picture[0] - crop[0], picture[1] - crop[1]
    if min(down, across) < 0:
        raise UsageError(
            f"a picture of {picture[1]} x {picture[0]} pixels has no crop of "
            f"{crop[1]} x {crop[0]}; sample its face at the crop's size"
        )
    return down, across


def _spread(room: int, count: int) -> list[int]:
    """`count` positions from 0 to `room`, evenly."""
    return [round(room * place / max(count - 1, 1)) for place in range(count)]
