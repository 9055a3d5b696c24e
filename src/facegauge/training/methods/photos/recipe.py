"""Training for photos as people have them, and for crops, at once.

Labels of CelebA's crops follow what the originals resolve: a scorer that learned from crops alone
scores photos too high. One that learns from the few labelled photos alone forgets the crops, so
both are learned together, as MSPT (arXiv 2508.07590) replays earlier pictures. All else is our
choice. In order:
1. a teacher is fitted to the labelled photos: ridge regression on the frozen features of the start,
   or of other scorers, and on the size of the face, which it is told;
2. it scores unlabelled photos and portraits, and a pool of views: large faces at known widths;
   degraded copies get the share of the clean score that the start gives them;
3. a teacher of the caller's scores unlabelled crops;
4. the network learns all of these from pixels alone. Enlarged and tinted views keep their labels,
   so that neither an enlargement nor a loss of colour moves a score; it also learns to estimate
   the width of the face in its original;
5. its weights move back towards the start's by a share;
6. a correction of its score by the size of the face is fitted to the labelled photos, see
   `nn.sized`.
"""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

from facegauge.arrays import Scores
from facegauge.data.leakage import refuse_leaks, without_leaks
from facegauge.data.manifests import Manifest
from facegauge.errors import UsageError
from facegauge.faces.spec import PreprocessSpec
from facegauge.nn.normalise import Normalise
from facegauge.nn.regressor import Regressor
from facegauge.nn.sized import SizedRegressor, terms
from facegauge.predictors import Predictor
from facegauge.training.begin import begin_run, describe
from facegauge.training.context import TrainingContext
from facegauge.training.devices import this_process
from facegauge.training.held_out import refuse_unused, split_held_out
from facegauge.training.init_from import check_sources
from facegauge.training.inputs.pictures import sampled, sizes
from facegauge.training.inputs.views import Framed
from facegauge.training.methods.photos.batches import PhotoBatches
from facegauge.training.methods.photos.config import PhotosConfig
from facegauge.training.methods.photos.objective import PhotoObjective
from facegauge.training.methods.photos.pool import Pool, PoolMaker
from facegauge.training.methods.photos.teacher import Face, SizedTeacher, features
from facegauge.training.rehearsal import current
from facegauge.training.settings import PseudoLabelConfig
from facegauge.training.start import load_pretrained
from facegauge.training.validation import make_source_validation

SYSTEM = "photos"
FEWEST = 20  # labelled photos that a teacher can be fitted to
BATCH = 16  # views at a time
SMALL_POOL = 100  # views, which are timed before a long run
SOME = 500  # photos whose features standardise those that sizes are estimated from

logger = logging.getLogger(__name__)


