"""What a worker process does with one picture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from facegauge.results import HeatMap, ImageScore, Status
from facegauge.scorer import Scorer


@dataclass(frozen=True, slots=True)
class Options:
    """What a request asks for, see `Scorer`."""

    faces: str
    min_face: float
    factors: tuple[str, ...] = ()
    heat_map: bool = False


@dataclass(frozen=True, slots=True)
class Task:
    """One picture: its name, the bytes of its file, and what is asked for."""

    name: str
    data: bytes
    options: Options


@dataclass(frozen=True, slots=True)
class Scored:
    """The result of a picture, and the heat maps of its faces if they were asked for."""

    result: ImageScore
    heat_maps: tuple[HeatMap, ...] | None = None

    def to_dict(self) -> dict[str, Any]:
        """`ImageScore.to_dict`, with a list `heat_maps` if they were asked for."""
        entry = self.result.to_dict()
        if self.heat_maps is not None:
            entry["heat_maps"] = [one.to_dict() for one in self.heat_maps]
        return entry


@dataclass(frozen=True)
class OpenScorer:
    """Opens the scorer in a worker process, and has it score a picture.

    Args:
        folder: of the scorer.
        max_pixels: pictures with more pixels are not opened.
        device: see `Scorer`.
    """

    folder: Path
    max_pixels: int
    device: str = "cpu"

    def __call__(self) -> Callable[[Task], Scored]:
        scorer = Scorer(self.folder, threads=1, max_pixels=self.max_pixels, device=self.device)
        size = scorer.spec.height, scorer.spec.width, 3
        for faces in ("all", "whole"):  # the detector runs, and the network
            scorer.with_options(faces=faces).score(np.full(size, 127, np.uint8))
        return Score(scorer)


class Score:
    """Scores tasks one after the other."""

    def __init__(self, scorer: Scorer) -> None:
        self._scorer = scorer

    def __call__(self, task: Task) -> Scored:
        options = task.options
        scorer = self._scorer.with_options(
            faces=options.faces, min_face=options.min_face, factors=options.factors
        )
        prepared = scorer.prepare((task.name, task.data))
        (result,) = scorer.score_prepared([prepared])
        if not options.heat_map:
            return Scored(result)
        faces = range(len(result.faces)) if result.status is Status.OK else ()
        return Scored(result, tuple(scorer.heat_map(prepared, face) for face in faces))
