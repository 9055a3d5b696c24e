"""From framed pictures to training batches: degraded, jittered, mirrored views, made on the fly.

Every batch is a function of (seed, step, rank, world) alone, so a resumed run of as many processes
sees exactly the batches that an uninterrupted one would have seen, whatever the number of loader
workers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import DataLoader, Dataset

from facegauge.arrays import FloatArray, Pixels
from facegauge.data.degradations import degrade
from facegauge.faces import framing
from facegauge.faces.landmarks import landmark_vector, mirror_landmarks
from facegauge.faces.sampling import sample
from facegauge.faces.spec import PreprocessSpec
from facegauge.results import Box, Point

Batch = dict[str, torch.Tensor]

# drawn from in this order: other kinds, or another order, would change every free view
FREE_KINDS = (
    *("gaussian_blur", "downscale", "jpeg", "noise"),
    *("motion_blur", "dark", "bright", "low_contrast"),
)
ORDERED_KINDS = ("gaussian_blur", "downscale", "jpeg", "noise", "dark", "bright")


@dataclass(frozen=True, slots=True)
class Framed:
    """A picture in memory with the frame of its face and, when it has one, its label.

    Attributes:
        sample_weight: of the label in the loss; 1 for all but weighted pseudo-labels.
        points: the face's five points in the pixels' coordinates, where they are asked for.
    """

    pixels: Pixels
    frame: Box
    score: float | None = None
    sample_weight: float = 1.0
    points: tuple[Point, ...] = ()


@dataclass(frozen=True, slots=True)
class ViewSettings:
    """How far a view may depart from its picture.

    Attributes:
        shift, zoom: largest jitter of the frame, as a share of its size.
        exact: share of views whose jitter is by whole pixels only, so that a picture of the
            input's size is not resampled and keeps its hard pixel steps.
        degraded: share of free views that are degraded.
        twice: share of the degraded views that are degraded a second time.
        mixed: share of free views that are mixed with another free view, see `mixed`.
        rising: least and largest severity of the degraded copies in an ordered group.
    """

    shift: float = 0.05
    zoom: float = 0.06
    exact: float = 0.6
    degraded: float = 0.5
    twice: float = 0.3
    mixed: float = 0.0
    rising: tuple[float, float] = (0.5, 5.0)


def jittered(frame: Box, settings: ViewSettings, rng: np.random.Generator) -> Box:
    """The frame, moved and, now and then, scaled at random."""
    return framing.jittered(
        frame,
        rng,
        shift=settings.shift,
        zoom=settings.zoom,
        integer_shift_prob=settings.exact,
    )


def view(pixels: Pixels, frame: Box, *, mirror: bool, spec: PreprocessSpec) -> Pixels:
    """Sample a frame of (degraded) pixels at the network's input size."""
    sampled = sample(pixels, frame, spec)
    return np.ascontiguousarray(sampled[:, ::-1]) if mirror else sampled


def mixed(view: Pixels, other: Pixels, rng: np.random.Generator) -> Pixels:
    """Two views of one size as one: blended (mixup), or a rectangle of the other put in (CutMix).

    A teacher that looks at the mix tells what it is worth, so few pictures make many lessons: our
    choice, after Beyer et al. 2022 (arXiv 2106.05237), who have mixup alone.
    """
    if rng.random() < 0.5:
        share = np.float32(rng.uniform(0.2, 0.8))
        return np.rint(share * view + (1 - share) * other).astype(np.uint8)
    height, width = view.shape[:2]
    tall, wide = (round(size * rng.uniform(0.3, 0.9)) for size in (height, width))
    top, left = rng.integers(height - tall + 1), rng.integers(width - wide + 1)
    place = np.s_[top : top + tall, left : left + wide]
    pasted = view.copy()
    pasted[place] = other[place]
    return pasted


