"""What the factors of quality read of a face: its frame at one fixed size, and some own pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image

from facegauge.arrays import FloatArray, Pixels
from facegauge.results import Box

FRAME_WIDTH = 400  # px; a face box is about 194 px wide in a frame of this width
COARSE = 8  # the frame's colours are read at an eighth of that
OWN = 320  # px; of a larger face, this much about its middle is read at its own size
OVERSAMPLED = 2  # of larger frames only every n-th pixel is read, at least this many for each


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """A face as the factors of quality read it.

    Attributes:
        face: (h, w) float32, 0..255, luma of what of the face box lies in the picture, scaled so
            that the frame is `FRAME_WIDTH` wide.
        face_colours: (n, 3) float32, 0..255, colours of the face, an eighth of that size.
        frame_colours: (m, 3) float32, 0..255, colours of what of the frame lies in the picture.
        own: (h, w) float32, 0..255, luma of the middle of the face in the picture's own pixels.
        enlarged: whether `face` has more pixels than the face in the picture.
    """

    face: FloatArray
    face_colours: FloatArray
    frame_colours: FloatArray
    own: FloatArray
    enlarged: bool = False


def view_of(pixels: Pixels, box: Box, frame: Box) -> View:
    """Read a face.

    Args:
        pixels: (H, W, 3) uint8, sRGB, the whole picture.
        box: of the face, in its pixels; may reach beyond the border.
        frame: the head-and-shoulders rectangle around it; may reach beyond the border.
    """
    scale = FRAME_WIDTH / frame.width
    face = _scaled(pixels, box, scale)
    own = _inside(pixels, _middle(box))
    return View(
        np.asarray(face.convert("L"), np.float32),
        _colours(face.reduce(COARSE)),
        _colours(_scaled(pixels, frame, scale / COARSE)),
        np.asarray(Image.fromarray(np.ascontiguousarray(own)).convert("L"), np.float32),
        scale > 1,
    )


def _scaled(pixels: Pixels, box: Box, scale: float) -> Image.Image:
    """What of a box lies in the picture, resized by a scale with an anti-aliasing filter."""
    step = max(1, math.floor(1 / (scale * OVERSAMPLED)))
    part = Image.fromarray(np.ascontiguousarray(_inside(pixels, box)[::step, ::step]))
    size = (max(1, round(part.width * step * scale)), max(1, round(part.height * step * scale)))
    shrinks = size[0] < part.width
    return part.resize(size, Image.Resampling.HAMMING if shrinks else Image.Resampling.BICUBIC)


def _inside(pixels: Pixels, box: Box) -> Pixels:
    """The pixels of a box that lie in the picture, at least one."""
    rows = _places(box.top, box.bottom, pixels.shape[0])
    return pixels[rows, _places(box.left, box.right, pixels.shape[1])]


def _places(start: float, end: float, size: int) -> slice:
    first = min(max(0, round(start)), size - 1)
    return slice(first, max(first + 1, min(size, round(end))))


def _middle(box: Box) -> Box:
    x, y = (box.left + box.right) / 2, (box.top + box.bottom) / 2
    right, down = min(box.width, OWN) / 2, min(box.height, OWN) / 2
    return Box(x - right, y - down, x + right, y + down)


def _colours(picture: Image.Image) -> FloatArray:
    return np.asarray(picture, np.float32).reshape(-1, 3)
