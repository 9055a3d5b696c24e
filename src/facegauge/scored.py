"""Prepared pictures, and what a network says of their faces, as results."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from facegauge.arrays import FloatArray
from facegauge.calibration import Calibration
from facegauge.errors import NOT_A_NUMBER, PictureError, UsageError
from facegauge.faces.located import Prepared
from facegauge.faces.sampling import Crop
from facegauge.results import NO_FACTORS, Box, Face, FaceScore, HeatMap, ImageScore, Status

if TYPE_CHECKING:
    from facegauge.schema import Value


def result_of(picture: Prepared, scores: Sequence[float], calibration: Calibration) -> ImageScore:
    """The result of a picture.

    Args:
        picture: prepared.
        scores: of its faces, as the network gives them; one that is no finite number makes the
            status `error`.
        calibration: of the scorer.
    """
    size = picture.width, picture.height
    if not np.isfinite(scores).all():
        return ImageScore(picture.name, Status.ERROR, (), NOT_A_NUMBER, *size)
    factors = picture.factors or (NO_FACTORS,) * len(scores)
    notes = picture.notes or ((),) * len(scores)
    frames = picture.frames or (None,) * len(scores)
    whole = [frame == Box(0, 0, *size) for frame in frames]
    faces = tuple(
        _described(*one, calibration=calibration)
        for one in zip(scores, picture.faces, factors, whole, notes, strict=True)
    )
    return ImageScore(picture.name, picture.status, faces, picture.message, *size)


def heat_map_of(
    picture: Prepared, face: int, maps_of: Callable[[Crop], dict[str, FloatArray]]
) -> HeatMap:
    """Where the score of one face of a picture comes from.

    Args:
        picture: prepared.
        face: which of its faces.
        maps_of: the maps (h, w) of a crop by name, `heat_map` among them.

    Raises:
        UsageError: the picture has no such face.
        PictureError: it could not be scored; its status says why.
    """
    if picture.status is not Status.OK:
        raise PictureError(picture.message, picture.status.value)
    if not 0 <= face < len(picture.crops):
        raise UsageError(
            f"expected face to be a number from 0 to {len(picture.crops) - 1}, got {face}"
        )
    turn = -picture.turns[face]  # back to how the face is in the picture
    maps = {
        name: np.rot90(values, turn) for name, values in maps_of(picture.crops[face][0]).items()
    }
    return HeatMap(
        maps["heat_map"],
        picture.shown(face),
        picture.faces[face],
        maps.get("quality"),
        maps.get("confidence"),
    )


def _described(
    score: float,
    face: Face | None,
    factors: Mapping[str, Value],
    whole: bool,
    notes: tuple[str, ...],
    *,
    calibration: Calibration,
) -> FaceScore:
    """A face with its score in 0..1, the interval, the percentile and the band."""
    score = min(max(score, 0.0), 1.0)
    low, high, percentile, band = calibration.describe(score, whole=whole)
    return FaceScore(score, low, high, percentile, band, face, factors, notes)
