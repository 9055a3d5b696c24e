"""Networks that score face crops: of a shipped scorer, a scorer folder or a run folder."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import copy
from dataclasses import replace
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np

from facegauge import zoo
from facegauge.arrays import FloatArray, Scores
from facegauge.calibration import ScoreMap
from facegauge.errors import require
from facegauge.faces.guide import landmarks_of, sizes_of
from facegauge.faces.lookahead import default_threads
from facegauge.faces.sampling import Crop, to_tensor
from facegauge.faces.spec import PreprocessSpec
from facegauge.zoo.onnx_model import Model

T = TypeVar("T")

TORCH_PREDICTOR = "facegauge.nn.predictor"  # imported by name: nothing here needs torch


class Predictor(Protocol):
    """A network that scores face crops; the only thing that runs one.

    `OnnxPredictor` and `nn.predictor.TorchPredictor` are predictors, and so is any object of your
    own with these members. If it also has `uses_size` and that is true, `predict` is told the size
    of each face.
    """

    @property
    def name(self) -> str:
        """For people, and for the column `scorer` of tables."""

    @property
    def version(self) -> str:
        """Of the network; empty if it has none."""

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the weights; a table is resumed only with the same ones."""

    @property
    def spec(self) -> PreprocessSpec:
        """How a face becomes the network's input."""

    @property
    def uses_landmarks(self) -> bool:
        """Whether `predict` wants to know where each face's five points lie."""

    def predict(self, images: FloatArray, guide: FloatArray | None = None) -> Scores:
        """Scores of normalised crops, as the network gives them.

        Args:
            images: (n, 3, H, W) normalised float32.
            guide: what the network is told beside, see `guide_for`; None: unknown.

        Returns:
            (n,) float64, not clipped.
        """


class OnnxPredictor:
    """The network of a scorer, on onnxruntime; may be pickled, shared by threads and forked.

    Args:
        name_or_folder: a shipped scorer's name (see `facegauge models`) or a scorer folder.
        threads: of onnxruntime; by default one for each CPU, at most 4.
        device: cpu, or cuda with onnxruntime-gpu.

    Attributes:
        folder: the scorer's folder.
        card: what is known of the scorer.
        model: the network, with its maps.
        device: where it computes, cpu or cuda.

    Raises:
        ScorerError: there is no such scorer, or it is damaged.
        UsageError: the device cannot be used.
    """

    def __init__(
        self,
        name_or_folder: str | os.PathLike[str] = zoo.DEFAULT,
        threads: int | None = None,
        device: str = "cpu",
    ) -> None:
        self.folder = zoo.open_folder(name_or_folder)
        self.card = zoo.load_card(self.folder)
        self.model = Model(self.folder, threads or default_threads(), device)
        self.spec = self.model.spec
        self.uses_landmarks = self.model.uses_landmarks
        self.uses_size = self.model.uses_size
        self.name, self.fingerprint = self.card.name, self.card.fingerprint
        self.map = self.card.map
        self.version, self.device = self.card.version, device

    def with_threads(self, threads: int) -> OnnxPredictor:
        """The same network with another number of threads; opened when it is first used."""
        if threads == self.model.threads:
            return self
        other = copy(self)
        other.model = Model(self.folder, threads, self.model.device)
        return other

    def with_map(self, score_map: ScoreMap) -> OnnxPredictor:
        """The same network with another map of its scores, on its card too."""
        other = copy(self)
        other.card = replace(self.card, map=score_map, same_as=(), fairness="")
        other.map, other.fingerprint = score_map, other.card.fingerprint
        return other

    def predict(self, images: FloatArray, guide: FloatArray | None = None) -> Scores:
        """Scores of normalised crops before `map`, see `Predictor.predict`."""
        return self.model(images, guide)

    def maps(self, crop: Crop) -> dict[str, FloatArray]:
        """The maps (h, w) of one crop by name, see `zoo.onnx_model.Model.maps`."""
        pixels, guide = crop
        return self.model.maps(to_tensor(pixels, self.spec)[None], guide_for(self, [guide]))


def device_of(predictor: Predictor) -> str:
    """Where a predictor wants the faces to be searched: on its own device if onnxruntime has it."""
    return predictor.device if isinstance(predictor, OnnxPredictor) else "cpu"


