"""Notes: how a face is unlike those that scorers learn from, so that its score is less certain.

All edges were chosen on the val split of the labelled pictures, 171 photos and 571 crops, so that
few of them have a note; see benchmarks/results/notes.md. No note changes a score.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from facegauge.arrays import Pixels
from facegauge.faces.framing import face_box, missing_head
from facegauge.faces.located import Located, Upright
from facegauge.faces.pose import NOTED_MISFIT, NOTED_TILT, pose
from facegauge.faces.spec import PreprocessSpec
from facegauge.results import Box

TINY = 40  # px; 5 of the photos have a smaller face
CUT_OFF = 0.05  # of the head's area; see benchmarks/results/cut-off.md
GREY = 0.035  # spread of colour across a line, over that along it; 0.040 and more there
BLURRED = 0.12  # detail over contrast; 0.197 and more there, blurred by 4 % of the face 0.03 to 0.1
EVEN = 0.5  # share of neighbours that are equal; at most 0.33 there
COLOURS, DETAILS = 32, 64  # pixels a side, or up to twice as many, read for colour and detail

NOTES: Mapping[str, str] = {
    "tiny": f"the shorter side of the face box is below {TINY} px",
    "turned": "turned by a quarter or half in the picture, and scored upright",
    "tilted": f"tilted by more than {NOTED_TILT:.0f} degrees",
    "profile": "seen from the side, or in a way that hides how the face is turned",
    "grey": "without colours, or in shades of one colour, such as sepia",
    "cut_off": f"more than {CUT_OFF:.0%} of the head lie beyond the picture's border",
    "flat": "hardly any detail: much blurred, or filled with even areas as in a drawing",
}
"""What each note means, in the order in which a face has them."""


def notes_of(located: Located, spec: PreprocessSpec) -> tuple[tuple[str, ...], ...]:
    """The notes of each face of a picture, words of `NOTES`; none without pixels.

    Args:
        located: the picture with its faces.
        spec: where the face is in a frame, for pictures that are taken whole.
    """
    each = zip(located.upright(), located.turns, strict=False)
    return tuple(_notes(one, turns, spec) for one, turns in each)


def _notes(one: Upright, turns: int, spec: PreprocessSpec) -> tuple[str, ...]:
    found = pose(one.points if spec.dense_landmarks == 0 else one.face.points if one.face else ())
    box = one.face.box if one.face else face_box(one.frame, spec)
    profile = found.misfit > NOTED_MISFIT
    applies = {
        "tiny": min(box.width, box.height) < TINY,
        "turned": turns > 0,
        "tilted": not profile and abs(found.angle) > NOTED_TILT,
        "profile": profile,
        "grey": is_grey(_grid(one.pixels, one.frame, COLOURS)),
        "cut_off": missing_head(box, one.pixels.shape[1], one.pixels.shape[0]) > CUT_OFF,
        "flat": is_flat(_grid(one.pixels[..., 1], box, DETAILS)),
    }
    return tuple(note for note in NOTES if applies[note])


def is_grey(pixels: Pixels) -> bool:
    """Whether all colours (h, w, 3) lie about on one line, as greys and the shades of sepia do."""
    colours = pixels.reshape(-1, 3).astype(float)
    colours -= colours.mean(0)
    _, across, along = np.linalg.eigvalsh(colours.T @ colours)  # variances along three axes
    return bool(across <= GREY**2 * along)


def is_flat(levels: Pixels) -> bool:
    """Whether a face (h, w) has hardly any detail for its contrast, or is evenly filled."""
    if min(levels.shape) < 3:
        return False
    values = levels.astype(np.float32)
    steps = [np.diff(values, axis=axis) for axis in (0, 1)]
    even = np.mean([(step == 0).mean() for step in steps])
    bends = [np.diff(step, axis=axis) for axis, step in enumerate(steps)]
    # as if at DETAILS places: on smooth faces second differences fall with the square of the step
    scales = [max(1.0, size / DETAILS) ** 4 for size in levels.shape]
    squares = [scale * np.square(bend).mean() for scale, bend in zip(scales, bends, strict=True)]
    return bool(np.sqrt(np.mean(squares)) <= BLURRED * values.std() or even > EVEN)


def _grid(pixels: Pixels, box: Box, side: int) -> Pixels:
    """Evenly spaced pixels of what of a box lies in the picture: `side` or more each way."""
    height, width = pixels.shape[:2]
    return pixels[_places(box.top, box.bottom, height, side),
                  _places(box.left, box.right, width, side)]  # fmt: skip


def _places(start: float, end: float, size: int, least: int) -> slice:
    first = min(max(0, int(start)), size - 1)
    last = max(first + 1, min(size, math.ceil(end)))
    return slice(first, last, max(1, (last - first) // least))
