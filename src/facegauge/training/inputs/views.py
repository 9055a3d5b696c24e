"""Training batches: degraded, shifted, mirrored views of framed pictures, made on the fly.

Every batch is a function of (seed, step, rank, world) alone: a resumed run sees the batches that an
uninterrupted one would have seen, if it has as many processes, whatever the number of workers.
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
from facegauge.faces.guide import landmarks_in, mirrored_landmarks
from facegauge.faces.sampling import sample
from facegauge.faces.spec import PreprocessSpec
from facegauge.results import Box, Point
from facegauge.training.inputs.picture_file import Stored
from facegauge.training.view_settings import BatchPlan, ViewsConfig

Batch = dict[str, torch.Tensor]

# the order matters: with other kinds, or another order, every distilled view would change
DISTILLED_KINDS = (
    *("gaussian_blur", "downscale", "jpeg", "noise"),
    *("motion_blur", "dark", "bright", "low_contrast"),
)
ORDERED_KINDS = ("gaussian_blur", "downscale", "jpeg", "noise", "dark", "bright")


@dataclass(frozen=True, slots=True)
class Framed:
    """A picture with the frame of its face and, if it has one, its label.

    Attributes:
        source: (H, W, 3) uint8, the frame and a margin; or where they lie on disk.
        frame: in the pixels' coordinates.
        score: the label, 0..1; None without one.
        sample_weight: of the label in the loss; 1 for all but weighted pseudo-labels.
        points: the face's five points, or its dense landmarks, in the pixels' coordinates, if
            they were asked for.
    """

    source: Pixels | Stored
    frame: Box
    score: float | None = None
    sample_weight: float = 1.0
    points: tuple[Point, ...] = ()

    @property
    def pixels(self) -> Pixels:
        """(H, W, 3) uint8; read each time if they lie on disk."""
        return self.source.read() if isinstance(self.source, Stored) else self.source


def jittered(frame: Box, config: ViewsConfig, rng: np.random.Generator) -> Box:
    """The frame, moved and scaled at random; see `framing.jittered`."""
    return framing.jittered(
        frame,
        rng,
        shift=config.shift,
        zoom=config.zoom,
        integer_shift_prob=config.integer_shift_prob,
    )


def placed(frame: Box, spec: PreprocessSpec, config: ViewsConfig, rng: np.random.Generator) -> Box:
    """What a view shows: the jittered frame, or a part of it at a random place; see `part_of`."""
    moved = jittered(frame, config, rng)
    only = framing.part_of(moved, spec, 0, 0)
    if only == framing.part_of(moved, spec, 1, 1):  # nothing is drawn where there is no room
        return only
    across, down = rng.random(2).tolist()
    return framing.part_of(moved, spec, across, down)


def view(pixels: Pixels, frame: Box, *, mirror: bool, spec: PreprocessSpec) -> Pixels:
    """Sample a frame of (degraded) pixels at the network's input size."""
    sampled = sample(pixels, frame, spec)
    return np.ascontiguousarray(sampled[:, ::-1]) if mirror else sampled


def mixed(view: Pixels, other: Pixels, rng: np.random.Generator) -> Pixels:
    """Two views of one size as one: blended (mixup), or with a rectangle of the other (CutMix).

    The teacher scores the mixed view, so that few pictures give many training views: our choice,
    after Beyer et al. 2022 (arXiv 2106.05237), who use mixup alone.

    Args:
        view: (H, W, 3) uint8.
        other: of the same size.
        rng: draws which of the two, the share of the blend, or the rectangle.
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
    """Makes training views of labelled and unlabelled pictures.

    Args:
        pictures: framed.
        spec: size and sampling of the views.
        config: how far a view may depart from its picture.
    """

    def __init__(
        self, pictures: Sequence[Framed], spec: PreprocessSpec, config: ViewsConfig
    ) -> None:
        self.pictures, self.spec, self.config = pictures, spec, config

    def plain(self, picture: Framed, rng: np.random.Generator) -> Pixels:
        """Shifted, scaled and mirrored only, so that the label still holds."""
        return self.plain_with_landmarks(picture, rng)[0]

    def plain_with_landmarks(
        self, picture: Framed, rng: np.random.Generator
    ) -> tuple[Pixels, FloatArray]:
        """A plain view, and where the face's points lie in it; see `landmark_vector`."""
        frame, mirror = self._placed(picture, rng)
        pixels = view(picture.pixels, frame, mirror=mirror, spec=self.spec)
        return pixels, self._landmarks(picture, frame, mirror)

    def distilled(self, picture: Framed, rng: np.random.Generator) -> Pixels:
        """Degraded once, twice or not at all, for a teacher to score."""
        pixels = picture.pixels
        if rng.random() < self.config.degraded_fraction:
            for _ in range(1 + (rng.random() < self.config.second_degradation_prob)):
                kind = str(rng.choice(DISTILLED_KINDS))
                pixels = degrade(pixels, kind, rng.uniform(0.3, 5), rng)
        frame, mirror = self._placed(picture, rng)
        return view(pixels, frame, mirror=mirror, spec=self.spec)

    def ordered(
        self, picture: Framed, copies: int, rng: np.random.Generator
    ) -> tuple[list[Pixels], list[float], FloatArray]:
        """Copies of one view with rising severity of one degradation; the first is clean.

        Args:
            picture: any.
            copies: 2 or more.
            rng: draws kind, severities, noise, frame and mirroring.

        Returns:
            The views, their severities, and where the face's points lie in all of them.
        """
        kind = str(rng.choice(ORDERED_KINDS))
        rest = np.sort(rng.uniform(*self.config.severity_range, copies - 1))
        frame, mirror = self._placed(picture, rng)
        severities, pixels = [0.0, *map(float, rest)], picture.pixels
        views = [
            view(degrade(pixels, kind, severity, rng), frame, mirror=mirror, spec=self.spec)
            for severity in severities
        ]
        return views, severities, self._landmarks(picture, frame, mirror)

    def _placed(self, picture: Framed, rng: np.random.Generator) -> tuple[Box, bool]:
        """What a view shows, and whether it is mirrored."""
        frame = placed(picture.frame, self.spec, self.config, rng)
        return frame, bool(rng.random() < self.config.mirror_prob)

    def _landmarks(self, picture: Framed, frame: Box, mirror: bool) -> FloatArray:
        landmarks = landmarks_in(picture.points, frame, self.spec)
        return mirrored_landmarks(landmarks) if mirror else landmarks


