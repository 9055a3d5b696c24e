"""Cuts faces out of pictures: as large as a scorer's frame, upright, in the picture's pixels."""

from __future__ import annotations

import math

from facegauge.arrays import Pixels
from facegauge.faces.framing import frame_around
from facegauge.faces.pose import pose
from facegauge.faces.spec import PreprocessSpec
from facegauge.faces.turning import set_upright, turned_face
from facegauge.results import Box, Face

MARGIN = 0.35  # of the longer side of a face box, around it, where no scorer frames it


def cut_out(pixels: Pixels, face: Face | None, spec: PreprocessSpec) -> Pixels:
    """The head-and-shoulders frame of a face, as far as it lies in the picture.

    Args:
        pixels: (H, W, 3) uint8 RGB, upright.
        face: in these pixels; None: the picture was taken whole.
        spec: of the scorer.

    Returns:
        (h, w, 3) uint8 RGB, a view; a face that is turned by quarters is upright in it.
    """
    if face is None:
        return pixels
    height, width = pixels.shape[:2]
    turns = pose(face.points).quarter_turns
    upright = set_upright(pixels, turns)
    return cut(upright, frame_around(turned_face(face, turns, (width, height)), spec))


def around(box: Box) -> Box:
    """A square around a face box, with a margin."""
    half = max(box.width, box.height) * (0.5 + MARGIN)
    x, y = (box.left + box.right) / 2, (box.top + box.bottom) / 2
    return Box(x - half, y - half, x + half, y + half)


def cut(pixels: Pixels, box: Box) -> Pixels:
    """What a picture has of a box, at least one pixel of it; a view."""
    height, width = pixels.shape[:2]
    left, top = (
        min(max(0, math.floor(box.left)), width - 1),
        min(max(0, math.floor(box.top)), height - 1),
    )
    right, bottom = max(left + 1, math.ceil(box.right)), max(top + 1, math.ceil(box.bottom))
    return pixels[top:bottom, left:right]