class ViewMaker:
    """Makes the views that the objectives ask for, from labelled and unlabelled pictures."""

    def __init__(
        self, pictures: Sequence[Framed], spec: PreprocessSpec, settings: ViewSettings
    ) -> None:
        self.pictures, self.spec, self.settings = pictures, spec, settings

    def plain(self, picture: Framed, rng: np.random.Generator) -> Pixels:
        """Jittered and mirrored only: the label still holds."""
        return self.marked(picture, rng)[0]

    def marked(self, picture: Framed, rng: np.random.Generator) -> tuple[Pixels, FloatArray]:
        """A plain view, and where the face's points lie in it; see `landmark_vector`."""
        frame = jittered(picture.frame, self.settings, rng)
        mirror = bool(rng.random() < 0.5)
        return view(picture.pixels, frame, mirror=mirror, spec=self.spec), _marks(
            picture, frame, mirror
        )

    def free(self, picture: Framed, rng: np.random.Generator) -> Pixels:
        """Degraded once or twice, or not at all: for a teacher to score."""
        pixels = picture.pixels
        if rng.random() < self.settings.degraded:
            for _ in range(1 + (rng.random() < self.settings.twice)):
                kind = str(rng.choice(FREE_KINDS))
                pixels = degrade(pixels, kind, rng.uniform(0.3, 5), rng)
        frame = jittered(picture.frame, self.settings, rng)
        return view(pixels, frame, mirror=bool(rng.random() < 0.5), spec=self.spec)

    def ordered(
        self, picture: Framed, copies: int, rng: np.random.Generator
    ) -> tuple[list[Pixels], list[float], FloatArray]:
        """Copies of one view under rising severity of one degradation; the first is clean.

        Returns:
            The views, their severities, and where the face's points lie in all of them.
        """
        kind = str(rng.choice(ORDERED_KINDS))
        rest = np.sort(rng.uniform(*self.settings.rising, copies - 1))
        frame = jittered(picture.frame, self.settings, rng)
        mirror = bool(rng.random() < 0.5)
        severities = [0.0, *map(float, rest)]
        views = [
            view(degrade(picture.pixels, kind, severity, rng), frame, mirror=mirror, spec=self.spec)
            for severity in severities
        ]
        return views, severities, _marks(picture, frame, mirror)


def _marks(picture: Framed, frame: Box, mirror: bool) -> FloatArray:
    marks = landmark_vector(picture.points, frame)
    return mirror_landmarks(marks) if mirror else marks


@dataclass(frozen=True, slots=True)
class BatchPlan:
    """How many views of which kind a batch holds.

    Attributes:
        labelled: labelled views, drawn without replacement within a pass over the labels.
        free: views for the teacher, from all pictures.
        groups, copies: ordered groups and the copies in each, from all pictures.
        portraits: share of free views and groups drawn from pictures that are larger than the
            network's input; they are few and would otherwise hardly be seen.
        best: share of the others drawn from the quarter of the labelled pictures, not large, whose
            labels are the highest; those are rare too, and a correlation leans on them.
    """

    labelled: int = 0
    free: int = 0
    groups: int = 0
    copies: int = 3
    portraits: float = 0.25
    best: float = 0.0

    @property
    def views(self) -> int:
        """In a batch, of all kinds."""
        return self.labelled + self.free + self.groups * self.copies


