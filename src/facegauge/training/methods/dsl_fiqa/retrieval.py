"""Has an encoder learned degradation or content? Retrieval by degradation across people.

Asked on faces that training never saw. DSL-FIQA (arXiv 2406.09622) reports the mean
average precision of retrieval, without saying how it is counted; how we count is our choice.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from facegauge.arrays import Pixels
from facegauge.data.degradations import degrade
from facegauge.data.leakage import PEOPLE
from facegauge.data.manifests import Manifest
from facegauge.errors import UsageError
from facegauge.evaluation.intervals import RESAMPLES, Interval, bootstrap
from facegauge.faces.spec import PreprocessSpec
from facegauge.training.inputs.pictures import load_framed, sampled
from facegauge.training.methods.dsl_fiqa.dual_set import KINDS

if TYPE_CHECKING:
    from torch import nn

    from facegauge.training.fit import Validate
    from facegauge.training.inputs.views import Framed

Array = npt.NDArray[np.floating[Any]]
Names = npt.NDArray[np.str_]

METRICS = ("euclidean", "cosine")
PARTS = ("cells", "mean", "embedding")
QUERIES = 256  # whose distances are held at a time


@dataclass(frozen=True, slots=True)
class DegradedFaces:
    """N views with what was done to them.

    Attributes:
        views: (N, H, W, 3) uint8.
        kinds, identities: (N,) names.
        severities: (N,), 0..5.
    """

    views: Pixels
    kinds: Names
    severities: Array
    identities: Names


def degraded_faces(
    pictures: list[Framed],
    identities: Sequence[str],
    spec: PreprocessSpec,
    *,
    kinds: Sequence[str] = KINDS,
    least: float = 1.0,
    seed: int = 0,
) -> DegradedFaces:
    """Every picture under every kind once, at a random severity from `least` to 5.

    As in training, degraded at the network's input size.
    """
    if len(pictures) != len(identities):
        raise UsageError(f"{len(pictures)} pictures need as many names, got {len(identities)}")
    rng = np.random.default_rng(seed)
    severities = rng.uniform(least, 5, (len(pictures), len(kinds)))
    views = [
        degrade(clean, kind, severities[row, column], rng)
        for row, clean in enumerate(sampled(pictures, spec))
        for column, kind in enumerate(kinds)
    ]
    return DegradedFaces(
        np.stack(views),
        np.tile(np.array(kinds), len(pictures)),
        severities.ravel(),
        np.repeat(np.array(identities, dtype=np.str_), len(kinds)),
    )


def sharpest_people(
    manifest: Manifest,
    spec: PreprocessSpec,
    most: int,
    *,
    seed: int = 0,
) -> DegradedFaces:
    """The pictures with the highest labels, one a person, under every kind once.

    People are told apart by the first of `leakage.PEOPLE` that is a column. Without one, and where
    it is blank, every picture is taken for another person's.

    Args:
        manifest: labelled pictures, framed as the labels saw them.
        most: people at most.
    """
    paths = tuple(map(str, manifest.paths))
    people = next((manifest.groups[name] for name in PEOPLE if name in manifest.groups), paths)
    names = [person or path for person, path in zip(people, paths, strict=True)]
    best: dict[str, int] = {}
    for row in np.argsort(-manifest.labels(), kind="stable"):
        best.setdefault(names[row], int(row))
    chosen = dict(list(best.items())[:most])
    faces = load_framed(manifest.take(list(chosen.values())), spec, "whole")
    return degraded_faces(faces, list(chosen), spec, seed=seed)


def embed(
    network: nn.Module,
    views: Pixels,
    spec: PreprocessSpec,
    *,
    part: str = "cells",
    batch: int = 64,
) -> Array:
    """(N, H, W, 3) uint8 to what an encoder says of them, (N, D) float32, in eval mode.

    Args:
        part: "cells", flattened, which scoring reads; "mean", the mean cell, which knows nothing of
            where on the face something is; or "embedding", which training compares.
    """
    import torch

    from facegauge.nn.normalise import Normalise

    if part not in PARTS:
        raise UsageError(f"part must be one of {', '.join(PARTS)}, got {part!r}")
    network.eval()
    device = next(network.parameters()).device
    normalise = Normalise(spec).to(device)
    rows = []
    with torch.inference_mode():
        for start in range(0, len(views), batch):
            seen = normalise(torch.from_numpy(views[start : start + batch]).to(device))
            cells, embedding = network(seen)
            rows.append({"cells": cells, "mean": cells.mean(1), "embedding": embedding}[part])
        array: Array = torch.cat(rows).flatten(1).float().cpu().numpy()
    return array


def retrieval_validation(
    faces: DegradedFaces, spec: PreprocessSpec, *, part: str = "cells", batch: int = 64
) -> Validate:
    """The judge of an encoder's fit: mean average precision of retrieval is the criterion."""

    def validate(network: nn.Module) -> dict[str, float]:
        found = embed(network, faces.views, spec, part=part, batch=batch)
        precision = float(np.nanmean(average_precisions(found, faces.kinds, faces.identities)))
        return {"map": precision, "val_score": precision}

    return validate


