"""Where to cut: the frame around a face, and whether a picture already is one."""

from __future__ import annotations

import numpy as np

from facegauge.faces.spec import PreprocessSpec
from facegauge.results import Box, Face

LARGE = 1.5  # a frame that is this many times the input's size is scored in several crops, if asked
REACH = 0.03  # the most that a crop is moved, as a share of the frame


def frame_around(face: Face, spec: PreprocessSpec) -> Box:
    """The head-and-shoulders rectangle around a face, with the aspect ratio of the input.

    Its size is the geometric mean of what the face box's width and height ask for. It may reach
    beyond the picture; `sample` repeats the border there.
    """
    box = face.box
    by_width = box.width / spec.face_width / spec.width
    by_height = box.height / spec.face_height / spec.height
    scale = (by_width * by_height) ** 0.5
    width, height = spec.width * scale, spec.height * scale
    left = (box.left + box.right) / 2 - spec.center_x * width
    top = (box.top + box.bottom) / 2 - spec.center_y * height
    return Box(left, top, left + width, top + height)


def is_framed(frame: Box, width: int, height: int, spec: PreprocessSpec) -> bool:
    """Whether a picture of this size already is, within the tolerance, the frame."""
    near = spec.framed_tolerance
    return (
        max(abs(frame.left), abs(frame.right - width)) <= near * frame.width
        and max(abs(frame.top), abs(frame.bottom - height)) <= near * frame.height
    )


def main_frame(largest: Face, width: int, height: int, spec: PreprocessSpec) -> Box:
    """The frame of a picture's largest face: the whole picture when it is framed already."""
    frame = frame_around(largest, spec)
    return Box(0, 0, width, height) if is_framed(frame, width, height, spec) else frame


def crop_frames(frame: Box, spec: PreprocessSpec) -> tuple[Box, ...]:
    """What of a face is scored: its frame; of a large face the frame moved a little, several times.

    Sampling without anti-aliasing reads a few of a large face's pixels, so that its score depends
    on which. DSL-FIQA (arXiv 2406.09622) averages over 20 crops at random places; here they are
    fixed shares of the frame's size, so that the same picture always has the same score, and the
    first is the frame itself (our choice).

    Returns:
        `spec.crops` frames where the frame is at least `LARGE` times the input's size, else one.
    """
    if spec.crops == 1 or frame.width < LARGE * spec.width or frame.height < LARGE * spec.height:
        return (frame,)
    places = (0.5 + np.outer(np.arange(spec.crops), (0.75487767, 0.56984029))) % 1  # spread evenly
    moves = (2 * places - 1) * REACH * (frame.width, frame.height)
    return tuple(
        Box(frame.left + x, frame.top + y, frame.right + x, frame.bottom + y)
        for x, y in moves.tolist()
    )
