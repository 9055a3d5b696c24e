"""Retrieval by degradation across people: does an encoder describe degradation, or content?

Measured on faces that were not trained on. DSL-FIQA (arXiv 2406.09622) reports a mean average
precision of such a retrieval without its definition; ours is in `average_precisions`.
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
from facegauge.progress import track
from facegauge.training.devices import of_all_processes, own_rows
from facegauge.training.inputs.pictures import load_framed, sampled
from facegauge.training.methods.dsl_fiqa.dual_set_batches import KINDS

if TYPE_CHECKING:
    from torch import nn

    from facegauge.training.fit import Validate
    from facegauge.training.inputs.views import Framed

Array = npt.NDArray[np.floating[Any]]
Names = npt.NDArray[np.str_]

PARTS = ("cells", "mean", "embedding")
CHUNK = 256  # queries whose distances are computed at a time


@dataclass(frozen=True, slots=True)
class DegradedFaces:
    """N degraded views of faces.

    Attributes:
        views: (N, H, W, 3) uint8.
        kinds: (N,) names of degradations.
        severities: (N,), 0..5.
        identities: (N,) names of people.
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
    min_severity: float = 1.0,
    seed: int = 0,
) -> DegradedFaces:
    """Every picture under every kind of degradation once, at a random severity.

    As in training, pictures are degraded at the network's input size.

    Args:
        pictures: clean faces.
        identities: the person in each picture.
        spec: the network's input.
        kinds: of degradations.
        min_severity: lowest severity; the highest is 5.
        seed: of the severities and of the degradations.

    Raises:
        UsageError: the numbers of pictures and of identities differ.
    """
    if len(pictures) != len(identities):
        raise UsageError(
            f"expected {len(pictures)} identities, one a picture, got {len(identities)}"
        )
    rng = np.random.default_rng(seed)
    severities = rng.uniform(min_severity, 5, (len(pictures), len(kinds)))
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


def degraded_people(
    manifest: Manifest,
    spec: PreprocessSpec,
    people: int,
    *,
    seed: int = 0,
) -> DegradedFaces:
    """The picture with the highest label of each person, under every kind of degradation once.

    The first of the columns `leakage.PEOPLE` that the manifest has identifies people. Without one,
    and where it is blank, every picture counts as another person.

    Args:
        manifest: labelled pictures, framed as the labels saw them.
        spec: the network's input.
        people: number of people at most, those with the highest labels.
        seed: see `degraded_faces`.
    """
    paths = tuple(map(str, manifest.paths))
    column = next((manifest.groups[name] for name in PEOPLE if name in manifest.groups), paths)
    names = [person or path for person, path in zip(column, paths, strict=True)]
    best: dict[str, int] = {}
    for row in np.argsort(-manifest.labels(), kind="stable"):
        best.setdefault(names[row], int(row))
    chosen = dict(list(best.items())[:people])
    faces = load_framed(manifest.take(list(chosen.values())), spec, "whole")
    return degraded_faces(faces, list(chosen), spec, seed=seed)


def embed(
    network: nn.Module,
    views: Pixels,
    spec: PreprocessSpec,
    *,
    part: str = "cells",
    batch_size: int = 64,
) -> Array:
    """An encoder's descriptions of views, in evaluation mode.

    Args:
        network: a `DegradationEncoder`.
        views: (N, H, W, 3) uint8.
        spec: normalisation of the views.
        part: "cells", flattened, which scoring uses; "mean", their mean, without positions on the
            face; or "embedding", which the contrastive loss compares.
        batch_size: views that the network sees at a time.

    Returns:
        (N, D) float32.

    Raises:
        UsageError: an unknown part.
    """
    import torch

    from facegauge.nn.normalise import Normalise

    if part not in PARTS:
        raise UsageError(f"expected part to be {' or '.join(PARTS)}, got {part!r}")
    network.eval()
    device = next(network.parameters()).device
    normalise = Normalise(spec).to(device)
    rows = []
    with torch.inference_mode():
        starts, total = range(0, len(views), batch_size), len(views)
        for start in track(starts, "embedding", total=total, unit="views", each=batch_size):
            seen = normalise(torch.from_numpy(views[start : start + batch_size]).to(device))
            cells, embedding = network(seen)
            rows.append({"cells": cells, "mean": cells.mean(1), "embedding": embedding}[part])
        array: Array = torch.cat(rows).flatten(1).float().cpu().numpy()
    return array


