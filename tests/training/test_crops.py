"""Crops: where they lie, and that the same picture has the same score."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from facegauge.errors import UsageError
from facegauge.training.networks.crops import cut, even_corners, mean_score, scattered_corners


def test_four_crops_cover_a_picture_of_the_paper() -> None:
    corners = even_corners((512, 512), (384, 384))
    assert corners == [(0, 0), (128, 0), (0, 128), (128, 128)]
    assert even_corners((384, 384), (384, 384)) == [(0, 0)]
    assert even_corners((384, 400), (384, 384)) == [(0, 0), (16, 0)]


@pytest.mark.parametrize("picture", [(50, 41), (31, 20), (100, 79)])
def test_even_crops_leave_no_pixel_out_and_are_few(picture: tuple[int, int]) -> None:
    crop = (30, 20)
    seen = np.zeros(picture, int)
    corners = even_corners(picture, crop)
    for left, top in corners:
        part = seen[top : top + 30, left : left + 20]
        assert part.shape == crop
        part += 1
    assert seen.min() > 0
    assert len(corners) == np.ceil(picture[0] / 30) * np.ceil(picture[1] / 20)


def test_scattered_crops_stay_inside_and_stay_the_same() -> None:
    corners = scattered_corners((33, 27), (30, 20), count=400)
    assert set(corners) == {(left, top) for left in range(8) for top in range(4)}
    assert scattered_corners((33, 27), (30, 20), count=400) == corners
    assert scattered_corners((33, 27), (30, 20), count=400, seed=1) != corners
    assert scattered_corners((30, 20), (30, 20)) == [(0, 0)] * 20


@pytest.mark.parametrize("corners", [even_corners, scattered_corners])
def test_a_small_picture_has_no_crops(corners: object) -> None:
    with pytest.raises(UsageError, match="20 x 29 pixels has no crop of 20 x 30"):
        corners((29, 20), (30, 20))  # type: ignore[operator]


class Brightness(torch.nn.Module):
    def forward(self, x: torch.Tensor, landmarks: torch.Tensor | None = None) -> torch.Tensor:
        bright = x.mean((1, 2, 3))
        return bright if landmarks is None else bright + landmarks[:, 0]


@pytest.mark.parametrize("batch", [1, 3, 100])
def test_the_score_is_the_mean_over_crops(batch: int) -> None:
    picture = torch.rand(3, 40, 33)
    corners = scattered_corners((40, 33), (30, 20), count=7)
    expected = [picture[:, t : t + 30, l : l + 20].mean().item() for l, t in corners]  # noqa: E741
    got = mean_score(Brightness(), picture, corners, (30, 20), batch=batch)
    assert got == pytest.approx(np.mean(expected), abs=1e-6)
    assert cut(picture, corners, (30, 20)).shape == (7, 3, 30, 20)
    marks = torch.arange(7.0).view(7, 1)
    guided = mean_score(Brightness(), picture, corners, (30, 20), landmarks=marks, batch=batch)
    assert guided == pytest.approx(np.mean(expected) + 3, abs=1e-6)
