"""Dual-set contrastive learning: an encoder that learns what is wrong, not whose face it is.

Source: DSL-FIQA (arXiv 2406.09622). Set S is one clean face under many degradations: same content.
Set R is many real faces: content and quality vary. Every member of S is rebuilt from R's members,
those being preferred that lie near it, and must then be nearer to itself than to the rest of S; the
same from R through S. Degradation alone is what both sets have in common. The loss is the public
code's, which keeps the positive in the denominator, where the printed formula leaves it out. How
the sets are drawn and degraded was not released: what is not marked as the paper's is ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import Dataset

from facegauge.arrays import Pixels
from facegauge.data.degradations import degrade
from facegauge.errors import UsageError
from facegauge.faces.spec import PreprocessSpec
from facegauge.nn.normalise import Normalise
from facegauge.training.inputs.views import Batch, Framed, ViewMaker

KINDS = (
    # the thirteen that the paper names
    *("dark", "bright", "box_blur", "defocus", "downscale", "noise", "gaussian_blur"),
    *("jpeg", "motion_blur", "sun_flare", "iso_noise", "shadow", "zoom_blur"),
    # in the place of two that it does not name
    *("low_contrast", "colour_cast"),
)
DISTANCES = ("sum", "mean")
LEAST_DEVIATION = 1e-4  # added, so that a dead dimension does not divide by 0
WAYS = ("both", "s_r_s", "r_s_r")


def soft_proximity(
    source: Tensor, target: Tensor, temperature: float = 1.0, distance: str = "sum"
) -> tuple[Tensor, Tensor]:
    """Every row of one set as a mix of the rows of another, nearer ones counting for more.

    Args:
        source, target: embeddings (M, D) and (N, D).
        temperature: what squared distances are divided by; the paper's is 1.
        distance: "sum" of the squared differences over D, as the paper's code, or their "mean".
            Sums over thousands of dimensions saturate the softmax: only the nearest row counts.

    Returns:
        The mixes (M, D), and the shares (M, N) of the target's rows; each row sums to 1.
    """
    shares = _closeness(source, target, temperature, distance).softmax(1)
    return shares @ target, shares


def dual_set_loss(
    s: Tensor, r: Tensor, temperature: float = 1.0, distance: str = "sum"
) -> dict[str, Tensor]:
    """The two-way loss on embeddings of S, (M, D), and of R, (N, D).

    Returns:
        `s_r_s` and `r_s_r`, the cross-entropies of finding each member again after the way through
        the other set. Beside them, detached, for the log: `entropy_r` and `entropy_s`, the mean
        entropy of the shares of R's and of S's members, in nats; ln N and ln M when all count
        alike, 0 when the softmax is saturated. Adding them to a loss changes no gradient.
    """
    through_r, entropy_r = _there_and_back(s, r, temperature, distance)
    through_s, entropy_s = _there_and_back(r, s, temperature, distance)
    return {"s_r_s": through_r, "r_s_r": through_s, "entropy_r": entropy_r, "entropy_s": entropy_s}


def _there_and_back(
    own: Tensor, other: Tensor, temperature: float, distance: str
) -> tuple[Tensor, Tensor]:
    mixes, shares = soft_proximity(own, other, temperature, distance)
    back = _closeness(mixes, own, temperature, distance)
    loss = F.cross_entropy(back, torch.arange(len(own), device=own.device))
    return loss, entropy(shares)


def mean_cell(embeddings: Tensor, cells: Tensor) -> Tensor:
    """Embeddings (N, K * C) of K `cells`, (N, K, any), to the mean over them, (N, C) float32."""
    mean: Tensor = embeddings.float().view(len(cells), cells.shape[1], -1).mean(1)
    return mean


def entropy(shares: Tensor) -> Tensor:
    """Mean entropy of the rows of (M, N), each summing to 1, in nats; detached."""
    mean: Tensor = torch.special.entr(shares.detach()).sum(1).mean()
    return mean


def _closeness(a: Tensor, b: Tensor, temperature: float, distance: str) -> Tensor:
    """Squared distances, negative and divided by the temperature: (M, D), (N, D) -> (M, N)."""
    centre = b.detach().mean(0)  # keeps the numbers small that are subtracted from each other
    a, b = a - centre, b - centre
    squared = a.square().sum(1, keepdim=True) + b.square().sum(1) - 2 * a @ b.T
    return -squared / (temperature * (a.shape[1] if distance == "mean" else 1))


class DualSet(nn.Module):
    """The objective: a `DegradationEncoder` on S and R, seen in one pass.

    Args:
        ways: "both", as the paper ends up with, or for comparison "s_r_s" or "r_s_r" alone.
        pooled: compare the mean of a picture's cells. The paper compares all of them, in order,
            and so also where on the face something is.
        standardised: compare after every dimension has been given mean 0 and deviation 1 over the
            batch. Without, what varies most, brightness, hides what is fine, such as blocks.

    Raises:
        UsageError: an unknown distance or way, or a temperature that is not above 0.
    """

    def __init__(
        self,
        spec: PreprocessSpec,
        *,
        temperature: float = 1.0,
        distance: str = "sum",
        ways: str = "both",
        pooled: bool = False,
        standardised: bool = False,
    ) -> None:
        super().__init__()
        if distance not in DISTANCES:
            raise UsageError(f"distance must be {' or '.join(DISTANCES)}, got {distance!r}")
        if temperature <= 0:
            raise UsageError(f"temperature must be above 0, got {temperature}")
        self.normalise = Normalise(spec)
        if ways not in WAYS:
            raise UsageError(f"ways must be one of {', '.join(WAYS)}, got {ways!r}")
        self.temperature, self.distance = temperature, distance
        self.pooled, self.standardised = pooled, standardised
        self.left_out = {"both": "", "s_r_s": "r_s_r", "r_s_r": "s_r_s"}[ways]

    def forward(self, network: nn.Module, batch: Batch) -> dict[str, Tensor]:
        views = self.normalise(torch.cat([batch["degraded"], batch["real"]]))
        cells, embeddings = network(views.contiguous(memory_format=torch.channels_last))
        with torch.autocast(embeddings.device.type, enabled=False):
            compared = mean_cell(embeddings, cells) if self.pooled else embeddings.float()
            if self.standardised:
                compared = (compared - compared.mean(0)) / (compared.std(0) + LEAST_DEVIATION)
            s, r = compared.tensor_split([len(batch["degraded"])])
            losses = dual_set_loss(s, r, self.temperature, self.distance)
        losses.pop(self.left_out, None)
        return losses


@dataclass(frozen=True, slots=True)
class DualSetPlan:
    """What a batch of two sets holds; the first three defaults are the paper's.

    Attributes:
        degraded: members of S, the clean face among them: 2 to 16.
        real: members of R.
        good: one of R has at least this label; 0 for no such rule.
        least: the lowest severity of what is degraded; the highest is 5.
        spoilt: share of R that is degraded too, each member as one of S is, in kind and severity;
            for real faces that are too much alike to hold what S is degraded by.
        kinds_alone: all of S has one severity, and each member of R that is degraded has its own,
            so that the kind alone leads from one set to the other.
        window: share of a face's height and width that the encoder sees, at a random place; S is
            one window of its face. 1 for the whole.
    """

    degraded: int = 16
    real: int = 256
    good: float = 0.9
    least: float = 1.0
    spoilt: float = 0.0
    kinds_alone: bool = False
    window: float = 1.0


class DualSetBatches(Dataset[Batch]):
    """Maps a step to its sets, a function of (seed, step, rank) alone.

    A batch holds `degraded` (M, h, w, 3), S, and `real` (N, h, w, 3), R, both uint8. The first of S
    is the clean face, the others are one degradation each, at the network's input size, no kind
    twice. Faces of R are moved and mirrored, none twice in a batch; the last of them are degraded
    as members of S are, or in kind alone, where the plan says so.

    Args:
        clean: makes the faces of S: sharp ones, better not among those of R.
        real: makes those of R.

    Raises:
        UsageError: the makers' specs differ, or the pictures do not suffice for the plan.
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
        if not 2 <= plan.degraded <= len(KINDS) + 1:
            raise UsageError(f"S has 2 to {len(KINDS) + 1} members, got {plan.degraded}")
        if not 0 <= plan.spoilt <= 1:
            raise UsageError(f"the spoilt share of R must be 0..1, got {plan.spoilt}")
        if not 0 < plan.window <= 1:
            raise UsageError(f"a window's share must be above 0, up to 1, got {plan.window}")
        if not 0 < plan.least <= 5:
            raise UsageError(f"the lowest severity must be above 0, up to 5, got {plan.least}")
        if not clean.pictures:
            raise UsageError("S needs a clean face, there is none")
        if not 2 <= plan.real <= len(real.pictures):
            raise UsageError(
                f"R has 2 or more different faces; {plan.real} were asked for, "
                f"there are {len(real.pictures)}"
            )
        self.clean, self.real, self.plan = clean, real, plan
        self.steps, self.seed, self.rank = steps, seed, rank
        self.good = [i for i, p in enumerate(real.pictures) if (p.score or 0) >= plan.good]
        if not self.good:
            raise UsageError(
                f"no real face has a label of {plan.good} or more; lower `good`, or set it to 0"
            )

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, step: int) -> Batch:
        rng = np.random.default_rng([self.seed, step, self.rank])
        plan, faces = self.plan, self.clean.pictures
        clean = self._seen(self.clean, faces[int(rng.integers(len(faces)))], rng)
        kinds = rng.permutation(KINDS)[: plan.degraded - 1]
        severities = rng.uniform(plan.least, 5, 1 if plan.kinds_alone else len(kinds)).tolist()
        degradations = list(zip(kinds.tolist(), cycle(severities), strict=False))
        copies = [degrade(clean, kind, severity, rng) for kind, severity in degradations]
        drawn = [self.real.pictures[place] for place in self._drawn(rng)]
        real = [self._seen(self.real, picture, rng) for picture in drawn]
        for place in range(round(plan.spoilt * len(real))):
            kind, severity = degradations[place % len(degradations)]
            if plan.kinds_alone:
                severity = rng.uniform(plan.least, 5)
            real[-1 - place] = degrade(real[-1 - place], kind, severity, rng)
        return {
            "degraded": torch.from_numpy(np.stack([clean, *copies])),
            "real": torch.from_numpy(np.stack(real)),
        }

    def _seen(self, maker: ViewMaker, picture: Framed, rng: np.random.Generator) -> Pixels:
        """A plain view, or a window of it."""
        view = maker.plain(picture, rng)
        if self.plan.window == 1:
            return view
        height, width = (max(1, round(side * self.plan.window)) for side in view.shape[:2])
        top = int(rng.integers(view.shape[0] - height + 1))
        left = int(rng.integers(view.shape[1] - width + 1))
        return view[top : top + height, left : left + width]

    def _drawn(self, rng: np.random.Generator) -> Sequence[int]:
        """Members of R; when no good one is among them, one takes the first place."""
        drawn = [int(i) for i in rng.choice(len(self.real.pictures), self.plan.real, replace=False)]
        if set(self.good).isdisjoint(drawn):
            drawn[0] = self.good[int(rng.integers(len(self.good)))]
        return drawn
