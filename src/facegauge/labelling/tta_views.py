"""Views of pictures for pseudo-labels: opened, framed, and shifted and mirrored a little."""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np

from facegauge.arrays import Pixels
from facegauge.errors import PictureError, ScorerError
from facegauge.faces.detection import Detector
from facegauge.faces.extraction import largest_frame
from facegauge.faces.sampling import face_crops
from facegauge.faces.spec import PreprocessSpec
from facegauge.images.loading import open_picture
from facegauge.labelling.label_table import Label
from facegauge.results import Box, Status
from facegauge.scorer import default_threads

SHIFT = 0.03  # the most that a view is shifted, as a share of the frame

View = tuple[Pixels, ...]  # what the network sees of a face: one crop, or several of a large one
Seen = tuple[Label, tuple[View, ...]]  # a picture without its numbers yet, and its views


def look(path: Path, *, spec: PreprocessSpec, detector: Detector | None, views: int) -> Seen:
    """Open a picture, find its face and take its views."""
    try:
        pixels = open_picture(path)
        return Label(path, Status.OK), _views(pixels, _frame(pixels, detector, spec), spec, views)
    except PictureError as error:
        return Label(path, Status(error.status), message=str(error)), ()
    except ScorerError:
        raise
    except Exception as error:
        message = " ".join(f"{type(error).__name__}: {error}".split())
        return Label(path, Status.ERROR, message=message), ()


def _frame(pixels: Pixels, detector: Detector | None, spec: PreprocessSpec) -> Box:
    height, width = pixels.shape[:2]
    if detector is None:
        return Box(0, 0, width, height)
    return largest_frame(detector(pixels), width, height, spec)


def _views(pixels: Pixels, frame: Box, spec: PreprocessSpec, count: int) -> tuple[View, ...]:
    plain = _view(pixels, frame, spec)
    if count == 1:
        return (plain,)
    from facegauge.training.inputs.views import ViewSettings, jittered

    mild = ViewSettings(shift=SHIFT, zoom=0, exact=1)
    rng = np.random.default_rng(zlib.crc32(plain[0].tobytes()))
    moved = (_view(pixels, jittered(frame, mild, rng), spec) for _ in range(1, count))
    return plain, *(one if number % 2 else _mirrored(one) for number, one in enumerate(moved))


def _view(pixels: Pixels, frame: Box, spec: PreprocessSpec) -> View:
    return tuple(seen for seen, _ in face_crops(pixels, frame, (), spec))


def _mirrored(view: View) -> View:
    return tuple(np.ascontiguousarray(crop[:, ::-1]) for crop in view)


def look_ahead(paths: Iterable[Path], look: Callable[[Path], Seen]) -> Iterator[Seen]:
    """Pictures in order, looked at by threads, a few ahead."""
    threads = default_threads()
    pool = ThreadPoolExecutor(threads, thread_name_prefix="facegauge")
    running: deque[Future[Seen]] = deque()
    try:
        for path in paths:
            running.append(pool.submit(look, path))
            if len(running) > 2 * threads:
                yield running.popleft().result()
        while running:
            yield running.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
