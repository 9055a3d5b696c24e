"""Where the faces are: CenterFace on onnxruntime, or any function of the caller's own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from facegauge.arrays import Pixels
from facegauge.errors import ScorerError, UsageError
from facegauge.results import Box, Face

if TYPE_CHECKING:
    import onnxruntime

Detector = Callable[[Pixels], list[Face]]
"""(H, W, 3) uint8 RGB pixels to faces in that picture's pixel coordinates, largest first."""

Array = npt.NDArray[np.float32]

MODEL = Path(__file__).parents[1] / "_detector" / "centerface.onnx"
STEP = 4  # input pixels a cell of the network's output
GRID = 32  # the network halves its input five times
SAME = 0.6  # cells whose boxes overlap (intersection over union) this much share in one face
SPARE = 4  # pixels along each side are enough to average one pixel of the network's input from
OVERLAP = 0.3  # cells that overlap a surer one more than this are no face of their own


@dataclass(frozen=True, slots=True)
class CenterFace:
    """CenterFace (Xu et al., arXiv:1911.03599): boxes and five points, in a few milliseconds.

    The picture's long side is brought to `size` pixels; only where that shows no face, the picture
    is looked at again at twice the size, which finds the small faces of group photos. Instances
    are plain values: they can be pickled and shared by threads, and each process opens its own
    onnxruntime session on first use.

    Attributes:
        size: long side of what the network sees, in pixels.
        threshold: the least confidence that makes a face, 0..1.
        threads: of onnxruntime, for one picture.
    """

    size: int = 320
    threshold: float = 0.5
    threads: int = 1

    def __post_init__(self) -> None:
        if self.size < GRID or self.threads < 1 or not 0 < self.threshold < 1:
            raise UsageError(
                f"a detector needs size >= {GRID}, 0 < threshold < 1 and threads >= 1, got {self}"
            )

    def __call__(self, pixels: Pixels) -> list[Face]:
        """Finds the faces of one picture.

        Args:
            pixels: (H, W, 3) uint8, RGB, upright.

        Returns:
            Faces, largest box first; boxes are in the picture's pixels and end at its border,
            points may lie beyond it.

        Raises:
            ScorerError: the detector's model file is not installed.
        """
        return self._look(pixels, self.size) or self._look(pixels, 2 * self.size)

    def _look(self, pixels: Pixels, size: int) -> list[Face]:
        height, width = pixels.shape[:2]
        seen, scale = fit(pixels, size)
        session = _open_session(os.getpid(), self.threads)
        maps = session.run(None, {session.get_inputs()[0].name: seen})
        heatmap, sizes, offsets, landmarks = (found[0] for found in maps)
        cells = decode(heatmap, sizes, offsets, landmarks, self.threshold)
        faces = []
        for box, confidence, points in merge(*cells):
            left, top, right, bottom = np.clip(box / scale, 0, [width, height, width, height])
            if right > left and bottom > top:
                marks = tuple((float(x), float(y)) for x, y in points / scale)
                edges = Box(float(left), float(top), float(right), float(bottom))
                faces.append(Face(edges, float(confidence), marks))
        return sorted(faces, key=lambda face: -face.box.width * face.box.height)


def fit(pixels: Pixels, size: int) -> tuple[Array, float]:
    """A picture as the network wants it: long side `size`, black below and to the right of it.

    Returns:
        (1, 3, h, w) float32 in 0..255, h and w multiples of 32; and the scale, network pixels a
        picture pixel.
    """
    from PIL import Image

    height, width = pixels.shape[:2]
    scale = size / max(height, width)
    shape = max(1, round(width * scale)), max(1, round(height * scale))
    # Of a large photo every n-th pixel will do; to copy them all would take longer than to look.
    step = max(1, min(int(1 / scale / SPARE), height, width))
    sparse = np.ascontiguousarray(pixels[step // 2 :: step, step // 2 :: step])
    small = Image.fromarray(sparse).resize(shape, Image.Resampling.BILINEAR, reducing_gap=2.0)
    padded = np.zeros((1, 3, *(-(-side // GRID) * GRID for side in shape[::-1])), np.float32)
    padded[0, :, : shape[1], : shape[0]] = np.asarray(small).transpose(2, 0, 1)
    return padded, scale


def decode(
    heatmap: Array, size: Array, offset: Array, landmarks: Array, threshold: float
) -> tuple[Array, Array, Array]:
    """The network's maps to candidate faces, in network pixels.

    Vertical comes before horizontal in every map. A cell's box has its centre at the cell's own
    centre plus `offset` cells and sides of exp(`size`) cells; its landmarks are shares of the
    box's sides, counted from the box's top left corner.

    Args:
        heatmap: (1, h, w) confidence that a face's centre lies in the cell.
        size, offset: (2, h, w).
        landmarks: (10, h, w), five pairs.
        threshold: cells of a smaller confidence are left out.

    Returns:
        boxes (n, 4) as left, top, right, bottom; confidences (n,); points (n, 5, 2) as x, y.
    """
    rows, columns = np.nonzero(heatmap[0] >= threshold)
    cells = np.stack([columns, rows], 1)
    sides = np.exp(size[::-1, rows, columns].T) * STEP
    centers = (cells + offset[::-1, rows, columns].T + 0.5) * STEP
    corners = centers - sides / 2
    shares = landmarks[:, rows, columns].T.reshape(-1, 5, 2)[:, :, ::-1]
    points = corners[:, None] + shares * sides[:, None]
    return np.hstack([corners, corners + sides]), heatmap[0, rows, columns], points


def merge(
    boxes: Array, confidences: Array, points: Array
) -> Iterator[tuple[Array, np.float32, Array]]:
    """One box, confidence and set of points a face, from the many cells that each face lights up.

    The most confident cell names the face. Its box and points are the mean over the cells that
    see the same box (`SAME`), weighted by their confidence: the network's offsets are so small
    that a single cell's box would jump by whole cells when the picture moves by a pixel.
    """
    queue = np.argsort(-confidences, kind="stable")
    while queue.size:
        shared = _overlap(boxes[queue[0]], boxes[queue])
        same = queue[shared >= SAME]
        weights = confidences[same] / confidences[same].sum()
        box, marks = (np.tensordot(weights, values[same], 1) for values in (boxes, points))
        yield box, confidences[queue[0]], marks
        queue = queue[shared <= OVERLAP]


def _overlap(box: Array, others: Array) -> Array:
    """Intersection over union of one box (4,) with others (n, 4)."""
    sides = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
    shared = np.maximum(sides, 0).prod(1)
    areas = (others[:, 2:] - others[:, :2]).prod(1)
    overlap: Array = shared / ((box[2:] - box[:2]).prod() + areas - shared)
    return overlap


@lru_cache(maxsize=8)
def _open_session(process: int, threads: int) -> onnxruntime.InferenceSession:
    """One session a process (a forked one must not use its parent's) and number of threads."""
    import onnxruntime

    if not MODEL.is_file():
        raise ScorerError(
            f"the face detector's model is missing: expected {MODEL}. It is laid there when "
            "facegauge is built; reinstall facegauge (pip install --force-reinstall facegauge, "
            "or pip install -e . in a source tree)"
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.enable_mem_pattern = False  # pictures differ in shape
    try:
        return onnxruntime.InferenceSession(str(MODEL), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's have no base of their own
        raise ScorerError(
            f"the face detector's model {MODEL} is damaged ({error}); reinstall facegauge "
            "(pip install --force-reinstall facegauge)"
        ) from error
