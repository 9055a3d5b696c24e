"""Views of a face for test-time augmentation: shifted and mirrored a little, with its guide."""

from __future__ import annotations

import zlib

import numpy as np

from facegauge.arrays import Pixels
from facegauge.faces.framing import jittered
from facegauge.faces.guide import is_whole, mirror_guide
from facegauge.faces.located import Located
from facegauge.faces.sampling import Crop, face_crops
from facegauge.faces.spec import PreprocessSpec

SHIFT = 0.03  # the largest shift of a view, as a share of the frame's size

View = tuple[Crop, ...]  # what the network sees of a face: one crop, or several of a large one


def tta_views(located: Located, spec: PreprocessSpec, count: int) -> tuple[View, ...]:
    """Views of a located picture's first face.

    The first view is what scoring sees. Every second one is mirrored, and all but the first are
    shifted by whole pixels, at most `SHIFT` of the frame. The shifts are seeded by the face's
    pixels, so that a view depends on its picture alone.

    Args:
        located: a picture with a face, see `faces.extraction.FaceExtractor`.
        spec: size and sampling of the views.
        count: of views, 1 or more.

    Returns:
        `count` views, each with the crops of the face and their guides; none of a picture without
        a face.
    """
    if located.pixels is None:
        return ()
    pixels, _, frame, points = located.upright()[0]
    first = face_crops(pixels, frame, points, spec)
    rng = np.random.default_rng(zlib.crc32(first[0][0].tobytes()))
    views = [first]
    for number in range(1, count):
        moved = jittered(frame, rng, shift=SHIFT, zoom=0, integer_shift_prob=1)
        view = face_crops(pixels, moved, points, spec, whole=is_whole(frame, pixels))
        views.append(view if number % 2 == 0 else tuple(map(_mirrored, view)))
    return tuple(views)


def _mirrored(crop: Crop) -> Crop:
    pixels, guide = crop
    flipped: Pixels = np.ascontiguousarray(pixels[:, ::-1])
    return flipped, mirror_guide(guide)
