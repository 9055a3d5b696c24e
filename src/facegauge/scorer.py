"""Pictures in, scores out: faces are found, framed, sampled and scored in batches, as they come."""

from __future__ import annotations

import heapq
import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, overload

import numpy as np
import numpy.typing as npt

from facegauge import zoo
from facegauge.errors import NOT_A_NUMBER, PictureError, UsageError
from facegauge.faces.detection import CenterFace, Detector
from facegauge.faces.extraction import MIN_FACE, MODES, Cutter, Picture, Source
from facegauge.faces.sampling import to_tensor
from facegauge.faces.spec import PreprocessSpec
from facegauge.images.discovery import find_pictures
from facegauge.images.loading import MAX_PIXELS
from facegauge.results import Box, Face, FaceScore, ImageScore, Status
from facegauge.zoo.onnx_model import Model

if TYPE_CHECKING:
    pass


@dataclass(frozen=True, slots=True, eq=False)
class HeatMap:
    """Where in a face's frame its score comes from.

    Of a large face whose score is a mean over crops, the maps are those of the first, its frame.

    Attributes:
        values: (h, w) float32, what each place of an even grid would score by itself; not bounded.
            Their mean is the score, before it is kept within 0..1. A place's features see its
            surroundings too, so these are regions, not pixels.
        quality, confidence: (h, w) float32, of a DSL-FIQA scorer, None of others: the score is the
            mean quality, weighted by the confidence, 0..1.
        frame: what the grid covers, in the upright picture's pixels; may reach beyond the border.
        face: whose frame it is; None when the whole picture was taken.
    """

    values: npt.NDArray[np.float32]
    frame: Box
    face: Face | None
    quality: npt.NDArray[np.float32] | None = None
    confidence: npt.NDArray[np.float32] | None = None


