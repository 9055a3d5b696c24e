"""CPU time of each stage of scoring, on one thread: sets of pictures in turns, round by round."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import material
import numpy as np
from page import Table
from pictures import evenly
from PIL import Image
from scenes import grid, scene

from facegauge.images.discovery import find_pictures

STAGES = ("open, decode", "search: resize, network, merge", "sample, normalise", "scorer network")
REST = "rest"
WHOLE = "all"
GROUP = (1920, 1280)

Times = dict[str, list[float]]
"""Milliseconds a picture of each stage, one for each round."""


Sets = Mapping[str, tuple[str, Sequence[Path]]]
"""Pictures by the name of their set, with the mode in which they are scored."""


def pictures(faces: Sequence[Path], portraits: Path | None, place: Path, photos: int) -> Sets:
    """Faces, photos of 12 megapixels and a group; portraits where there is a folder of them."""
    place.mkdir()
    small, group = place / "small.jpg", place / "group.jpg"
    Image.fromarray(scene(material.PHOTO, [(1500, 1300, 260)])).save(small, quality=90)
    Image.fromarray(scene(GROUP, grid(GROUP, 24, 3, 100))).save(group, quality=90)
    large = material.photos(portraits, place / "large", photos, noise=3)
    sets: dict[str, tuple[str, list[Path]]] = {
        "whole, 178 x 218": ("whole", list(faces[:30])),
        "auto, 178 x 218": ("auto", list(faces[:30])),
        "12 MP, face of 260 px": ("auto", [small] * 2),
        "12 MP, face fills it": ("auto", large),
        "group of 24, 2.5 MP": ("auto", [group]),
    }
    if portraits is not None:
        paths = [Path(path) for path in find_pictures([portraits])]
        sets["portraits"] = ("auto", evenly(paths, 15))
    return sets


def measure(sets: Sets, name: str, rounds: int) -> dict[str, Times]:
    """The times of every set, in ms a picture; run in a fresh process.

    Args:
        sets: of pictures, each with its mode.
        name: of the scorer.
        rounds: over all sets, after one that does not count.
    """
    from facegauge import Scorer
    from facegauge.predictors import OnnxPredictor

    predictor = OnnxPredictor(name, threads=1)
    scorers = {mode: Scorer(name, faces=mode, threads=1) for mode in ("whole", "auto")}
    found: dict[str, Times] = {title: {} for title in sets}
    for number in range(rounds + 1):
        for title, (mode, paths) in sets.items():
            sums = np.sum([list(_one(scorers[mode], predictor, path)) for path in paths], 0) / len(
                paths
            )
            stages = dict(zip((*STAGES, WHOLE), sums.tolist(), strict=True))
            stages[REST] = stages[WHOLE] - sum(stages[stage] for stage in STAGES)
            for stage, value in stages.items() if number else ():
                found[title].setdefault(stage, []).append(value)
    return found


def _one(scorer: Any, predictor: Any, path: Path) -> Iterator[float]:
    """Milliseconds of CPU time that the stages of one picture take, and all of it anew."""
    from facegauge.faces.extraction import FaceExtractor
    from facegauge.faces.located import Located
    from facegauge.faces.policy import ExtractionPolicy
    from facegauge.faces.sampling import to_tensor
    from facegauge.images.loading import open_picture
    from facegauge.predictors import guide_for

    extractor = FaceExtractor(scorer.spec, ExtractionPolicy(scorer.faces), scorer.detector)
    clock = Clock()
    pixels = open_picture(path)
    yield clock.lap()
    faces = [] if scorer.faces == "whole" else scorer.detector(pixels)
    yield clock.lap()
    size = {"height": pixels.shape[0], "width": pixels.shape[1]}
    located = extractor.frame(Located(str(path), pixels=pixels, **size), faces)
    crops = [crop for face in located.crops(scorer.spec) for crop in face]
    tensors = [to_tensor(crop, scorer.spec) for crop, _ in crops]
    yield clock.lap()
    step = scorer.batch_size
    for start in range(0, len(crops), step):
        guide = guide_for(predictor, [guide for _, guide in crops[start : start + step]])
        predictor.predict(np.stack(tensors[start : start + step]), guide)
    yield clock.lap()
    del pixels, located  # so that the memory of large photos is used again, as in a run
    scorer.score(path)
    yield clock.lap()


class Clock:
    """Milliseconds of this process's CPU time since the last lap."""

    def __init__(self) -> None:
        self._last = time.process_time()

    def lap(self) -> float:
        now = time.process_time()
        last, self._last = self._last, now
        return 1000 * (now - last)


def table(found: Mapping[str, Times]) -> Table:
    rows = [
        (stage, *(spread(times[stage]) for times in found.values()))
        for stage in (*STAGES, REST, WHOLE)
    ]
    note = (
        "CPU ms a picture on one thread: median (minimum to maximum) of the rounds, in which the "
        "kinds of pictures take turns. The rest is the time of all without that of the stages."
    )
    return Table("Stages", ("stage", *found), rows, note)


def spread(values: Sequence[float]) -> str:
    """Median, minimum and maximum."""
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"{middle:.1f} ({low:.1f} to {high:.1f})"