def guide_for(predictor: Predictor, guides: Sequence[FloatArray]) -> FloatArray | None:
    """What a predictor is told of crops beside their pixels.

    Args:
        predictor: with `uses_landmarks`, and perhaps `uses_size`.
        guides: (11,) of each crop, see `faces.guide.guide_vector`.

    Returns:
        (n, 10) landmarks, or (n, 1) sizes, or None.
    """
    if predictor.uses_landmarks:
        return landmarks_of(np.stack(guides))
    return sizes_of(np.stack(guides)) if getattr(predictor, "uses_size", False) else None


def predict_faces(predictor: Predictor, faces: Sequence[Sequence[Crop]], batch_size: int) -> Scores:
    """The score of each face: the mean over its crops.

    Args:
        predictor: scores the crops.
        faces: the crops of each face, see `faces.sampling.face_crops`.
        batch_size: crops that the network sees at a time.

    Returns:
        (faces,) float64, as the network gives them: not clipped, and not a number where it fails;
        of a predictor with a `map`, mapped.
    """
    crops = [crop for face in faces for crop in face]
    scores: list[float] = []
    for start in range(0, len(crops), batch_size):
        batch = crops[start : start + batch_size]
        images = np.stack([to_tensor(pixels, predictor.spec) for pixels, _ in batch])
        guide = guide_for(predictor, [guide for _, guide in batch])
        scores += predictor.predict(images, guide).tolist()
    remaining = iter(scores)
    means = np.array([sum(islice(remaining, len(face))) / len(face) for face in faces], np.float64)
    score_map: ScoreMap | None = getattr(predictor, "map", None)
    return means if score_map is None else score_map(means)


def in_batches(
    pictures: Iterable[T], crops: Callable[[T], int], batch_size: int
) -> Iterator[list[T]]:
    """Pictures in lists that fill a batch: as many as have `batch_size` crops, or are so many.

    Args:
        pictures: read lazily; those without a crop do not pile up.
        crops: the number of crops of a picture.
        batch_size: crops in a batch; the last list may have fewer, and any a picture more.
    """
    waiting: list[T] = []
    count = 0
    for picture in pictures:
        waiting.append(picture)
        count += crops(picture)
        if max(count, len(waiting)) >= batch_size:
            yield waiting
            waiting, count = [], 0
    if waiting:
        yield waiting


def open_predictor(name_or_folder: str | os.PathLike[str], device: str = "cpu") -> Predictor:
    """The network of a shipped scorer (by name), of a scorer folder, or of a run folder.

    A folder with a card runs as it ships, on onnxruntime; a run folder runs on torch.

    Args:
        name_or_folder: which one.
        device: cpu, or cuda, which needs onnxruntime-gpu, or for a run folder torch with CUDA.

    Raises:
        UsageError, ScorerError: there is neither, it is damaged, or the device cannot be used.
        MissingExtra: a run folder without torch.
    """
    if not is_run(name_or_folder):
        return OnnxPredictor(name_or_folder, device=device)
    predictor: Predictor = torch_predictors().open_run_predictor(name_or_folder, device)
    return predictor


def is_run(name_or_folder: str | os.PathLike[str]) -> bool:
    """Whether it is a run folder, not a shipped scorer's name or a scorer folder."""
    if os.fspath(name_or_folder) in zoo.names():
        return False
    folder = Path(name_or_folder)
    return (folder / "run.json").is_file() and not (folder / zoo.CARD).is_file()


def faces_of(name_or_folder: str | os.PathLike[str]) -> str:
    """How a run read its labelled pictures, "whole" or "auto"; of all else, "whole"."""
    if not is_run(name_or_folder):
        return "whole"
    try:
        described = json.loads((Path(name_or_folder) / "run.json").read_text(encoding="utf-8"))
        return str(described["settings"].get("faces", "whole"))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return "whole"  # the run is damaged, which is said when it is opened


def torch_predictors() -> Any:
    """The module `nn.predictor`.

    Raises:
        MissingExtra: torch is not installed.
    """
    require("torch", "opening a run folder", "train")
    return import_module(TORCH_PREDICTOR)