def run(
    config: PhotosConfig,
    data: Manifest,
    photos: Manifest,
    out: Path,
    *,
    teacher: Predictor,
    unlabelled: Sequence[Manifest] = (),
    unlabelled_photos: Sequence[Manifest] = (),
    portraits: Sequence[Manifest] = (),
    resume: bool = False,
    allow_leakage: bool = False,
) -> dict[str, float]:
    """Train into the run folder `out`.

    Args:
        config: a preset, with overrides; see `training.config.load_preset`.
        data: labelled crops, framed as the labels saw them, with splits train and val.
        photos: labelled photos at their own size, with splits train and val.
        out: the run folder.
        teacher: scores `unlabelled`, mapped to the labels' scale by a curve fitted to val.
        unlabelled: crops without labels.
        unlabelled_photos: photos without labels.
        portraits: large, sharp portraits, for the pool; an eighth is held out where a list has no
            splits.
        resume: continue with what `out` holds.
        allow_leakage: train although splits share pictures or people, and on unlabelled pictures
            that another list has too. Otherwise the first are refused and the second left out.

    Returns:
        (SRCC + PLCC) / 2 on val, of photos and of crops, and their mean, `val_score`.

    Raises:
        UsageError: leaks between the splits, no labels, no train or val rows, too few photos,
            nothing to start from, or `out` is in use and `resume` is off.
    """
    check_sources(config)
    refuse_idle(config, unlabelled, unlabelled_photos, portraits)
    photos.labels()
    parts = {split: photos.where(split=split) for split in ("train", "val")}
    leaks = refuse_leaks(photos, allow=allow_leakage)
    spec = config.input.spec
    context = begin_run(
        config, data, [], out, spec=spec, resume=resume, allow_leakage=allow_leakage
    )
    if not allow_leakage:
        parts["train"] = without_leaks(parts["train"], [data.where(split="val")])
        unlabelled = [without_leaks(one, [data, photos]) for one in unlabelled]
        held = [data.where(split="val"), parts["val"]]
        unlabelled_photos = [
            without_leaks(one, [*held, parts["train"]]) for one in unlabelled_photos
        ]
        portraits = [without_leaks(one, [data, photos]) for one in portraits]
    sharp = [split_held_out(portraits)[0]] if portraits else []
    lists = [parts["train"], *unlabelled, *unlabelled_photos, *sharp]
    context = context.recorded(data=[*context.record["data"], *describe(lists)])
    if leaks:
        context = context.recorded(
            leaks=dict(Counter(leaks) + Counter(context.record.get("leaks")))
        )

    network = load_pretrained(config.start, config.backbone)
    known = [load_pretrained(one) for one in config.teacher.networks] or [network]
    labelled = context.load(parts["train"], "auto")
    if len(labelled) < FEWEST:
        raise UsageError(
            f"{photos.source}: expected {FEWEST} or more photos of train with a face, "
            f"got {len(labelled)}"
        )
    sized = fit_teacher(known, labelled, config, spec)
    more, large = (
        [framed for one in side for framed in scored_by(sized, context.load(one, "auto"))]
        for side in (unlabelled_photos, sharp)
    )
    maker = PoolMaker(sized, spec, config.pool, config.views)
    pool = make_pool(maker, out / "pool.npz", [*labelled, *more, *large])
    pictures = {
        "photos": smoothed(labelled, sized.left_out, config.teacher.smooth),
        "unlabelled_photos": more,
        "crops": context.maker.pictures,
        "unlabelled": label_crops(context, teacher, unlabelled),
    }
    held_out = {
        "photos": context.load(parts["val"], "auto"),
        "crops": context.val_pictures,
    }
    validate = make_source_validation(held_out, spec)
    network = told_size(network, labelled[:SOME], spec)
    replace(context, validate=validate).fit(
        "uncorrected",
        network,
        PhotoObjective(spec, config.objective),
        partial(PhotoBatches, pictures, pool, spec, config),
        config.fit,
        system=SYSTEM,
    )
    network.eval()
    blend(network, load_pretrained(config.start, config.backbone), config.start_share)
    fit_correction(network, labelled, spec)
    context.save("", SYSTEM, network)
    figures = dict(validate(network))
    logger.info("%s", ", ".join(f"{name} {value:.4f}" for name, value in figures.items()))
    return figures


def refuse_idle(
    config: PhotosConfig,
    unlabelled: Sequence[Manifest],
    unlabelled_photos: Sequence[Manifest],
    portraits: Sequence[Manifest],
) -> None:
    """Refuse lists that no batch would hold a view of.

    Raises:
        UsageError: there is one.
    """
    batch, pool = config.batch, config.pool
    pooled = bool(batch.pool and (pool.shrunken or pool.degraded))
    for option, lists, used, setting in (
        ("--unlabelled", unlabelled, batch.unlabelled, "batch.unlabelled"),
        (
            "--unlabelled-photos",
            unlabelled_photos,
            batch.unlabelled_photos or pooled,
            "batch.unlabelled_photos",
        ),
        ("--portraits", portraits, pooled, "batch.pool and pool.shrunken or pool.degraded"),
    ):
        why = f"no batch holds views of it; leave it out, or set {setting} above 0"
        refuse_unused(lists, bool(used), why, option=option)


