"""Faces that are turned by a quarter or half in the picture: search, and pixels set upright.

CenterFace finds most turned faces, but places their points badly. A face that is unsure, or whose
box and points are not those of an upright one, is looked at again, in its region set upright in the
ways that are likely; the most confident look tells the turn. A picture without any face is looked
at in all ways. Then the whole picture is searched at that turn, so that it gives
what the upright picture would. Pixels are turned by whole quarters only, which changes none.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np

from facegauge.arrays import Pixels
from facegauge.faces.pose import MAX_TILT, WIDE, is_upright, pose
from facegauge.faces.search import Candidate, Detect, is_same
from facegauge.results import Box, Face, Point

SURE = (
    0.75  # confidence; 97 % of upright portraits have it, few faces that look upright and are not
)
LOOK_INPUT = 96  # long side of the input of a look at a face's region
LOOK_REACH = 1.0  # half the side of that region, in long sides of the face
LOOK_TILT = 45.0  # degrees; a face that looks upright is turned by at most this much

Size = tuple[int, int]
"""Width and height in pixels."""


def set_upright(pixels: Pixels, turns: int) -> Pixels:
    """The picture with faces upright that are turned clockwise by `turns` quarters; no copy."""
    return np.rot90(pixels, turns)


def turned_points(points: np.ndarray, turns: int, size: Size) -> np.ndarray:
    """Where points of a picture are once it is turned counterclockwise.

    Args:
        points: (..., 2) as x, y, in pixels.
        turns: quarters, any whole number.
        size: of the picture before.
    """
    width, height = size
    for _ in range(turns % 4):
        points = np.stack([points[..., 1], width - points[..., 0]], -1)
        width, height = height, width
    return points


def turned_box(box: Box, turns: int, size: Size) -> Box:
    """A box as in `turned_points`."""
    if not turns % 4:
        return box
    corners = np.array([(box.left, box.top), (box.right, box.bottom)])
    corners = turned_points(corners, turns, size)
    return Box(*corners.min(0).tolist(), *corners.max(0).tolist())


def turned_marks(points: tuple[Point, ...], turns: int, size: Size) -> tuple[Point, ...]:
    """The points of a face as in `turned_points`."""
    if not (points and turns % 4):
        return points
    return tuple((x, y) for x, y in turned_points(np.array(points), turns, size).tolist())


def turned_face(face: Face, turns: int, size: Size) -> Face:
    """A face as in `turned_points`."""
    if not turns % 4:
        return face
    return replace(
        face,
        box=turned_box(face.box, turns, size),
        points=turned_marks(face.points, turns, size),
    )


def with_turned(
    pixels: Pixels,
    found: Iterable[Candidate],
    search: Callable[[Pixels], list[Candidate]],
    detect: Detect,
    *,
    first: int,
    threshold: float,
) -> list[Candidate]:
    """The faces of a picture, those that are turned with points to turn them upright by.

    Args:
        pixels: (H, W, 3) uint8, RGB.
        found: what a search of the picture has found, candidates below the threshold among it.
        search: searches a picture.
        detect: runs the network on a picture or a region of it.
        first: long side of the first pass of a search, in input pixels.
        threshold: minimum confidence of a face.

    Returns:
        The faces, of which the upright ones are as they were found.
    """
    likely = [(one, _likely_turns(one, threshold)) for one in found]
    upright = [one for one, turns in likely if not turns]
    looks = [_look(pixels, one, turns, detect, threshold) for one, turns in likely if turns]
    turns = {turn for turn, _ in looks if turn}
    faces = [one for _, one in looks if one.confidence >= threshold]
    if not (upright or faces):
        turns = _most_confident_turn(pixels, detect, first, threshold)
    turned = [
        _moved_back(one, turn, pixels)
        for turn in sorted(turns)
        for one in search(set_upright(pixels, turn))
        if one.confidence >= threshold and _is_upright(one)
    ]
    new = [one for one in turned if not _in(one, upright)]
    return upright + new + [one for one in faces if not _in(one, upright + new)]


def _is_upright(one: Candidate) -> bool:
    width, height = (one.box[2:] - one.box[:2]).tolist()
    return is_upright(width, height, one.points)


def _likely_turns(one: Candidate, threshold: float) -> tuple[int, ...]:
    """The turns in quarters at which a face may be upright; none where it surely is."""
    if one.confidence >= SURE and _is_upright(one):
        return ()
    width, height = (one.box[2:] - one.box[:2]).tolist()
    sideways = width > WIDE * height or MAX_TILT < abs(pose(one.points).angle) < 180 - MAX_TILT
    turns = (0, 1, 2, 3) if sideways else (0, 2)
    return (
        turns if one.confidence >= threshold else turns[1:]
    )  # the search has looked at it as it is


def _in(one: Candidate, others: Iterable[Candidate]) -> bool:
    return any(is_same(one.box, other.box) for other in others)


def _look(
    pixels: Pixels, one: Candidate, turns: Iterable[int], detect: Detect, threshold: float
) -> tuple[int, Candidate]:
    """Which of some turns a face has, and the face as the look at that turn sees it.

    The face is as it was where no look sees an upright one, and where it is upright as it is.
    """
    height, width = pixels.shape[:2]
    x, y = ((one.box[:2] + one.box[2:]) / 2).tolist()
    reach = LOOK_REACH * one.side
    left, top = int(max(0, x - reach)), int(max(0, y - reach))
    region = pixels[
        top : math.ceil(min(height, y + reach)), left : math.ceil(min(width, x + reach))
    ]
    seen = []
    for turn in turns:
        for look in detect(set_upright(region, turn), LOOK_INPUT, threshold):
            back = _moved_back(look, turn, region).moved(left, top)
            found = pose(look.points)
            if is_same(back.box, one.box) and found.fits and abs(found.angle) <= LOOK_TILT:
                seen.append((look.confidence, -turn, back))
    if not seen:
        return 0, one
    _, opposite, best = max(seen, key=lambda look: look[:2])  # of equal ones the smaller turn
    if opposite:
        return -opposite, best
    return 0, replace(one, points=best.points) if pose(one.points).quarter_turns else one


def _most_confident_turn(pixels: Pixels, detect: Detect, first: int, threshold: float) -> set[int]:
    """The turn, 1 to 3, at which the first pass sees the surest upright face, if at any."""
    surest = {}
    for turn in (1, 2, 3):
        found = filter(_is_upright, detect(set_upright(pixels, turn), first, threshold))
        surest[turn] = max((one.confidence for one in found), default=0.0)
    best = max(surest, key=lambda turn: surest[turn])
    return {best} if surest[best] else set()


def _moved_back(one: Candidate, turn: int, pixels: Pixels) -> Candidate:
    """A candidate that was seen in `set_upright(pixels, turn)`, in the pixels as they are."""
    if not turn:
        return one
    height, width = pixels.shape[:2]
    size = (height, width) if turn % 2 else (width, height)
    corners = turned_points(one.box.reshape(2, 2), -turn, size)
    box = np.concatenate([corners.min(0), corners.max(0)])
    return replace(one, box=box, points=turned_points(one.points, -turn, size))
