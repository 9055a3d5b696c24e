"""The batches of dual-set degradation learning: set S and set R.

Source: DSL-FIQA (arXiv 2406.09622). The sets and the strengths of the degradations were not
released; what is not marked as the paper's is our choice.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle

import numpy as np
import torch
from torch.utils.data import Dataset

from facegauge.arrays import Pixels
from facegauge.data.degradations import degrade
from facegauge.errors import UsageError
from facegauge.training.inputs.views import Batch, Framed, ViewMaker
from facegauge.training.methods.dsl_fiqa.config import DualSetPlan

KINDS = (
    # the thirteen that the paper names
    *("dark", "bright", "box_blur", "defocus", "downscale", "noise", "gaussian_blur"),
    *("jpeg", "motion_blur", "sun_flare", "iso_noise", "shadow", "zoom_blur"),
    # in place of the two that it does not name
    *("low_contrast", "colour_cast"),
)
MAX_SEVERITY = 5


class DualSetBatches(Dataset[Batch]):
    """Maps a step to its two sets, which depend on (seed, step, rank) only.

    A batch holds `degraded` (M, h, w, 3), S, and `real` (N, h, w, 3), R, both uint8. The first view
    of S is the clean face; each other one has one degradation, of a kind of its own, applied at the
    network's input size. The faces of R are shifted and mirrored, and differ within a batch; the
    last of them are degraded as the members of S are, or in kind only, see `DualSetPlan`.

    Args:
        clean: makes the views of S; sharp faces, preferably not those of R.
        real: makes the views of R.
        plan: the sizes of the sets and how they are degraded.
        steps: length of the data set.
        seed: of all random choices.
        rank, world: this process, and the number of processes.

    Raises:
        UsageError: the makers' specs differ, or there are too few pictures for the plan.
    """

    def __init__(
        self,
        clean: ViewMaker,
        real: ViewMaker,
        plan: DualSetPlan,
        *,
        steps: int,
        seed: int,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        if clean.spec != real.spec:
            raise UsageError(f"S and R need one input spec, got {clean.spec} and {real.spec}")
        if not clean.pictures:
            raise UsageError("set S needs a clean face, got none; give pictures with --clean")
        if plan.real > len(real.pictures):
            raise UsageError(
                f"set R needs {plan.real} faces, got {len(real.pictures)}; give more with "
                "--unlabelled, or lower encoder.plan.real"
            )
        self.clean, self.real, self.plan = clean, real, plan
        self.steps, self.seed, self.rank = steps, seed, rank
        self.best = [i for i, p in enumerate(real.pictures) if (p.score or 0) >= plan.min_label]
        if not self.best:
            raise UsageError(
                f"set R needs a face with a label of {plan.min_label} or more, got none; lower "
                "encoder.plan.min_label, or set it to 0"
            )

    def __len__(self) -> int:
        return self.steps

    @property
    def a_pass(self) -> float:
        """Batches of all processes in which as many clean faces come as there are."""
        return len(self.clean.pictures)

    def __getitem__(self, step: int) -> Batch:
        rng = np.random.default_rng([self.seed, step, self.rank])
        plan, faces = self.plan, self.clean.pictures
        clean = self._view(self.clean, faces[int(rng.integers(len(faces)))], rng)
        kinds = rng.permutation(KINDS)[: plan.degraded - 1]
        severities = rng.uniform(
            plan.min_severity, MAX_SEVERITY, 1 if plan.kind_only else len(kinds)
        ).tolist()
        degradations = list(zip(kinds.tolist(), cycle(severities), strict=False))
        copies = [degrade(clean, kind, severity, rng) for kind, severity in degradations]
        drawn = [self.real.pictures[index] for index in self._draw(rng)]
        real = [self._view(self.real, picture, rng) for picture in drawn]
        for place in range(round(plan.degraded_fraction * len(real))):
            kind, severity = degradations[place % len(degradations)]
            if plan.kind_only:
                severity = rng.uniform(plan.min_severity, MAX_SEVERITY)
            real[-1 - place] = degrade(real[-1 - place], kind, severity, rng)
        return {
            "degraded": torch.from_numpy(np.stack([clean, *copies])),
            "real": torch.from_numpy(np.stack(real)),
        }

    def _view(self, maker: ViewMaker, picture: Framed, rng: np.random.Generator) -> Pixels:
        """A plain view, or a window of it."""
        view = maker.plain(picture, rng)
        if self.plan.window == 1:
            return view
        height, width = (max(1, round(side * self.plan.window)) for side in view.shape[:2])
        top = int(rng.integers(view.shape[0] - height + 1))
        left = int(rng.integers(view.shape[1] - width + 1))
        return view[top : top + height, left : left + width]

    def _draw(self, rng: np.random.Generator) -> Sequence[int]:
        """Members of R; if none has the least label, one that has it replaces the first."""
        drawn = [int(i) for i in rng.choice(len(self.real.pictures), self.plan.real, replace=False)]
        if set(self.best).isdisjoint(drawn):
            drawn[0] = self.best[int(rng.integers(len(self.best)))]
        return drawn
