"""Retrieval by degradation and the linear probe, against slow counts and known answers."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from facegauge.data.degradations import degrade
from facegauge.data.manifests import load_manifest
from facegauge.errors import UsageError
from facegauge.faces.spec import PreprocessSpec
from facegauge.results import Box
from facegauge.training.inputs.views import Framed
from facegauge.training.methods.dsl_fiqa.dual_set_batches import KINDS
from facegauge.training.methods.dsl_fiqa.encoder import DegradationEncoder
from facegauge.training.methods.dsl_fiqa.retrieval import (
    CHUNK,
    average_precisions,
    degraded_faces,
    degraded_people,
    embed,
    expected_precision,
    retrieval,
    retrieval_validation,
)

SPEC = PreprocessSpec(width=24, height=32)


def slow_precision(embeddings, kinds, identities, query: int) -> float:
    gallery = [
        row
        for row in range(len(kinds))
        if not (kinds[row] == kinds[query] and identities[row] == identities[query])
    ]
    gallery.sort(key=lambda row: sum((embeddings[row] - embeddings[query]) ** 2))
    hits, total = 0, 0.0
    for place, row in enumerate(gallery, 1):
        if kinds[row] == kinds[query]:
            hits += 1
            total += hits / place
    return total / hits if hits else float("nan")


def test_average_precision_is_that_of_a_slow_loop() -> None:
    rng = np.random.default_rng(0)
    count = CHUNK + 30  # more than are held at a time
    embeddings = rng.normal(size=(count, 3)) + 50
    kinds = rng.choice(["a", "b", "c"], count)
    kinds[7] = "z"
    identities = rng.choice(list("pqrs"), count)
    got = average_precisions(embeddings, kinds, identities)
    for query in [*range(12), *range(count - 20, count)]:
        expected = slow_precision(embeddings, kinds, identities, query)
        assert got[query] == pytest.approx(expected, nan_ok=True)
    assert np.isnan(got[7]) and np.isnan(got).sum() == 1


def test_a_hand_worked_query() -> None:
    """Query p1/a: b of its own face first, then a hit, another miss, a hit: (1/2 + 2/4) / 2."""
    embeddings = np.array([[0.0], [1], [2], [3], [4], [0.5]])
    kinds = np.array(["a", "b", "a", "b", "a", "a"])
    identities = np.array(["1", "1", "2", "2", "3", "1"])  # the last: same kind and face, left out
    assert average_precisions(embeddings, kinds, identities)[0] == pytest.approx(0.5)


def grid(people: int = 5) -> tuple[np.ndarray, np.ndarray]:
    pairs = list(itertools.product("abc", map(str, range(people))))
    kinds, identities = (np.array(side) for side in zip(*pairs, strict=True))
    return kinds, identities


def test_kinds_give_1_and_faces_less_than_chance() -> None:
    kinds, identities = grid()
    by_kind = np.eye(3)[[ord(kind) - ord("a") for kind in kinds]]
    by_face = np.eye(5)[identities.astype(int)]
    assert retrieval(by_kind, kinds, identities).precision.value == 1
    judged = retrieval(by_face, kinds, identities)
    assert judged.precision.value < judged.chance


def test_equal_embeddings_are_worth_chance_whatever_the_order() -> None:
    kinds, identities = grid(people=40)
    judged = retrieval(np.ones((120, 4)), kinds, identities, resamples=50)
    assert judged.precision.value == pytest.approx(judged.chance, abs=0.04)


@pytest.mark.parametrize(("hits", "among"), [(1, 1), (1, 4), (2, 5), (3, 6), (4, 4)])
def test_chance_is_the_mean_over_all_orders(hits: int, among: int) -> None:
    values = []
    for places in itertools.combinations(range(1, among + 1), hits):
        values.append(np.mean([rank / place for rank, place in enumerate(places, 1)]))
    assert expected_precision(hits, among) == pytest.approx(np.mean(values))


def test_what_is_reported() -> None:
    kinds, identities = grid()
    embeddings = np.random.default_rng(0).normal(size=(15, 3))
    judged = retrieval(embeddings, kinds, identities, resamples=100)
    each = average_precisions(embeddings, kinds, identities)
    assert judged.precision.value == pytest.approx(each.mean()) and judged.precision.n == 15
    assert judged.precision.low < judged.precision.value < judged.precision.high
    assert judged.chance == pytest.approx(expected_precision(4, 14))
    assert judged.kinds["b"] == pytest.approx(each[kinds == "b"].mean())


def test_what_cannot_be_retrieved_is_said() -> None:
    with pytest.raises(UsageError, match="two or more people, got none"):
        retrieval(np.ones((2, 1)), ["a", "b"], ["1", "2"])
    with pytest.raises(UsageError, match="2 embeddings, 1 kinds"):
        retrieval(np.ones((2, 1)), ["a"], ["1", "2"])


def faces(count: int) -> list[Framed]:
    rng = np.random.default_rng(0)
    box = Box(0, 0, 24, 32)
    return [Framed(rng.integers(60, 196, (32, 24, 3), np.uint8), box) for _ in range(count)]


def test_every_face_is_degraded_by_every_kind() -> None:
    pictures = faces(3)
    made = degraded_faces(pictures, ["x", "y", "x"], SPEC, seed=4)
    assert made.views.shape == (45, 32, 24, 3) and made.views.dtype == np.uint8
    assert made.kinds.tolist() == list(KINDS) * 3
    assert made.identities.tolist() == ["x"] * 15 + ["y"] * 15 + ["x"] * 15
    assert made.severities.min() >= 1 and made.severities.max() <= 5
    row = 15 + KINDS.index("dark")
    expected = degrade(pictures[1].pixels, "dark", made.severities[row], np.random.default_rng(0))
    assert np.array_equal(made.views[row], expected)
    again = degraded_faces(pictures, ["x", "y", "x"], SPEC, seed=4)
    assert np.array_equal(again.views, made.views)
    with pytest.raises(UsageError, match="expected 3 identities, one a picture, got 1"):
        degraded_faces(pictures, ["x"], SPEC)


def test_an_encoder_is_validated_on_its_cells() -> None:
    torch.manual_seed(0)
    network = DegradationEncoder(channels=(4, 6, 8), grid=(4, 3)).eval()
    made = degraded_faces(faces(2), ["x", "y"], SPEC, kinds=("dark", "noise"))
    cells = embed(network, made.views, SPEC, batch_size=3)
    assert cells.shape == (4, 12 * 8) and cells.dtype == np.float32
    assert np.allclose(cells, embed(network, made.views, SPEC, batch_size=4), atol=1e-5)
    other = embed(network, made.views, SPEC, part="embedding")
    assert other.shape == cells.shape and not np.allclose(other, cells)
    mean = embed(network, made.views, SPEC, part="mean")
    assert np.allclose(mean, cells.reshape(4, 12, 8).mean(1), atol=1e-6)
    with pytest.raises(UsageError, match="part to be cells or mean or embedding, got 'all'"):
        embed(network, made.views, SPEC, part="all")
    figures = retrieval_validation(made, SPEC)(network)
    expected = average_precisions(cells, made.kinds, made.identities).mean()
    assert figures["val_score"] == figures["map"] == pytest.approx(expected)


def test_the_sharpest_picture_of_each_person_is_taken(tmp_path: Path) -> None:
    lines = ["image,score,split,identity"]
    for number, (score, who) in enumerate([(0.2, "a"), (0.9, "b"), (0.5, "a"), (0.3, "c")]):
        Image.new("RGB", (24, 32), (40 * number + 40,) * 3).save(tmp_path / f"{number}.png")
        lines.append(f"{number}.png,{score},val,{who}")
    (tmp_path / "labels.csv").write_text("\n".join(lines))
    manifest = load_manifest(tmp_path / "labels.csv")
    faces = degraded_people(manifest, PreprocessSpec(width=24, height=32), 2)
    assert list(dict.fromkeys(faces.identities)) == ["b", "a"]
    assert len(faces.views) == 2 * len(KINDS)
    (tmp_path / "people.csv").write_text("\n".join(lines).replace("identity", "subject"))
    named = degraded_people(load_manifest(tmp_path / "people.csv"), PreprocessSpec(24, 32), 9)
    assert list(dict.fromkeys(named.identities)) == ["b", "a", "c"]
    unnamed = "\n".join(line.removesuffix("a") for line in lines)
    (tmp_path / "labels.csv").write_text(unnamed)
    apart = degraded_people(load_manifest(tmp_path / "labels.csv"), PreprocessSpec(24, 32), 9)
    assert len(set(apart.identities)) == 4
    clean = faces.views[list(faces.kinds).index("jpeg")]  # a flat picture stays what it is
    assert abs(float(clean.mean()) - 80) < 3