@dataclass(frozen=True, slots=True)
class Retrieval:
    """How well pictures find others with the same degradation.

    Attributes:
        precision: mean average precision, 0..1; the interval is over queries.
        chance: what a random order gives on average.
        kinds: the mean over the queries of each kind.
    """

    precision: Interval
    chance: float
    kinds: dict[str, float]


def retrieval(
    embeddings: npt.ArrayLike,
    kinds: Sequence[str] | Names,
    identities: Sequence[str] | Names,
    *,
    metric: str = "euclidean",
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Retrieval:
    """Judge embeddings (N, D); see `average_precisions` for what counts as found.

    Raises:
        UsageError: the lengths differ, an unknown metric, or no picture can find another.
    """
    kinds, identities = np.asarray(kinds), np.asarray(identities)
    found = average_precisions(embeddings, kinds, identities, metric=metric, seed=seed)
    asked = np.isfinite(found)
    if not asked.any():
        raise UsageError("no kind is there for two identities, so nothing can be retrieved")
    counts = (_sought(kinds, identities, int(query)) for query in np.flatnonzero(asked))
    chance = [expected_precision(int(hits.sum()), int(among.sum())) for hits, among in counts]
    return Retrieval(
        bootstrap(np.mean, found[asked], resamples=resamples, seed=seed),
        float(np.mean(chance)),
        {
            str(kind): float(np.mean(found[asked & (kinds == kind)]))
            for kind in np.unique(kinds[asked])
        },
    )


def average_precisions(
    embeddings: npt.ArrayLike,
    kinds: Names,
    identities: Names,
    *,
    metric: str = "euclidean",
    seed: int = 0,
) -> npt.NDArray[np.float64]:
    """The average precision of each picture as a query for its kind, (N,).

    Hits are pictures of the same kind and another identity. Those of the same kind and identity
    are left out. All others, the query's own face under other kinds among them, are misses: an
    encoder that goes by content ranks these first. Equal distances are put in a random order.

    Args:
        embeddings: (N, D).
        metric: "euclidean", or "cosine" for directions alone.

    Returns:
        0..1; nan for a query without hits.

    Raises:
        UsageError: the lengths differ, or an unknown metric.
    """
    rows = np.asarray(embeddings)
    if not len(rows) == len(kinds) == len(identities):
        raise UsageError(
            "expected one length, got "
            f"{len(rows)} embeddings, {len(kinds)} kinds, {len(identities)} identities"
        )
    if metric not in METRICS:
        raise UsageError(f"metric must be {' or '.join(METRICS)}, got {metric!r}")
    rows = rows.astype(np.float32 if rows.dtype == np.float32 else np.float64, copy=False)
    if metric == "cosine":
        rows = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    else:
        rows = rows - rows.mean(0)  # keeps the numbers small that are subtracted from each other
    lengths, shuffled = np.square(rows).sum(1), np.random.default_rng(seed).permutation(len(rows))
    found = np.full(len(rows), math.nan)
    for query in range(len(rows)):
        if query % QUERIES == 0:
            distances = lengths - 2 * rows[query : query + QUERIES] @ rows.T
        hits, among = _sought(kinds, identities, query)
        if hits.any():
            order = shuffled[np.argsort(distances[query % QUERIES][shuffled], kind="stable")]
            ranked = hits[order[among[order]]]
            places = np.flatnonzero(ranked) + 1
            found[query] = np.mean(np.arange(1, len(places) + 1) / places)
    return found


def _sought(
    kinds: Names, identities: Names, query: int
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """The hits of a query, and what it searches: both (N,)."""
    same_kind, same_face = kinds == kinds[query], identities == identities[query]
    return same_kind & ~same_face, ~(same_kind & same_face)


def expected_precision(hits: int, among: int) -> float:
    """The average precision of a random order, on average: `hits` to find `among` pictures.

    With H the sum of 1/k for k up to G = `among` and R = `hits`, it is
    (H + (G - H) (R - 1) / (G - 1)) / G.
    """
    harmonic = float(np.sum(1 / np.arange(1, among + 1)))
    return (harmonic + (among - harmonic) * (hits - 1) / max(1, among - 1)) / among
