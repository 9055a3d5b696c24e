"""Face detection: CenterFace on onnxruntime, or any function of the caller."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from facegauge.arrays import Pixels, as_items, from_items
from facegauge.errors import ScorerError, UsageError
from facegauge.faces.search import FACE_INPUT, Candidate, finest_size, merge_passes, search
from facegauge.faces.turning import with_turned
from facegauge.images.memory import (
    give_back_freed,
    network_budget,
    shared_budget,
    when_tight,
)
from facegauge.onnx_runtime import import_onnxruntime, open_session, shrink, shrinking
from facegauge.package_files import package_path
from facegauge.results import Box, Face

if TYPE_CHECKING:
    import onnxruntime
    from PIL import Image

Detector = Callable[[Pixels], list[Face]]
"""Maps (H, W, 3) uint8 RGB pixels to faces in the same pixel coordinates, largest first."""


@runtime_checkable
class SaysSmallestFace(Protocol):
    """A detector that knows how small a face it searches for."""

    def smallest_face(self, width: int, height: int) -> float:
        """The shorter side, in pixels, of the smallest face searched in a picture of this size."""
        ...


Array = npt.NDArray[np.float32]

MODEL = "_detector/centerface.onnx"  # in the package
MIN_FACE = 24.0  # pixels; a smaller face has fewer pixels than the networks' finest features
STRIDE = 4  # input pixels per cell of the network's output
SIZE_MULTIPLE = 32  # the network halves its input five times
PIXELS_PER_SIDE = 4  # source pixels per side that an input pixel is averaged from; more is slow
REDUCING_GAP = 2.0  # a picture is averaged by whole numbers until it is this many times as large
STRIP = 64  # rows of the averaged picture that are made at a time
SMALL_INPUT = 400 * 400  # pixels; inputs up to this size run side by side, one thread each
BYTES_PER_INPUT = 180  # memory that the network takes for each input pixel, measured
SAME_FACE_IOU = 0.6  # boxes with at least this intersection over union are averaged to one face
MAX_IOU = 0.3  # boxes with a larger intersection over union with a more confident one are dropped


@dataclass(frozen=True, slots=True)
class CenterFace:
    """CenterFace (Xu et al., arXiv 1911.03599): boxes and five landmarks in a few milliseconds.

    The search goes from coarse to fine, see `faces.search`: the first pass resizes the picture so
    that its long side has `size` pixels, finer ones find the small faces of large pictures. Faces
    that are turned by a quarter or half are looked at again, see `faces.turning`.
    Instances can be pickled and shared by threads; each process opens its own onnxruntime session
    on first use.

    Attributes:
        size: long side of the first pass's input, in pixels; at least 32.
        threshold: minimum confidence of a face, between 0 and 1.
        threads: number of onnxruntime threads for one large input; large inputs run one at a time,
            so that they do not take too much memory. Results do not depend on it.
        min_face: shorter side of the smallest face that is searched, in pixels of the picture.
        max_size: maximum long side of a pass, in input pixels; None: as `min_face` asks for.
        device: cpu, or cuda with onnxruntime-gpu.

    Raises:
        UsageError: an attribute is out of range.
    """

    size: int = 320
    threshold: float = 0.5
    threads: int = 1
    min_face: float = MIN_FACE
    max_size: int | None = None
    device: str = "cpu"

    def __post_init__(self) -> None:
        if self.size < SIZE_MULTIPLE or self.threads < 1 or not 0 < self.threshold < 1:
            raise UsageError(
                f"expected size >= {SIZE_MULTIPLE}, 0 < threshold < 1 and threads >= 1, got {self}"
            )
        if self.max_size is not None and self.max_size < SIZE_MULTIPLE:
            raise UsageError(f"expected max_size >= {SIZE_MULTIPLE} or None, got {self.max_size}")

    def __call__(self, pixels: Pixels) -> list[Face]:
        """Detect the faces of one picture.

        Args:
            pixels: (H, W, 3) uint8, RGB, upright.

        Returns:
            Faces in the picture's pixels, largest box first. Boxes are clipped to the picture,
            landmarks are not.

        Raises:
            ScorerError: the detector's model file is missing or damaged.
        """
        found = with_turned(
            pixels,
            self._search(pixels),
            self._search,
            self._detect,
            first=self._first,
            threshold=self.threshold,
        )
        faces = [
            Face(
                Box(*one.box.tolist()),
                one.confidence,
                tuple((x, y) for x, y in one.points.tolist()),
            )
            for one in found
        ]
        return sorted(faces, key=lambda face: -face.box.width * face.box.height)

    def smallest_face(self, width: int, height: int) -> float:
        """The shorter side, in pixels, of the smallest face that is searched in such a picture."""
        finest = self._finest(width, height)
        return max(self.min_face, FACE_INPUT * max(width, height) / finest)

    def _search(self, pixels: Pixels) -> list[Candidate]:
        height, width = pixels.shape[:2]
        return search(
            pixels,
            self._detect,
            first=self._first,
            finest=self._finest(width, height),
            retry=2 * self.size if self.max_size is None else min(2 * self.size, self.max_size),
            threshold=self.threshold,
        )

    @property
    def _first(self) -> int:
        return self.size if self.max_size is None else min(self.size, self.max_size)

    def _finest(self, width: int, height: int) -> int:
        return finest_size(width, height, self._first, self.min_face, self.max_size)

    def _detect(self, pixels: Pixels, size: int, minimum: float) -> list[Candidate]:
        """Run the network on a picture whose long side is resized to `size`."""
        height, width = pixels.shape[:2]
        inputs = size * max(1, round(size * min(height, width) / max(height, width)))
        threads = self.threads if inputs > SMALL_INPUT else 1
        session = _open_session(os.getpid(), threads, self.device)
        with network_budget().lease() as lease:
            lease.resize(BYTES_PER_INPUT * inputs)
            batch, scale = network_input(pixels, size)
            is_tight = shared_budget().is_tight
            if is_tight:
                give_back_freed()
            options = shrinking() if is_tight else None
            maps = session.run(None, {session.get_inputs()[0].name: batch}, options)
        heatmap, sizes, offsets, landmarks = (output[0] for output in maps)
        boxes, confidences, points = decode(heatmap, sizes, offsets, landmarks, minimum)
        found: list[Candidate] = []
        sure = confidences >= self.threshold
        border = np.array([width, height, width, height])
        for cells in (sure, ~sure):  # uncertain cells must not move a face's box
            candidates = [
                Candidate(np.clip(box / scale, 0, border), float(confidence), marks / scale)
                for box, confidence, marks in merge(boxes[cells], confidences[cells], points[cells])
            ]
            inside = [one for one in candidates if (one.box[2:] > one.box[:2]).all()]
            found = merge_passes(found, inside, self.threshold)
        return found


def network_input(pixels: Pixels, size: int) -> tuple[Array, float]:
    """Resize a picture to a long side of `size`, and pad it with black at the right and bottom.

    Args:
        pixels: (H, W, 3) uint8, RGB.
        size: long side of the resized picture, in pixels.

    Returns:
        (1, 3, h, w) float32 in 0..255, with h and w multiples of 32; and the scale, in input
        pixels per picture pixel.
    """
    height, width = pixels.shape[:2]
    scale = size / max(height, width)
    shape = max(1, round(width * scale)), max(1, round(height * scale))
    # Of a large photo only every n-th pixel is read: copying all would take longer than detection.
    step = max(1, min(int(1 / scale / PIXELS_PER_SIDE), height, width))
    sparse = as_items(pixels)[step // 2 :: step, step // 2 :: step]
    small = _shrunk(sparse, shape)
    padded = np.zeros(
        (1, 3, *(-(-side // SIZE_MULTIPLE) * SIZE_MULTIPLE for side in shape[::-1])), np.float32
    )
    padded[0, :, : shape[1], : shape[0]] = np.asarray(small).transpose(2, 0, 1)
    return padded, scale


def _shrunk(items: npt.NDArray[np.void], size: tuple[int, int]) -> Image.Image:
    """Resize as `Image.resize` does with a reducing gap of 2, without a copy of the whole picture.

    Args:
        items: (H, W), pixels as `as_items` gives them.
        size: width and height of the result.
    """
    from PIL import Image

    height, width = items.shape
    across, down = (
        max(1, int(n / m / REDUCING_GAP)) for n, m in zip((width, height), size, strict=True)
    )
    if across > 1 or down > 1:
        reduced = np.empty((-(-height // down), -(-width // across), 3), np.uint8)
        for top in range(0, len(reduced), STRIP):
            strip = from_items(items[top * down : (top + STRIP) * down])
            reduced[top : top + STRIP] = Image.fromarray(strip).reduce((across, down))
        items = as_items(reduced)
    box = 0, 0, width / across, height / down
    return Image.fromarray(from_items(items)).resize(size, Image.Resampling.BILINEAR, box)


def decode(
    heatmap: Array, size: Array, offset: Array, landmarks: Array, threshold: float
) -> tuple[Array, Array, Array]:
    """Decode the network's outputs to candidate faces, in input pixels.

    In every map, y comes before x. A cell's box has its centre at the cell's centre plus `offset`
    cells, and sides of exp(`size`) cells. Its landmarks are fractions of the box's sides, from the
    top left corner of the box.

    Args:
        heatmap: (1, h, w) confidence that the cell contains a face's centre.
        size: (2, h, w).
        offset: (2, h, w).
        landmarks: (10, h, w), five pairs.
        threshold: minimum confidence of a candidate.

    Returns:
        Boxes (n, 4) as left, top, right, bottom; confidences (n,); points (n, 5, 2) as x, y.
    """
    rows, columns = np.nonzero(heatmap[0] >= threshold)
    cells = np.stack([columns, rows], 1)
    sides = np.exp(size[::-1, rows, columns].T) * STRIDE
    centers = (cells + offset[::-1, rows, columns].T + 0.5) * STRIDE
    corners = centers - sides / 2
    fractions = landmarks[:, rows, columns].T.reshape(-1, 5, 2)[:, :, ::-1]
    points = corners[:, None] + fractions * sides[:, None]
    return np.hstack([corners, corners + sides]), heatmap[0, rows, columns], points


def merge(
    boxes: Array, confidences: Array, points: Array
) -> Iterator[tuple[Array, np.float32, Array]]:
    """Merge candidates to faces: non-maximum suppression that averages overlapping boxes.

    A face has the confidence of its most confident candidate. Its box and points are the mean over
    all candidates that overlap with that one by `SAME_FACE_IOU`, weighted by confidence: a single
    candidate's box would jump by whole cells when the picture moves by one pixel.

    Args:
        boxes: (n, 4) as left, top, right, bottom.
        confidences: (n,).
        points: (n, 5, 2).

    Yields:
        Box (4,), confidence and points (5, 2) of each face, most confident first.
    """
    queue = np.argsort(-confidences, kind="stable")
    while queue.size:
        iou = _iou(boxes[queue[0]], boxes[queue])
        same = queue[iou >= SAME_FACE_IOU]
        weights = confidences[same] / confidences[same].sum()
        box, face_points = (np.tensordot(weights, values[same], 1) for values in (boxes, points))
        yield box, confidences[queue[0]], face_points
        queue = queue[iou <= MAX_IOU]


def _iou(box: Array, others: Array) -> Array:
    """Intersection over union of one box (4,) with others (n, 4)."""
    sides = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
    intersection = np.maximum(sides, 0).prod(1)
    areas = (others[:, 2:] - others[:, :2]).prod(1)
    iou: Array = intersection / ((box[2:] - box[:2]).prod() + areas - intersection)
    return iou


@lru_cache(maxsize=8)
def _open_session(process: int, threads: int, device: str) -> onnxruntime.InferenceSession:
    """A session per process (a forked process must not use its parent's), threads and device."""
    model = package_path(MODEL)
    if not model.is_file():
        raise ScorerError(
            f"the face detector's model is missing: expected {model}, which the build of "
            "facegauge creates; reinstall facegauge (pip install --force-reinstall facegauge, or "
            "pip install -e . in a source tree)"
        )
    options = import_onnxruntime().SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    options.enable_mem_pattern = False  # pictures differ in shape
    try:
        session: onnxruntime.InferenceSession = open_session(str(model), options, device)
    except UsageError:
        raise
    except Exception as error:  # onnxruntime has no common base class of its errors
        raise ScorerError(
            f"the face detector's model {model} is damaged ({error}); reinstall facegauge "
            "(pip install --force-reinstall facegauge)"
        ) from error
    when_tight(session, lambda one: shrink(one, SIZE_MULTIPLE))
    return session
