"""Views that the teacher scores once: large faces at known widths, and degraded copies."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from facegauge.arrays import Pixels, Scores
from facegauge.data.degradations import degrade
from facegauge.errors import UsageError
from facegauge.faces.sampling import sample_frame
from facegauge.faces.spec import PreprocessSpec
from facegauge.progress import track
from facegauge.training.devices import this_process
from facegauge.training.inputs.views import Framed, jittered
from facegauge.training.methods.photos.config import PoolConfig
from facegauge.training.methods.photos.teacher import Face, SizedTeacher
from facegauge.training.methods.photos.views import FILTERS, SHRINKING, compressed, resized
from facegauge.training.view_settings import ViewsConfig

COMMON = ("gaussian_blur", "downscale", "jpeg", "noise")
KINDS = (*COMMON, *COMMON, "motion_blur", "dark", "bright", "low_contrast")
LEAST_WIDTH = 206.0  # of a shrunken frame: a face of 100 pixels
MOST_WIDTH = 1200.0
STEP = 0.004  # by which a degraded copy scores lower, at least, per unit of severity
LEAST_SCORE = 0.03
LARGE_SHARE = 0.6  # of degraded copies are of large faces
CHUNK = 64  # views between two calls of the teacher
SHRINKS, DEGRADES = "shrinking large faces", "degrading faces"

Row = tuple[Pixels, float, float]  # of a pool: view, score, width


@dataclass(frozen=True, slots=True)
class Pool:
    """N views at the input's size.

    Attributes:
        views: (N, H, W, 3) uint8.
        scores: (N,) of the teacher.
        widths: (N,) of the face's frame in its original, in pixels; nan where it is not known.
    """

    views: Pixels
    scores: Scores
    widths: Scores

    def __len__(self) -> int:
        return len(self.scores)


@dataclass(frozen=True, slots=True)
class PoolMaker:
    """Makes a pool.

    Attributes:
        teacher: scores the views.
        spec: of the views.
        config: how many of which kind.
        views: how far a frame is moved.
    """

    teacher: SizedTeacher
    spec: PreprocessSpec
    config: PoolConfig
    views: ViewsConfig

    def __len__(self) -> int:
        return self.config.shrunken + 2 * self.config.degraded

    def shortened(self, times: float) -> PoolMaker:
        """One that makes a pool of so many times fewer views, of each kind one or more if any."""
        kinds = {
            kind: math.ceil(getattr(self.config, kind) / times) for kind in ("shrunken", "degraded")
        }
        return replace(self, config=replace(self.config, **kinds))

    def make(self, file: Path, pictures: Sequence[Framed]) -> Pool:
        """Make the pool, or read it from `file` if it is there.

        Of several processes the main one makes it, and the others wait.

        Args:
            pictures: photos and portraits, with labels or the teacher's scores.

        Raises:
            UsageError: `file` holds another number of views, or views of another size.
        """
        if this_process().is_main_process and not file.exists():
            rng = np.random.default_rng(self.config.seed)
            large = [one for one in pictures if one.frame.width >= self.config.min_frame]
            rows = self._shrunken(large or pictures, rng)
            rows += self._degraded(pictures, large or pictures, rng)
            fresh = file.with_suffix(".new.npz")
            np.savez(fresh, **self._columns(rows))
            fresh.replace(file)
        this_process().wait_for_everyone()
        with np.load(file) as found:
            pool = Pool(*(found[field.name] for field in fields(Pool)))
        if pool.views.shape != self._shape:
            shapes = pool.views.shape, self._shape
            held, wanted = (f"{n} views of {w} x {h}" for n, h, w, _ in shapes)
            raise UsageError(
                f"{file} holds {held}, the settings ask for {wanted}; delete it to have it made "
                "again, or choose another run folder"
            )
        return pool

    @property
    def _shape(self) -> tuple[int, int, int, int]:
        return len(self), self.spec.height, self.spec.width, 3

    def _shrunken(self, large: Sequence[Framed], rng: np.random.Generator) -> list[Row]:
        """Large faces at widths that are even on a logarithmic scale; none above its label."""
        rows: list[Row] = []
        total = self.config.shrunken
        for start in track(range(0, total, CHUNK), SHRINKS, total=total, unit="views", each=CHUNK):
            count = min(CHUNK, total - start)
            chosen = [_any(large, rng) for _ in range(count)]
            faces = [self._shrink(one, rng) for one in chosen]
            scores = self.teacher(faces).tolist()
            for one, (pixels, frame), said in zip(chosen, faces, scores, strict=True):
                view = sample_frame(pixels, frame, self.spec)
                score = min(said, one.score or 0.0)
                rows.append((view, score, frame.width))
        return rows

    def _shrink(self, one: Framed, rng: np.random.Generator) -> Face:
        most = min(0.9 * one.frame.width, MOST_WIDTH)
        width = np.exp(rng.uniform(np.log(min(LEAST_WIDTH, most)), np.log(most)))
        how = SHRINKING[rng.integers(len(SHRINKING))]
        pixels, frame = resized(one.pixels, one.frame, width / one.frame.width, how)
        if rng.random() < 0.5:
            pixels = compressed(pixels, int(rng.integers(75, 97)))
        return pixels, jittered(frame, self.views, rng)

    def _degraded(
        self, pictures: Sequence[Framed], large: Sequence[Framed], rng: np.random.Generator
    ) -> list[Row]:
        """Two copies each: the clean picture's score, times the start's ratio of copy to clean."""
        rows: list[Row] = []
        total = self.config.degraded
        for _ in track(range(total), DEGRADES, total=total, unit="pairs"):
            one = _any(large if rng.random() < LARGE_SHARE else pictures, rng)
            pixels, frame = one.pixels, one.frame
            if frame.width > self.config.max_frame:
                factor = self.config.max_frame / frame.width
                pixels, frame = resized(pixels, frame, factor, FILTERS[1])
            kind, frame = KINDS[rng.integers(len(KINDS))], jittered(frame, self.views, rng)
            severities = np.sort(rng.uniform(0.2, 5, 2)).tolist()
            copies = [pixels, *(degrade(pixels, kind, severity, rng) for severity in severities)]
            scores = self.teacher.start([(copy, frame) for copy in copies], self.spec)
            ratios = np.minimum.accumulate(np.clip(scores / max(scores[0], 0.05), 0, 1))[1:]
            for copy, ratio, severity in zip(copies[1:], ratios.tolist(), severities, strict=True):
                score = max(LEAST_SCORE, (one.score or 0.0) * ratio - STEP * severity)
                view = sample_frame(copy, frame, self.spec)
                rows.append((view, score, np.nan))
        return rows

    def _columns(self, rows: list[Row]) -> dict[str, Any]:
        views = np.empty(self._shape, np.uint8)
        for place, row in enumerate(rows):
            views[place] = row[0]
        scores, widths = np.array([row[1:] for row in rows], np.float64).reshape(-1, 2).T
        return {"views": views, "scores": scores, "widths": widths}


def _any(pictures: Sequence[Framed], rng: np.random.Generator) -> Framed:
    return pictures[int(rng.integers(len(pictures)))]
