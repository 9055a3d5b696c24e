"""Splits by person or picture, with the labels of the whole in each."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from facegauge.data.leakage import check_leakage
from facegauge.data.manifests import Manifest, load_manifest
from facegauge.data.splitting import split_manifest
from facegauge.errors import UsageError
from toys import noise_picture, write_manifest

COUNT = 60


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 pictures of 20 people, with labels that rise; the first is there twice."""
    folder = tmp_path_factory.mktemp("split")
    rows = []
    for number in range(COUNT):
        noise_picture(number).save(folder / f"{number:02d}.png")
        person = f"p{number % 20}" if number else ""
        rows.append({"image": f"{number:02d}.png", "score": number / COUNT, "identity": person})
    shutil.copy(folder / "00.png", folder / "59.png")
    write_manifest(folder / "people.csv", rows)
    write_manifest(folder / "list.csv", [{k: r[k] for k in ("image", "score")} for r in rows])
    return folder


def share(manifest: Manifest, name: str) -> float:
    return manifest.splits.count(name) / len(manifest)


@pytest.mark.parametrize("name", ["people.csv", "list.csv"])
def test_no_person_and_no_picture_is_in_two_splits(pictures: Path, name: str) -> None:
    whole = load_manifest(pictures / name)
    one, again, other = (split_manifest(whole, val=0.25, test=0.1, seed=s) for s in (3, 3, 4))
    assert one.splits == again.splits != other.splits
    assert one.paths == whole.paths and one.scores.tolist() == whole.scores.tolist()
    for drawn in (one, other):
        assert check_leakage(drawn) == []
        assert share(drawn, "val") == pytest.approx(0.25, abs=0.05)
        assert share(drawn, "test") == pytest.approx(0.1, abs=0.05)


def test_every_split_has_low_and_high_labels(pictures: Path) -> None:
    whole = load_manifest(pictures / "list.csv")
    for seed in range(5):
        val = split_manifest(whole, val=0.2, seed=seed).where(split="val").labels()
        assert np.abs(np.quantile(val, [0.1, 0.5, 0.9]) - [0.1, 0.5, 0.9]).max() < 0.1


def test_lists_without_labels_are_divided_too(pictures: Path) -> None:
    from dataclasses import replace

    whole = replace(load_manifest(pictures / "list.csv"), scores=None)
    assert share(split_manifest(whole), "val") == pytest.approx(0.2, abs=0.02)


@pytest.mark.parametrize(("val", "test"), [(0, 0), (1, 0), (0.5, 0.5), (-0.1, 0), (0.2, 1)])
def test_shares_must_leave_some_for_train(pictures: Path, val: float, test: float) -> None:
    with pytest.raises(UsageError, match="shares above 0 that leave some for train"):
        split_manifest(load_manifest(pictures / "list.csv"), val=val, test=test)


def test_too_few_people_are_said(pictures: Path) -> None:
    people = load_manifest(pictures / "people.csv")
    of_two = people.take([row for row, who in enumerate(people.group("identity"))
                          if who in ("p1", "p2")])  # fmt: skip
    with pytest.raises(UsageError, match=r"has 2 people to divide; expected 3 or more"):
        split_manifest(of_two)
