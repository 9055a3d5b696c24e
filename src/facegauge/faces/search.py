"""Coarse-to-fine face search: one pass over the whole picture, finer ones where they can help.

A detector sees a face only where it has enough of the network's input pixels. The first pass sees
the whole picture small. Finer passes follow, each at twice the size and in tiles where it is
large, as long as the picture can hold smaller faces and something speaks for them: no face yet, or
faces that are small already. Uncertain candidates are looked at again, each in a region of its
own. The sizes and limits are our choice; `benchmarks/faces_found.py` measures them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from facegauge.arrays import Pixels

Array = npt.NDArray[np.float32]

FACE_INPUT = 12.0  # input pixels of the smallest face that a pass finds reliably
SMALL_INPUT = 20.0  # where a face is smaller in the input, others may have been missed
UNCERTAIN = 0.12  # minimum confidence of a candidate that is worth a closer look
TILE = 1280  # maximum long side of one network input, in pixels
TILE_OVERLAP = 96  # input pixels that neighbouring tiles share: the largest face that is small
CLOSE_INPUT = 28.0  # input pixels of a candidate's long side in its closer look
CONTEXT = 4.0  # half the side of the region of a closer look, in long sides of the candidate
PORTRAIT_SIDE = 1280  # pictures up to this long side may be a single portrait
PORTRAIT_SHARE = 0.3  # minimum share of the long side that a portrait's face takes
SAME_IOU = 0.3  # boxes of two passes with at least this intersection over union are one face
SAME_SHARE = 0.6  # and so are two where this share of the smaller box lies inside the larger


@dataclass(frozen=True, slots=True)
class Candidate:
    """A possible face, in the pixels of the picture that was given to the detector.

    Attributes:
        box: (4,) left, top, right, bottom.
        confidence: 0..1.
        points: (5, 2) as x, y.
    """

    box: Array
    confidence: float
    points: Array

    @property
    def side(self) -> float:
        """The longer side of the box, in pixels."""
        return float((self.box[2:] - self.box[:2]).max())

    def moved(self, x: int, y: int) -> Candidate:
        """The candidate in a picture of which this one is the region that starts at (x, y)."""
        shift = np.array([x, y], np.float32)
        return replace(self, box=self.box + np.tile(shift, 2), points=self.points + shift)


Detect = Callable[[Pixels, int, float], list[Candidate]]
"""(pixels, long side of the network's input, minimum confidence) to candidates."""


def finest_size(width: int, height: int, first: int, min_face: float, limit: int | None) -> int:
    """The long side of the finest pass that a picture may get.

    Args:
        width: of the picture, in pixels.
        height: likewise.
        first: long side of the first pass.
        min_face: shorter side of the smallest face that is searched, in pixels.
        limit: maximum long side of a pass, or None.

    Returns:
        At least `first`: at that size, a face of `min_face` pixels has `FACE_INPUT` input pixels.
        Pictures are never enlarged for faces below `FACE_INPUT` pixels.
    """
    wanted = math.ceil(FACE_INPUT * max(width, height) / max(min_face, FACE_INPUT))
    return max(first, wanted if limit is None else min(wanted, limit))


def search(
    pixels: Pixels, detect: Detect, *, first: int, finest: int, retry: int, threshold: float
) -> list[Candidate]:
    """Find the faces of a picture.

    Args:
        pixels: (H, W, 3) uint8, RGB.
        detect: runs the network on a picture or a region of it.
        first: long side of the first pass, in input pixels.
        finest: long side of the last pass; see `finest_size`.
        retry: long side that is tried too, if above `finest`, as long as no face is found.
        threshold: minimum confidence of a face.

    Returns:
        Faces, in no particular order, and the candidates below the threshold that remain. A face
        that several passes see keeps the box of the coarsest one, so that finer passes add faces
        and change none.
    """
    minimum = min(UNCERTAIN, threshold)
    long_side = max(pixels.shape[:2])
    size, found = first, detect(pixels, first, minimum)
    while not _is_enough(found, size, first, long_side, threshold):
        last = finest if _sure(found, threshold) else max(finest, retry)
        if size >= last:
            break
        size = min(2 * size, last)
        found = merge_passes(found, _detect_tiled(pixels, size, detect, minimum), threshold)
    for candidate in [one for one in found if one.confidence < threshold]:
        if candidate.side * size / long_side < CLOSE_INPUT and size < finest:
            closer = _look_closer(pixels, candidate, detect, threshold)
            found = merge_passes(found, closer, threshold)
    return found


def merge_passes(
    known: Iterable[Candidate], new: Iterable[Candidate], threshold: float
) -> list[Candidate]:
    """Add the candidates of a finer pass to those of the coarser ones.

    A known face stays as it is; an uncertain candidate gives way to a more confident one.
    """
    merged = list(known)
    for candidate in sorted(new, key=lambda one: -one.confidence):
        same = [one for one in merged if is_same(one.box, candidate.box)]
        if any(one.confidence >= threshold for one in same):
            continue
        if all(one.confidence < candidate.confidence for one in same):
            merged = [one for one in merged if not any(one is other for other in same)]
            merged.append(candidate)
    return merged


def _sure(found: Iterable[Candidate], threshold: float) -> list[Candidate]:
    return [one for one in found if one.confidence >= threshold]


def _is_enough(
    found: list[Candidate], size: int, first: int, long_side: int, threshold: float
) -> bool:
    """Whether a finer pass is unlikely to find more."""
    sides = [one.side for one in _sure(found, threshold)]
    if not sides:
        return False
    if size == first:
        portrait = len(found) == 1 and sides[0] >= PORTRAIT_SHARE * long_side
        return portrait and long_side <= PORTRAIT_SIDE
    return min(sides) * size / long_side >= SMALL_INPUT


def _detect_tiled(pixels: Pixels, size: int, detect: Detect, minimum: float) -> list[Candidate]:
    """One pass at a long side of `size` input pixels, in tiles of at most `TILE`."""
    height, width = pixels.shape[:2]
    scale = size / max(height, width)
    if size <= TILE:
        return detect(pixels, size, minimum)
    found = []
    for top, tall in _tiles(height, scale):
        for left, wide in _tiles(width, scale):
            tile = pixels[top : top + tall, left : left + wide]
            for one in detect(tile, round(max(tile.shape[:2]) * scale), minimum):
                moved = one.moved(left, top)
                if not _is_cut(moved.box, (left, top, left + wide, top + tall), pixels, 2 / scale):
                    found.append(moved)
    return merge_passes([], found, math.inf)


def _tiles(length: int, scale: float) -> Iterator[tuple[int, int]]:
    """Starts and lengths of equal, overlapping tiles along one side of a picture, in its pixels."""
    side, overlap = TILE / scale, TILE_OVERLAP / scale
    count = max(1, math.ceil((length - overlap) / (side - overlap)))
    tile = math.ceil((length + (count - 1) * overlap) / count)
    for number in range(count):
        yield round(number * (length - tile) / max(1, count - 1)), tile


def _is_cut(box: Array, tile: tuple[int, int, int, int], pixels: Pixels, margin: float) -> bool:
    """Whether a box touches an inner edge of its tile: the neighbouring tile has it whole."""
    left, top, right, bottom = tile
    height, width = pixels.shape[:2]
    return bool(
        (left > 0 and box[0] < left + margin)
        or (top > 0 and box[1] < top + margin)
        or (right < width and box[2] > right - margin)
        or (bottom < height and box[3] > bottom - margin)
    )


def _look_closer(
    pixels: Pixels, candidate: Candidate, detect: Detect, threshold: float
) -> list[Candidate]:
    """Faces in the region around an uncertain candidate, seen larger."""
    height, width = pixels.shape[:2]
    x, y = ((candidate.box[:2] + candidate.box[2:]) / 2).tolist()
    reach = CONTEXT * candidate.side
    left, top = int(max(0, x - reach)), int(max(0, y - reach))
    region = pixels[
        top : math.ceil(min(height, y + reach)), left : math.ceil(min(width, x + reach))
    ]
    size = round(max(region.shape[:2]) / candidate.side * CLOSE_INPUT)
    return [one.moved(left, top) for one in detect(region, min(size, TILE), threshold)]


def is_same(one: Array, other: Array) -> bool:
    sides = np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2])
    if (sides <= 0).any():
        return False
    shared = float(sides.prod())
    areas = [float((box[2:] - box[:2]).prod()) for box in (one, other)]
    return shared >= SAME_IOU * (sum(areas) - shared) or shared >= SAME_SHARE * min(areas)