def fit_teacher(
    networks: Sequence[Regressor],
    photos: Sequence[Framed],
    config: PhotosConfig,
    spec: PreprocessSpec,
) -> SizedTeacher:
    """The teacher of photos, at inputs of the spec's shape."""
    specs = [
        replace(spec, width=width, height=round(width * spec.height / spec.width))
        for width in config.teacher.widths
    ]
    labels = np.array([one.score for one in photos], np.float64)
    faces = [_face(one) for one in photos]
    return SizedTeacher(networks, specs, faces, labels, config.teacher.penalty)


def make_pool(maker: PoolMaker, file: Path, pictures: Sequence[Framed]) -> Pool:
    """The pool, made or read; in a rehearsal a small one, which is timed."""
    if (rehearsal := current()) is None or not len(maker):
        return maker.make(file, pictures)
    few = maker.shortened(max(1.0, len(maker) / SMALL_POOL))
    rehearsal.disk += math.prod((len(maker), maker.spec.height, maker.spec.width, 3))
    with rehearsal.timed("making the pool", f"{len(maker)} views", len(maker) / len(few)):
        return few.make(file, pictures)


def smoothed(photos: Sequence[Framed], said: Scores, share: float) -> list[Framed]:
    """Photos whose labels have moved by a share towards what was said of them."""
    labels = np.array([one.score for one in photos], np.float64)
    moved = ((1 - share) * labels + share * said).tolist()
    return [replace(one, score=score) for one, score in zip(photos, moved, strict=True)]


def scored_by(teacher: SizedTeacher, pictures: Sequence[Framed]) -> list[Framed]:
    """Pictures with the teacher's scores."""
    if not pictures:
        return []
    scores = teacher([_face(one) for one in pictures]).tolist()
    return [replace(one, score=score) for one, score in zip(pictures, scores, strict=True)]


def label_crops(
    context: TrainingContext, teacher: Predictor, lists: Sequence[Manifest]
) -> list[Framed]:
    """Crops with pseudo-labels, which the run folder keeps."""
    found: list[Framed] = []
    for number, one in enumerate(lists):
        table = context.out / f"unlabelled_{number}.csv"
        some, _ = context.pseudo_labelled(table, teacher, one, "whole", PseudoLabelConfig())
        found += some
    return found


def told_size(
    network: Regressor, pictures: Sequence[Framed], spec: PreprocessSpec
) -> SizedRegressor:
    """The start, with what it needs to estimate sizes and to be told them."""
    if isinstance(network, SizedRegressor):
        return network
    sized = SizedRegressor.from_regressor(network)
    seen = features(network, spec, [_face(one) for one in pictures])
    sized.mean.copy_(torch.from_numpy(seen.mean(0)))
    sized.deviation.copy_(torch.from_numpy(seen.std(0) + 0.02 * seen.std()))
    return sized


def blend(network: SizedRegressor, start: Regressor, share: float) -> None:
    """Step 5: move the weights back towards the start's by a share (WiSE-FT, arXiv 2109.01903).

    What the start does not have, such as the head that estimates sizes, stays.
    """
    before, after = start.state_dict(), network.state_dict()
    for name, value in after.items():
        if name in before and value.is_floating_point():
            value.lerp_(before[name].to(value), share)


@torch.inference_mode()
def fit_correction(network: SizedRegressor, photos: Sequence[Framed], spec: PreprocessSpec) -> None:
    """Step 6: least squares of the labels on the terms of the correction."""
    device = this_process().device
    normalise, rows = Normalise(spec).to(device), []
    for start in range(0, len(photos), BATCH):
        views = sampled(photos[start : start + BATCH], spec)
        images = normalise(torch.from_numpy(views).to(device))
        embedding = network.embed(images.contiguous(memory_format=torch.channels_last))
        size = torch.from_numpy(sizes(photos[start : start + BATCH], spec)).to(device)
        estimate, score = network.estimate_size(embedding), network.score_embedding(embedding)
        rows.append(terms(score, estimate, size[:, 0]).double().cpu().numpy())
    columns = np.concatenate(rows)
    known = np.isfinite(columns).all(1)
    labels = np.array([one.score for one in photos], np.float64)
    found = np.linalg.lstsq(columns[known], labels[known], rcond=None)[0]
    network.coefficients.copy_(torch.from_numpy(found))


def _face(one: Framed) -> Face:
    return one.pixels, one.frame
