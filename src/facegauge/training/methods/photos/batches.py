"""Batches of photos, crops and views of the pool."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch.utils.data import Dataset

from facegauge.arrays import Pixels
from facegauge.faces.sampling import sample_frame
from facegauge.faces.spec import PreprocessSpec
from facegauge.training.inputs.views import Batch, Framed, jittered, walk
from facegauge.training.methods.photos.config import PhotosConfig
from facegauge.training.methods.photos.pool import Pool
from facegauge.training.methods.photos.views import FILTERS, compressed, resized, tinted

PHOTOS, CROPS = 0, 1  # the regimes
LABELLED = ("photos", "crops")  # the sources whose scores are labels
LARGEST = 1600.0  # width of an enlarged frame, in pixels
LEAST_FACTOR = 1.4  # of an enlargement
COMPRESSED = 3e6  # values: larger pictures are not compressed anew, which takes long


@dataclass(frozen=True, slots=True)
class View:
    """One view of a batch.

    Attributes:
        pixels: (H, W, 3) uint8.
        score: the target.
        regime: `PHOTOS` or `CROPS`.
        labelled: whether the score is a label.
        width: of the face's frame in its original, in pixels; nan where it is not known.
    """

    pixels: Pixels
    score: float
    regime: int
    labelled: bool
    width: float


class PhotoBatches(Dataset[Batch]):
    """Maps a step to a batch.

    A batch holds `views` (B, H, W, 3) uint8, and `score`, `regime`, `is_label` and `width` (B,).

    Args:
        pictures: by the names of `BatchConfig`; those of photos have frames, crops are whole.
        pool: views with the teacher's scores.
        spec: of the views.
        config: how many of which, and how they are changed.
        steps: batches in all.
        seed: of everything that is drawn.
        rank: this process among those of the run.
        world: number of processes.
    """

    def __init__(
        self,
        pictures: Mapping[str, Sequence[Framed]],
        pool: Pool,
        spec: PreprocessSpec,
        config: PhotosConfig,
        *,
        steps: int,
        seed: int,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        self.pictures, self.pool, self.spec, self.config = pictures, pool, spec, config
        self.steps, self.seed, self.rank, self.world = steps, seed, rank, world

    def __len__(self) -> int:
        return self.steps

    @property
    def a_pass(self) -> float:
        """Batches of all processes in which every labelled photo comes once."""
        return len(self.pictures["photos"]) / self.config.batch.photos

    def __getitem__(self, step: int) -> Batch:
        rng = np.random.default_rng([self.seed, step, self.rank])
        turn, changes = step * self.world + self.rank, self.config.changes
        views: list[View] = []
        for place, (name, pictures) in enumerate(self.pictures.items()):
            count = getattr(self.config.batch, name) if len(pictures) else 0
            for row in walk(len(pictures), count, turn, self.seed + place):
                make = self._photo if name.endswith("photos") else self._crop
                views.append(replace(make(pictures[row], rng), labelled=name in LABELLED))
        count = self.config.batch.pool if len(self.pool) else 0
        for row in walk(len(self.pool), count, turn, self.seed + len(self.pictures)):
            pool = self.pool
            score, width = float(pool.scores[row]), float(pool.widths[row])
            views.append(View(pool.views[row], score, PHOTOS, False, width))
        pixels, mirror = [], self.config.views.mirror_prob
        for view in views:
            shown = tinted(view.pixels, rng) if rng.random() < changes.tint else view.pixels
            pixels.append(shown[:, ::-1] if rng.random() < mirror else shown)
        return {
            "views": torch.from_numpy(np.stack(pixels)),
            "score": torch.tensor([view.score for view in views]),
            "regime": torch.tensor([view.regime for view in views]),
            "is_label": torch.tensor([view.labelled for view in views]),
            "width": torch.tensor([view.width for view in views]),
        }

    def _photo(self, one: Framed, rng: np.random.Generator) -> View:
        changes, pixels = self.config.changes, one.pixels
        frame = jittered(one.frame, self.config.views, rng)
        if rng.random() < changes.enlarge:
            factor = np.exp(rng.uniform(np.log(LEAST_FACTOR), np.log(changes.max_enlarge)))
            factor = min(factor, LARGEST / frame.width)
            if factor > 1:
                how = FILTERS[rng.integers(len(FILTERS))]
                pixels, frame = resized(pixels, frame, factor, how)
                if rng.random() < 0.3:
                    pixels = compressed(pixels, int(rng.integers(85, 97)))
        elif rng.random() < changes.photo_jpeg and pixels.size < COMPRESSED:
            pixels = compressed(pixels, int(rng.integers(80, 97)))
        view = sample_frame(pixels, frame, self.spec)
        return View(view, one.score or 0.0, PHOTOS, False, one.frame.width)

    def _crop(self, one: Framed, rng: np.random.Generator) -> View:
        pixels = one.pixels
        if rng.random() < self.config.changes.crop_jpeg:
            pixels = compressed(pixels, int(rng.integers(60, 96)))
        frame = jittered(one.frame, self.config.views, rng)
        view = sample_frame(pixels, frame, self.spec)
        return View(view, one.score or 0.0, CROPS, False, float("nan"))
