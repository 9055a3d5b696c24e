"""The frame around a face, and whether a picture is already framed."""

from __future__ import annotations

import numpy as np

from facegauge.faces.spec import PreprocessSpec
from facegauge.results import Box, Face

LARGE_FRAME = 1.5  # a frame of at least this many times the input's size gets several crops
# The head around a face box, in its width and height: hair above, ears beside it.
ABOVE, BESIDE = 0.25, 0.1
MAX_SHIFT = 0.03  # of a crop, as a fraction of the frame's size


def frame_around(face: Face, spec: PreprocessSpec) -> Box:
    """The head-and-shoulders rectangle around a face, with the aspect ratio that the spec asks for.

    The width and the height of the face box each imply a scale; the frame's scale is their
    geometric mean.

    Args:
        face: its box is in the picture's pixels.
        spec: the face box's expected size and position in the frame.

    Returns:
        The frame in the picture's pixels. It may extend beyond the picture; `sample` repeats the
        border there.
    """
    box = face.box
    across, down = (spec.aspect, 1.0) if spec.aspect else (spec.width, spec.height)
    by_width = box.width / spec.face_width / across
    by_height = box.height / spec.face_height / down
    scale = (by_width * by_height) ** 0.5
    width, height = across * scale, down * scale
    left = (box.left + box.right) / 2 - spec.center_x * width
    top = (box.top + box.bottom) / 2 - spec.center_y * height
    return Box(left, top, left + width, top + height)


def face_box(frame: Box, spec: PreprocessSpec) -> Box:
    """Where the face box is expected in a frame; the inverse of `frame_around`."""
    left = frame.left + (spec.center_x - spec.face_width / 2) * frame.width
    top = frame.top + (spec.center_y - spec.face_height / 2) * frame.height
    width, height = spec.face_width * frame.width, spec.face_height * frame.height
    return Box(left, top, left + width, top + height)


def beyond(frame: Box, width: int, height: int) -> float:
    """The share of a frame's area that lies beyond a picture of this size, 0..1."""
    across = max(0.0, min(width, frame.right) - max(0.0, frame.left))
    down = max(0.0, min(height, frame.bottom) - max(0.0, frame.top))
    return 1 - across * down / (frame.width * frame.height)


def missing_head(box: Box, width: int, height: int) -> float:
    """The share of the head's area that lies beyond a picture of this size, 0..1.

    Args:
        box: of the face; the head is estimated from it.
    """
    head = Box(
        box.left - BESIDE * box.width,
        box.top - ABOVE * box.height,
        box.right + BESIDE * box.width,
        box.bottom,
    )
    return beyond(head, width, height)


def is_framed(frame: Box, width: int, height: int, spec: PreprocessSpec) -> bool:
    """Whether a picture of (width, height) pixels equals the frame, within the spec's tolerance."""
    tolerance = spec.framed_tolerance
    return (
        max(abs(frame.left), abs(frame.right - width)) <= tolerance * frame.width
        and max(abs(frame.top), abs(frame.bottom - height)) <= tolerance * frame.height
    )


def jittered(
    frame: Box,
    rng: np.random.Generator,
    *,
    shift: float,
    zoom: float,
    integer_shift_prob: float,
) -> Box:
    """A frame that is moved and, now and then, scaled at random.

    Args:
        frame: in pixels.
        rng: draws two shifts, whether they are by whole pixels and, if not, the zoom.
        shift: the largest shift in each direction, as a share of the frame's width and height.
        zoom: the largest change of the frame's size, as a share of it.
        integer_shift_prob: probability, 0..1, of a shift by whole pixels without zoom, so that a
            picture of the input's size is not resampled and keeps its hard pixel steps.
    """
    right, down = rng.uniform(-shift, shift, 2) * (frame.width, frame.height)
    if rng.random() < integer_shift_prob:
        right, down = round(right), round(down)
        return Box(frame.left + right, frame.top + down, frame.right + right, frame.bottom + down)
    grow = rng.uniform(-zoom, zoom) / 2
    return Box(
        frame.left + right - grow * frame.width,
        frame.top + down - grow * frame.height,
        frame.right + right + grow * frame.width,
        frame.bottom + down + grow * frame.height,
    )


def part_of(frame: Box, spec: PreprocessSpec, across: float = 0.5, down: float = 0.5) -> Box:
    """What the input shows of a frame.

    Args:
        frame: of the face, in the picture's pixels.
        spec: input size, `crop_mode` and `crop_pct`.
        across, down: where in the frame the part lies, 0..1: at 0 on its left or top edge, at 1 on
            the other one.

    Returns:
        The frame itself with the mode "squash". With "crop", a part with the aspect ratio of the
        input, whole pixels of the resized frame away from its edges: a frame that needs no resizing
        is not resampled either.
    """
    if spec.crop_mode == "squash":
        return frame
    scale = max(spec.width / frame.width, spec.height / frame.height) / spec.crop_pct
    left = frame.left + round(across * (frame.width * scale - spec.width)) / scale
    top = frame.top + round(down * (frame.height * scale - spec.height)) / scale
    return Box(left, top, left + spec.width / scale, top + spec.height / scale)


def crop_frames(frame: Box, spec: PreprocessSpec) -> tuple[Box, ...]:
    """The crops of a face whose scores are averaged; the first is in the middle.

    DSL-FIQA (arXiv 2406.09622) averages over 20 crops of 384 x 384 out of 512 x 512, at random
    positions. Here the positions are fixed, so that a picture always has the same score (our
    choice). Also ours: slightly shifted copies of the crop of a large face. Sampling without
    anti-aliasing reads only some of its pixels, so that the score depends on which.

    Args:
        frame: of the face, in the picture's pixels.
        spec: input size and number of crops.

    Returns:
        With a `crop_pct` below 1, `spec.crops` parts of the frame. Otherwise what the input shows
        of the frame, see `part_of`, then `spec.crops - 1` shifted copies if that is at least
        `LARGE_FRAME` times as large as the input.
    """
    # an additive recurrence, which spreads the positions evenly; the first is the centre
    positions = (0.5 + np.outer(np.arange(spec.crops), (0.75487767, 0.56984029))) % 1
    if spec.crop_pct < 1:
        return tuple(part_of(frame, spec, across, down) for across, down in positions.tolist())
    shown = part_of(frame, spec)
    is_wide = shown.width >= LARGE_FRAME * spec.width
    is_high = shown.height >= LARGE_FRAME * spec.height
    if spec.crops == 1 or not (is_wide and is_high):
        return (shown,)
    shifts = (2 * positions - 1) * MAX_SHIFT * (shown.width, shown.height)
    return tuple(
        Box(shown.left + x, shown.top + y, shown.right + x, shown.bottom + y)
        for x, y in shifts.tolist()
    )
