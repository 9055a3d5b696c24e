"""What the head sees while the trunk is frozen: features of a few views of every picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import numpy.typing as npt
import torch

from facegauge.arrays import FloatArray, Pixels, Scores
from facegauge.faces.sampling import sample_frame
from facegauge.nn.curved import Curved
from facegauge.nn.heads import LinearHead
from facegauge.nn.normalise import Normalise
from facegauge.progress import track
from facegauge.training.devices import this_process
from facegauge.training.inputs.views import Framed, ViewMaker

BATCH = 64  # views that the trunk sees at a time
SEED = 11  # of the shifts


@dataclass(frozen=True, slots=True)
class Features:
    """Of V views of N pictures, picture by picture.

    Attributes:
        embeddings: (N V, C) float32, what the head gets.
        residuals: (N V,), label minus the score behind the curve.
        slopes: (N V,), of the curve at each score.
        pictures: (N V,), the number of each view's picture.
    """

    embeddings: FloatArray
    residuals: Scores
    slopes: Scores
    pictures: npt.NDArray[np.int64]


@torch.inference_mode()
def frozen_features(
    maker: ViewMaker, pictures: Sequence[Framed], curved: Curved, count: int
) -> Features:
    """Compute the features of every picture once.

    Args:
        maker: makes the views.
        pictures: N labelled ones.
        curved: a network with a linear head, behind a curve; in evaluation mode.
        count: views of a picture: as it is, mirrored, then shifted at random.
    """
    head, device = curved.network, this_process().device
    assert isinstance(head, LinearHead)
    normalise = Normalise(maker.spec).to(device)
    columns: list[list[npt.NDArray[np.float32]]] = []
    views = _views(maker, pictures, count)
    batches = iter(lambda: list(islice(views, BATCH)), [])
    total = len(pictures) * count
    for batch in track(batches, "computing features", total=total, unit="views", each=BATCH):
        images = normalise(torch.from_numpy(np.stack(batch)).to(device))
        embedded = head.embed(images.contiguous(memory_format=torch.channels_last))
        found = (embedded, *curved.bend(head.score_embedding(embedded)))
        columns.append([values.float().cpu().numpy() for values in found])
    embeddings, scores, slopes = (np.concatenate(parts) for parts in zip(*columns, strict=True))
    labels = np.repeat([one.score for one in pictures], count)
    numbers = np.repeat(np.arange(len(pictures)), count)
    return Features(embeddings, labels - scores, slopes, numbers)


def _views(maker: ViewMaker, pictures: Sequence[Framed], count: int) -> Iterator[Pixels]:
    rng = np.random.default_rng(SEED)
    for picture in pictures:
        plain = sample_frame(picture.pixels, picture.frame, maker.spec)
        mirrored = [np.ascontiguousarray(plain[:, ::-1])] if maker.config.mirror_prob else []
        fixed = [plain, *mirrored][:count]
        yield from fixed
        for _ in range(count - len(fixed)):
            yield maker.plain(picture, rng)
