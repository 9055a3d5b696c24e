"""What a step learns: views made on the device of the pictures, and their targets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset
from views import KINDS, Store, degraded, jittered, mirrored, tinted

from facegauge.nn.normalise import Normalise
from facegauge.nn.predictor import uses_size
from facegauge.nn.sized import SizedRegressor
from facegauge.training.devices import this_process
from facegauge.training.inputs.pictures import sizes
from facegauge.training.inputs.views import Batch, Framed
from facegauge.training.methods.photos.batches import CROPS, PHOTOS
from facegauge.training.methods.photos.config import PhotosConfig
from facegauge.training.methods.photos.objective import PhotoObjective
from facegauge.training.methods.photos.pool import LEAST_SCORE, STEP

SOURCES = ("photos", "crops", "unlabelled_photos", "unlabelled")  # settings of `BatchConfig`
Pictures = dict[str, list[Framed]]


class Steps(Dataset[Batch]):
    """Only the number of a step: the lesson makes its views."""

    def __init__(self, steps: int, seed: int, rank: int, world: int) -> None:
        self.steps, self.first = steps, seed * 1_000_003 + rank

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, step: int) -> Batch:
        return {"seed": torch.tensor(self.first + step)}


class Material:
    """All pictures on the device, with what is known of them, by row.

    Attributes:
        rows: of each source.
        score: labels; nan without one.
        regime: 0 for photos, 1 for crops.
        octaves: size of the face that networks are told; nan for crops.
    """

    def __init__(self, train: Pictures, config: PhotosConfig) -> None:
        device = this_process().device
        every = [one for name in SOURCES for one in train[name]]
        edges = ("left", "top", "right", "bottom")
        frames = torch.tensor([[getattr(one.frame, edge) for edge in edges] for one in every])
        self.store = Store.of([one.pixels for one in every], frames, device)
        ends = np.cumsum([0, *(len(train[name]) for name in SOURCES)]).tolist()
        self.rows = {
            name: torch.arange(ends[place], ends[place + 1], device=device)
            for place, name in enumerate(SOURCES)
        }
        scores = [np.nan if one.score is None else one.score for one in every]
        self.score = torch.tensor(scores, device=device, dtype=torch.float32)
        regimes = [PHOTOS if "photos" in name else CROPS for name in SOURCES for _ in train[name]]
        self.regime = torch.tensor(regimes, device=device)
        self.octaves = torch.from_numpy(sizes(every, config.input.spec)).to(device)

    def __deepcopy__(self, memo: Any) -> Material:
        return self  # it is large, and nothing changes it


class Lesson(nn.Module):
    """Makes a step's views and targets on the device, and has `PhotoObjective` judge them.

    Args:
        material: the pictures.
        guides: frozen networks, whose mean scores what has no label.
        config: of `train photos`; `batch.pool` are degraded views, two of a picture.
        label_share: of a label against the guides' score.
    """

    def __init__(
        self, material: Material, guides: Sequence[nn.Module], config: PhotosConfig,
        label_share: float,
    ) -> None:  # fmt: skip
        super().__init__()
        self.material, self.config, self.label_share = material, config, label_share
        self.spec, device = config.input.spec, this_process().device
        self.guides = [guide.to(device).eval().requires_grad_(False) for guide in guides]
        self.normalise = Normalise(self.spec)
        self.objective = PhotoObjective(self.spec, config.objective)
        self.sees_whole_step = self.objective.sees_whole_step

    def forward(self, network: SizedRegressor, batch: Batch) -> dict[str, Tensor]:
        device = self.material.score.device
        random = torch.Generator(device).manual_seed(int(batch["seed"]))
        with torch.no_grad(), torch.autocast(device.type, enabled=False):
            made = self.views(random, np.random.default_rng(int(batch["seed"])))
        losses: dict[str, Tensor] = self.objective(network, made)
        return losses

    def views(self, random: torch.Generator, rng: np.random.Generator) -> Batch:
        """Plain views of every source, then degraded copies of some of them."""
        known, spec = self.material, self.spec
        drawn = [
            (name, rows[torch.randint(len(rows), (count,), generator=random, device=rows.device)])
            for name, rows in known.rows.items()
            if len(rows) and (count := getattr(self.config.batch, name))
        ]
        rows = torch.cat([some for _, some in drawn])
        frames = jittered(known.store.frames[rows], self.config.views, random)
        plain = known.store.sample(rows, frames, spec.height, spec.width)
        said, label, told = self.said(plain, rows), known.score[rows], known.octaves[rows]
        labelled = torch.isfinite(label)
        share = torch.where(labelled, self.label_share, 0.0)
        target = share * label.nan_to_num() + (1 - share) * said

        chosen = rng.permutation(len(rows))[: self.config.batch.pool // 2].tolist()
        copies, severities = self.copies(rows, frames, chosen, random, rng)
        again = torch.tensor(chosen, device=rows.device).repeat_interleave(2)
        kept = (self.said(copies, rows[again]) / said[again].clamp(min=0.05)).clamp(0, 1)
        kept = torch.cummin(kept.view(-1, 2), 1)[0].flatten()
        lower = (target[again] * kept - STEP * severities).clamp(min=LEAST_SCORE)

        views = torch.cat([tinted(plain, self.config.changes.tint, random), copies])
        width = torch.exp2(told[:, 0]) * spec.width
        return {
            "views": mirrored(views, random).permute(0, 2, 3, 1),
            "score": torch.cat([target, lower]),
            "regime": known.regime[torch.cat([rows, rows[again]])],
            "is_label": torch.cat([labelled, torch.zeros_like(again, dtype=torch.bool)]),
            "width": torch.cat([width, torch.full_like(lower, torch.nan)]),
        }

    def copies(
        self, rows: Tensor, frames: Tensor, chosen: list[int], random: torch.Generator,
        rng: np.random.Generator,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        """Two copies of each chosen view, of one kind and rising severity, and the severities."""
        spec, copies, severities = self.spec, [], []
        widths = (frames[:, 2] - frames[:, 0]).tolist()
        for place in chosen:
            density = min(1.0, 2 * spec.width / widths[place])
            size = [max(8, round(widths[place] * density * side / spec.width))
                    for side in (spec.height, spec.width)]  # fmt: skip
            one = slice(place, place + 1)
            native = self.material.store.sample(rows[one], frames[one], *size)[0]
            kind = str(rng.choice([*KINDS]))
            for severity in np.sort(rng.uniform(0.2, 5, 2)).tolist():
                copy = degraded(native, kind, severity, density, random)[None]
                shape = (spec.height, spec.width)
                copies.append(nn.functional.interpolate(copy, size=shape, mode="bilinear").round())
                severities.append(severity)
        return torch.cat(copies), torch.tensor(severities, device=rows.device)

    def said(self, views: Tensor, rows: Tensor) -> Tensor:
        """The guides' mean score (B,) of views (B, 3, H, W)."""
        images = self.normalise(views.permute(0, 2, 3, 1))
        images = images.contiguous(memory_format=torch.channels_last)
        told, device = self.material.octaves[rows], images.device
        half = device.type == "cuda"
        with torch.autocast(device.type, torch.bfloat16, enabled=half):
            scores = [
                (guide(images, told) if uses_size(guide) else guide(images)).float()
                for guide in self.guides
            ]
        return torch.stack(scores).mean(0).clamp(0, 1)