def retrieval_validation(
    faces: DegradedFaces, spec: PreprocessSpec, *, part: str = "cells"
) -> Validate:
    """Validation of an encoder: `map`, its mean average precision, is also the `val_score`.

    Args:
        faces: whose views are queries and candidates.
        spec, part: see `embed`.
    """

    def validate(network: nn.Module) -> dict[str, float]:
        own = own_rows(len(faces.views))
        embedded = embed(network, faces.views[own], spec, part=part)
        embeddings = of_all_processes(embedded, len(faces.views))
        each = average_precisions(embeddings, faces.kinds, faces.identities)
        precision = float(np.nanmean(each))
        return {"map": precision, "val_score": precision}

    return validate


@dataclass(frozen=True, slots=True)
class Retrieval:
    """How well pictures retrieve others with the same degradation.

    Attributes:
        precision: mean average precision, 0..1; the interval is over queries.
        chance: its expected value for a random order.
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
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Retrieval:
    """The mean average precision of embeddings; see `average_precisions` for its definition.

    Args:
        embeddings: (N, D).
        kinds: N names of degradations.
        identities: N names of people.
        resamples, seed: of the bootstrap interval; the seed also orders equal distances.

    Raises:
        UsageError: the lengths differ, or no picture can retrieve another.
    """
    kinds, identities = np.asarray(kinds), np.asarray(identities)
    found = average_precisions(embeddings, kinds, identities, seed=seed)
    asked = np.isfinite(found)
    if not asked.any():
        raise UsageError("expected a degradation with pictures of two or more people, got none")
    counts = (_relevant(kinds, identities, int(query)) for query in np.flatnonzero(asked))
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
    seed: int = 0,
) -> npt.NDArray[np.float64]:
    """The average precision of each picture as a query for its kind, by Euclidean distance.

    Relevant are pictures of the same kind and another identity. Those of the same kind and identity
    are excluded. All others, the query's own face under other kinds among them, are irrelevant: an
    encoder of content ranks these first. Equal distances are put in a random order.

    Args:
        embeddings: (N, D).
        kinds: (N,) names of degradations.
        identities: (N,) names of people.
        seed: of the order of equal distances.

    Returns:
        (N,), 0..1; nan for a query without relevant pictures.

    Raises:
        UsageError: the lengths differ.
    """
    rows = np.asarray(embeddings)
    if not len(rows) == len(kinds) == len(identities):
        raise UsageError(
            "expected one length, got "
            f"{len(rows)} embeddings, {len(kinds)} kinds, {len(identities)} identities"
        )
    rows = rows.astype(np.float32 if rows.dtype == np.float32 else np.float64, copy=False)
    rows = rows - rows.mean(0)  # against cancellation: keeps the numbers small
    lengths, shuffled = np.square(rows).sum(1), np.random.default_rng(seed).permutation(len(rows))
    found = np.full(len(rows), math.nan)
    for query in range(len(rows)):
        if query % CHUNK == 0:
            distances = lengths - 2 * rows[query : query + CHUNK] @ rows.T
        hits, among = _relevant(kinds, identities, query)
        if hits.any():
            order = shuffled[np.argsort(distances[query % CHUNK][shuffled], kind="stable")]
            ranked = hits[order[among[order]]]
            places = np.flatnonzero(ranked) + 1
            found[query] = np.mean(np.arange(1, len(places) + 1) / places)
    return found


def _relevant(
    kinds: Names, identities: Names, query: int
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """The relevant pictures of a query, and the candidates: both (N,) masks."""
    same_kind, same_face = kinds == kinds[query], identities == identities[query]
    return same_kind & ~same_face, ~(same_kind & same_face)


def expected_precision(hits: int, among: int) -> float:
    """The expected average precision of a random order.

    With G = `among`, R = `hits` and H the sum of 1/k for k = 1..G, it is
    (H + (G - H) (R - 1) / (G - 1)) / G.

    Args:
        hits: relevant pictures, 1 or more.
        among: candidates, `hits` or more.
    """
    harmonic = float(np.sum(1 / np.arange(1, among + 1)))
    return (harmonic + (among - harmonic) * (hits - 1) / max(1, among - 1)) / among