class Scorer:
    """Scores the faces of pictures; opened once, used many times.

    Scores do not depend on the batch size, the number of threads or the pictures around. An
    instance may be shared by threads, pickled, and used in forked or spawned processes.

    Args:
        name_or_folder: a shipped scorer's name (see `facegauge models`) or a scorer folder.
        faces: which faces get a score. `auto`: every face found, but a picture whose largest face
            already sits as the scorer expects it is taken whole, as that one face. `all`: every
            face found, always cut out anew. `largest`: only the largest, otherwise as auto.
            `whole`: nothing is searched, the whole picture is taken as one face's frame. (A scorer
            that landmarks guide is told of them all the same.)
        detector: finds the faces in (H, W, 3) uint8 RGB pixels; CenterFace by default.
        threads: for reading pictures and for the network; by default one a CPU, at most 4.
        batch_size: faces the network sees at a time; more is faster and takes more memory.
        min_face: faces whose box's shorter side has fewer pixels are left out.
        max_pixels: pictures with more pixels are not opened.

    Attributes:
        card: what is known of the scorer: costs, data, licence, figures, calibration.
        folder: where it lies.
        spec: how a face becomes the network's input.

    Raises:
        UsageError: an argument that cannot be.
        ScorerError: no such scorer, or it is damaged.
    """

    def __init__(
        self,
        name_or_folder: str | os.PathLike[str] = zoo.DEFAULT,
        *,
        faces: str = "auto",
        detector: Detector | None = None,
        threads: int | None = None,
        batch_size: int = 16,
        min_face: float = MIN_FACE,
        max_pixels: int = MAX_PIXELS,
    ) -> None:
        if faces not in MODES:
            raise UsageError(f"expected faces to be one of {', '.join(MODES)}, got {faces!r}")
        self.threads = default_threads() if threads is None else threads
        counts = {"threads": self.threads, "batch_size": batch_size, "max_pixels": max_pixels}
        for name, value in counts.items():
            if value < 1:
                raise UsageError(f"expected {name} to be 1 or more, got {value}")
        self.folder = zoo.open_folder(name_or_folder)
        self.card = zoo.load_card(self.folder)
        self.faces = faces
        self.detector: Detector = detector or CenterFace()
        self.batch_size = batch_size
        self.min_face = min_face
        self.max_pixels = max_pixels
        self._model = Model(self.folder, self.threads)
        self.spec: PreprocessSpec = self._model.spec
        self._cut = Cutter(
            self.spec, self.detector, faces, min_face, max_pixels, self._model.guided
        )

    def score(self, source: Source) -> ImageScore:
        """The scores of one picture: a path, a PIL image or an array as `open_picture` takes it.

        A picture that cannot be scored gives a result with another status than ok, no exception.

        Raises:
            ScorerError: the scorer or the detector itself is damaged.
        """
        return self._finish([self._cut(source, 0)])[0]

    def score_iter(self, sources: Iterable[Source]) -> Iterator[ImageScore]:
        """One result a source, in the same order, while they come in.

        The sources are read lazily and only a few pictures are held at a time, so a list of
        millions is welcome. Paths of folders are not walked: see `images.find_pictures`.

        Raises:
            UsageError: a single path in place of a list.
            ScorerError: the scorer or the detector itself is damaged.
        """
        if isinstance(sources, str | bytes | os.PathLike):
            raise UsageError(f"expected a list of pictures, got the one path {sources!r}")
        waiting: list[Picture] = []
        crops = 0
        for picture in self._cut_ahead(sources):
            waiting.append(picture)
            crops += sum(map(len, picture.crops))
            if max(crops, len(waiting)) >= self.batch_size:
                yield from self._finish(waiting)
                waiting, crops = [], 0
        yield from self._finish(waiting)

    def heat_map(self, source: Source, face: int = 0) -> HeatMap:
        """Where the score of one face of a picture comes from.

        Args:
            source: a path, a PIL image or an array, as for `score`.
            face: which face, in the order of `score(source).faces`; 0 is the largest.

        Raises:
            UsageError: the scorer's model has no heat map, or the picture no such face.
            PictureError: the picture cannot be scored; its status says why, as in `score`.
            ScorerError: the scorer or the detector itself is damaged.
        """
        picture = self._cut(source, 0)
        if picture.status is not Status.OK:
            raise PictureError(picture.message, picture.status.value)
        if not 0 <= face < len(picture.crops):
            raise UsageError(
                f"expected face to be a number from 0 to {len(picture.crops) - 1}, got {face}"
            )
        pixels, marks = picture.crops[face][0]
        maps = self._model.maps(to_tensor(pixels, self.spec)[None], marks[None])
        return HeatMap(
            maps["heat_map"],
            picture.frames[face],
            picture.faces[face],
            maps.get("quality"),
            maps.get("confidence"),
        )

    def _cut_ahead(self, sources: Iterable[Source]) -> Iterator[Picture]:
        """Cut pictures in order, prepared by threads a few pictures ahead."""
        pool = ThreadPoolExecutor(self.threads, thread_name_prefix="facegauge")
        running: deque[Future[Picture]] = deque()
        try:
            for place, source in enumerate(sources):
                running.append(pool.submit(self._cut, source, place))
                if len(running) > 2 * self.threads:
                    yield running.popleft().result()
            while running:
                yield running.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)

    def _finish(self, pictures: Sequence[Picture]) -> list[ImageScore]:
        """Run the network on all faces of some cut pictures."""
        crops = [crop for picture in pictures for face in picture.crops for crop in face]
        given: list[float] = []
        for start in range(0, len(crops), self.batch_size):
            batch = crops[start : start + self.batch_size]
            tensors = np.stack([to_tensor(pixels, self.spec) for pixels, _ in batch])
            given.extend(self._model(tensors, np.stack([marks for _, marks in batch])).tolist())
        remaining = iter(given)
        return [
            self._result(p, [sum(islice(remaining, len(face))) / len(face) for face in p.crops])
            for p in pictures
        ]

    def _result(self, picture: Picture, scores: Sequence[float]) -> ImageScore:
        size = picture.width, picture.height
        if not np.isfinite(scores).all():
            return ImageScore(picture.path, Status.ERROR, (), NOT_A_NUMBER, *size)
        faces = tuple(self._describe(*pair) for pair in zip(scores, picture.faces, strict=True))
        return ImageScore(picture.path, picture.status, faces, picture.message, *size)

    def _describe(self, score: float, face: Face | None) -> FaceScore:
        score = min(max(score, 0.0), 1.0)
        low, high, percentile, band = self.card.calibration.describe(score)
        return FaceScore(score, low, high, percentile, band, face)


@overload
def score(source: list[Source] | tuple[Source, ...]) -> list[ImageScore]: ...
@overload
def score(source: Source) -> ImageScore: ...
def score(
    source: Source | list[Source] | tuple[Source, ...],
) -> ImageScore | list[ImageScore]:
    """Score one picture, or a list of them, with the default scorer.

    Args:
        source: a path, a PIL image, an array (H, W, 3) uint8 or another that `open_picture` takes,
            or a list of such; paths of folders are not walked.

    Returns:
        An `ImageScore`, or a list of them in the same order.
    """
    scorer = _default_scorer()
    if isinstance(source, list | tuple):
        return list(scorer.score_iter(source))
    return scorer.score(source)


def best(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    n: int = 1,
    scorer: Scorer | None = None,
) -> list[ImageScore]:
    """The n pictures with the best face, best first; of equals the one that came first.

    Args:
        paths: a file or folder, or several; folders are searched with their subfolders.
        n: how many at most; pictures without a scored face never count.
        scorer: the default scorer if None.
    """
    pictures = find_pictures([paths] if isinstance(paths, str | os.PathLike) else paths)
    results = (scorer or _default_scorer()).score_iter(pictures)
    scored = (result for result in results if result.faces)
    return heapq.nlargest(n, scored, key=lambda result: result.score or 0.0)


def default_threads() -> int:
    """One a CPU that this process may use, at most 4."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min(4, usable or 1)


@cache
def _default_scorer() -> Scorer:
    return Scorer()