class ViewBatches(Dataset[Batch]):
    """Maps a step to its batch.

    A batch holds `labelled` (L, H, W, 3), `score` and `sample_weight` (L,); `free` (F, H, W, 3);
    `ordered` (G, K, H, W, 3) and `severity` (G, K). Pictures are uint8; what the plan leaves out
    is absent. Where pictures have points, `landmarks` (L + G K, 10) holds those of the labelled
    views, then of the ordered ones.
    """

    def __init__(
        self,
        maker: ViewMaker,
        plan: BatchPlan,
        *,
        steps: int,
        seed: int,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        self.maker, self.plan, self.steps, self.seed = maker, plan, steps, seed
        self.rank, self.world = rank, world
        pictures = maker.pictures
        self.labels = [i for i, p in enumerate(pictures) if p.score is not None]
        large = maker.spec.width * 1.2
        self.large = [i for i, p in enumerate(pictures) if p.frame.width > large]
        self.small = [i for i, p in enumerate(pictures) if p.frame.width <= large]
        ranked = sorted(set(self.labels) & set(self.small), key=self._label, reverse=True)
        self.best = ranked[: math.ceil(len(ranked) / 4)]
        self.marked = any(p.points for p in pictures)

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, step: int) -> Batch:
        rng = np.random.default_rng([self.seed, step, self.rank])
        plan, maker, batch = self.plan, self.maker, {}
        marks: list[FloatArray] = []
        if plan.labelled:
            turn = step * self.world + self.rank
            places = walk(len(self.labels), plan.labelled, turn, self.seed)
            chosen = [maker.pictures[self.labels[place]] for place in places]
            made = [maker.marked(p, rng) for p in chosen]
            batch["labelled"] = _stack([pixels for pixels, _ in made])
            marks += [each for _, each in made]
            batch["score"] = torch.tensor([p.score for p in chosen], dtype=torch.float32)
            batch["sample_weight"] = torch.tensor(
                [p.sample_weight for p in chosen], dtype=torch.float32
            )
        if plan.free:
            batch["free"] = _stack([self._free(rng) for _ in range(plan.free)])
        if plan.groups:
            groups = [maker.ordered(self._any(rng), plan.copies, rng) for _ in range(plan.groups)]
            batch["ordered"] = torch.stack([_stack(views) for views, _, _ in groups])
            batch["severity"] = torch.tensor([s for _, s, _ in groups], dtype=torch.float32)
            marks += [each for _, _, each in groups for _ in range(plan.copies)]
        if self.marked and marks:
            batch["landmarks"] = torch.from_numpy(np.stack(marks))
        return batch

    def _free(self, rng: np.random.Generator) -> Pixels:
        view, share = self.maker.free(self._any(rng), rng), self.maker.settings.mixed
        if share and rng.random() < share:
            view = mixed(view, self.maker.free(self._any(rng), rng), rng)
        return view

    def _any(self, rng: np.random.Generator) -> Framed:
        pool = self.large if rng.random() < self.plan.portraits else self.small
        if pool is self.small and self.plan.best and rng.random() < self.plan.best:
            pool = self.best
        pool = pool or self.small or self.large
        return self.maker.pictures[pool[rng.integers(len(pool))]]

    def _label(self, picture: int) -> float:
        return self.maker.pictures[picture].score or 0.0


def walk(total: int, count: int, turn: int, seed: int) -> npt.NDArray[np.int64]:
    """The `turn`-th `count` numbers of a walk through shuffles of 0 .. total - 1, end to end."""
    positions = np.arange(turn * count, (turn + 1) * count)
    passes, places = np.divmod(positions, max(total, 1))
    numbers = [_shuffle(total, seed, int(p))[q] for p, q in zip(passes, places, strict=True)]
    return np.array(numbers, np.int64)


@lru_cache(maxsize=8)
def _shuffle(total: int, seed: int, passed: int) -> npt.NDArray[np.int64]:
    return np.random.default_rng([seed, passed, 1]).permutation(total)


def loader(batches: Dataset[Batch], steps: Sequence[int], workers: int) -> DataLoader[Batch]:
    """The batches of `steps`, in that order, made ahead by `workers` processes."""
    return DataLoader(
        batches,
        batch_size=None,
        sampler=steps,
        num_workers=workers,
        prefetch_factor=4 if workers else None,
        worker_init_fn=_single_thread,
    )


def _single_thread(worker: int) -> None:
    torch.set_num_threads(1)


def _stack(views: Sequence[Pixels]) -> torch.Tensor:
    return torch.from_numpy(np.stack(views))