class ViewBatches(Dataset[Batch]):
    """Maps a step to its batch of views.

    A batch holds `labelled` (L, H, W, 3), `score` and `sample_weight` (L,); `distilled`
    (D, H, W, 3); `ordered` (G, K, H, W, 3) and `severity` (G, K). Pictures are uint8; what the plan
    leaves out is absent. Where pictures have points, `landmarks` (L + G K, n) holds those of the
    labelled views, then of the ordered ones.

    Args:
        maker: makes the views.
        plan: how many of which kind.
        steps: batches in all.
        seed: of everything that is drawn.
        rank: this process among those of the run.
        world: number of processes.
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
        self.top_quartile = ranked[: math.ceil(len(ranked) / 4)]
        self.with_landmarks = any(p.points for p in pictures)

    @property
    def a_pass(self) -> float:
        """Batches of all processes in which every labelled picture comes once; 0: none come."""
        return len(self.labels) / self.plan.labelled if self.plan.labelled else 0.0

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, step: int) -> Batch:
        rng = np.random.default_rng([self.seed, step, self.rank])
        plan, maker, batch = self.plan, self.maker, {}
        landmarks: list[FloatArray] = []
        if plan.labelled:
            turn = step * self.world + self.rank
            places = walk(len(self.labels), plan.labelled, turn, self.seed)
            chosen = [maker.pictures[self.labels[place]] for place in places]
            made = [maker.plain_with_landmarks(p, rng) for p in chosen]
            batch["labelled"] = _stack([pixels for pixels, _ in made])
            landmarks += [each for _, each in made]
            batch["score"] = torch.tensor([p.score for p in chosen], dtype=torch.float32)
            batch["sample_weight"] = torch.tensor(
                [p.sample_weight for p in chosen], dtype=torch.float32
            )
        if plan.distilled:
            batch["distilled"] = _stack([self._distilled(rng) for _ in range(plan.distilled)])
        if plan.groups:
            groups = [maker.ordered(self._any(rng), plan.copies, rng) for _ in range(plan.groups)]
            batch["ordered"] = torch.stack([_stack(views) for views, _, _ in groups])
            batch["severity"] = torch.tensor([s for _, s, _ in groups], dtype=torch.float32)
            landmarks += [each for _, _, each in groups for _ in range(plan.copies)]
        if self.with_landmarks and landmarks:
            batch["landmarks"] = torch.from_numpy(np.stack(landmarks))
        return batch

    def _distilled(self, rng: np.random.Generator) -> Pixels:
        view, share = self.maker.distilled(self._any(rng), rng), self.maker.config.mix_prob
        if share and rng.random() < share:
            view = mixed(view, self.maker.distilled(self._any(rng), rng), rng)
        return view

    def _any(self, rng: np.random.Generator) -> Framed:
        plan = self.plan
        rows = self.large if rng.random() < plan.portrait_share else self.small
        share = plan.top_quartile_share
        if rows is self.small and share and rng.random() < share:
            rows = self.top_quartile
        rows = rows or self.small or self.large
        return self.maker.pictures[rows[rng.integers(len(rows))]]

    def _label(self, picture: int) -> float:
        return self.maker.pictures[picture].score or 0.0


def walk(total: int, count: int, turn: int, seed: int) -> npt.NDArray[np.int64]:
    """The `turn`-th `count` numbers of a walk through shuffles of 0 .. total - 1, end to end.

    Every number comes once in a pass, before any comes again.
    """
    positions = np.arange(turn * count, (turn + 1) * count)
    passes, places = np.divmod(positions, max(total, 1))
    numbers = [_shuffle(total, seed, int(p))[q] for p, q in zip(passes, places, strict=True)]
    return np.array(numbers, np.int64)


@lru_cache(maxsize=8)
def _shuffle(total: int, seed: int, passed: int) -> npt.NDArray[np.int64]:
    return np.random.default_rng([seed, passed, 1]).permutation(total)


def loader(batches: Dataset[Batch], steps: Sequence[int], workers: int) -> DataLoader[Batch]:
    """The batches of `steps`, in that order, made ahead by `workers` processes; 0: by this one."""
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
