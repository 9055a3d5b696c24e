"""`facegauge data`, as typed, on a tiny folder."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from facegauge.cli import app
from facegauge.data.manifests import load_manifest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for seed, part in enumerate(("train", "val", "test")):
        images = tmp_path / "set" / part / "img"
        images.mkdir(parents=True)
        pixels = np.random.default_rng(seed).integers(0, 255, (9, 9, 3), np.uint8)
        Image.fromarray(pixels).save(images / f"{part}.png")
        names = {"Image": [f"{part}.png"], "MOS": [0.25]}
        (tmp_path / "set" / part / "label.json").write_text(json.dumps(names))
    return tmp_path / "set"


def data(code: int, *words: object) -> tuple[str, str]:
    result = CliRunner().invoke(app, ["data", *map(str, words)])
    assert result.exit_code == code, result.output
    return result.stdout, result.stderr


def test_check_of_a_whole_folder(folder: Path) -> None:
    out, _ = data(0, "check", folder, "--as", "cgfiqa-40k")
    rows = [line.split() for line in out.splitlines()]
    assert ["train", "1", "1", "27518"] in rows and ["test", "1", "1", "7863"] in rows
    assert "missing" not in out and "unreadable" not in out


def test_check_names_what_is_wrong(folder: Path) -> None:
    (folder / "train" / "img" / "train.png").write_bytes(b"nothing")
    (folder / "val" / "img" / "val.png").unlink()
    (folder / "test" / "label.json").unlink()
    out, _ = data(3, "check", folder, "--as", "cgfiqa-40k")
    assert f"missing label files: 1\n  {folder / 'test' / 'label.json'}" in out
    assert f"missing pictures: 1\n  {folder / 'val' / 'img' / 'val.png'} (val)" in out
    assert f"unreadable: 1\n  {folder / 'train' / 'img' / 'train.png'}" in out
    assert "pictures without a label: 1" in out
    quick, _ = data(3, "check", folder, "--as", "cgfiqa-40k", "--quick")
    assert "unreadable" not in quick and "missing pictures: 1" in quick


def test_the_same_file_twice_is_a_finding(folder: Path) -> None:
    twin = (folder / "train" / "img" / "train.png").read_bytes()
    (folder / "test" / "img" / "test.png").write_bytes(twin)
    out, _ = data(3, "check", folder, "--as", "cgfiqa-40k")
    assert "identical files: 1" in out
    data(0, "check", folder, "--as", "cgfiqa-40k", "--quick")


def test_manifest_is_what_train_reads(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "labels.csv"
    _, said = data(0, "manifest", folder, "--as", "cgfiqa-40k", "-o", file, "--scale", "0,2")
    assert "3 pictures (1 train, 1 val, 1 test)" in said
    manifest = load_manifest(file)
    assert manifest.labels().tolist() == [0.125] * 3
    assert manifest.splits == ("train", "val", "test")
    assert file.read_text().splitlines()[1] == "set/train/img/train.png,0.125000,train"

    (folder / "val" / "img" / "val.png").unlink()
    _, said = data(3, "manifest", folder, "--as", "cgfiqa-40k", "-o", tmp_path / "fewer.csv")
    assert "left out, missing: 1" in said and "val.png" in said
    assert len(load_manifest(tmp_path / "fewer.csv")) == 2


def test_wrong_words(folder: Path) -> None:
    _, said = data(2, "check", folder, "--as", "piq23")
    assert "Scores_Overall.csv" in said and "Device Split.csv" in said
    _, said = data(2, "check", folder, "--as", "cgfiqa-40k", "--scale", "five")
    assert "expected --scale to be two numbers" in said
    _, said = data(2, "check", folder, "--as", "faces")
    assert "expected one of cgfiqa-40k, gfiqa-20k, piq23, vquala-2025" in said


@pytest.fixture
def lists(folder: Path) -> tuple[Path, Path]:
    """Labels with splits, and a table of pseudo-labels of one of their pictures and two others."""
    own, told = folder / "own.csv", folder / "told.csv"
    own.write_text(
        "image,score,split,gender\n"
        "train/img/train.png,0.5,train,female\nval/img/val.png,0.25,val,male\n"
    )
    (folder / "blank.png").write_bytes(b"")
    told.write_text(
        "image,status,score,weight\ntest/img/test.png,ok,0.75,0.9\n"
        "train/img/../img/train.png,ok,0.7,0.8\nblank.png,unreadable,,\n"
    )
    return own, told


def test_lists_are_put_together(lists: tuple[Path, Path], tmp_path: Path) -> None:
    own, told = lists
    (tmp_path / "lists").mkdir()
    both = tmp_path / "lists" / "both.csv"
    _, said = data(0, "join", own, told, "-o", both)
    assert f"{both}: 3 pictures (2 train, 1 val)" in said
    assert "left out, also in an earlier manifest: 1\n" in said and "train.png" in said
    found = load_manifest(both)
    assert [path.name for path in found.paths] == ["train.png", "val.png", "test.png"]
    assert found.labels().tolist() == [0.5, 0.25, 0.75]
    assert found.splits == ("train", "val", "train")
    assert found.group("gender") == ("female", "male", "")
    assert found.group("weight") == ("", "", "0.9")
    assert found.group("manifest") == ("set/own.csv", "set/own.csv", "set/told.csv")

    again = tmp_path / "again.csv"
    _, said = data(0, "join", told, both, "--split", "test", "-o", again)
    assert "3 pictures (2 test, 1 val)" in said
    assert load_manifest(again).group("manifest") == ("set/told.csv", "set/told.csv", "set/own.csv")


def test_lists_that_cannot_be_put_together(lists: tuple[Path, Path], tmp_path: Path) -> None:
    own, told = lists
    _, said = data(2, "join", own, tmp_path / "set", "-o", tmp_path / "both.csv")
    assert "a folder of pictures, which have no score" in said
    _, said = data(2, "join", own, told, "-o", told)
    assert "told.csv is what is read; choose another name" in said


def test_split_divides_and_maps_labels(tmp_path: Path) -> None:
    rows = []
    for number in range(12):
        pixels = np.random.default_rng(number).integers(0, 255, (9, 9, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
        rows.append(f"{number}.png,{1 + number % 5},p{number // 2}")
    (tmp_path / "list.csv").write_text("\n".join(["image,score,person", *rows]) + "\n")
    out = tmp_path / "split.csv"
    _, err = data(0, "split", tmp_path / "list.csv", "-o", out, "--scale", "1,5", "--val", "0.34")
    assert "12 pictures (8 train, 4 val)" in err or "12 pictures (4 val, 8 train)" in err
    assert "divided by person" in err and "labels from 1 to 5 become 0 to 1" in err
    found = load_manifest(out)
    assert sorted(set(found.scores)) == [0, 0.25, 0.5, 0.75, 1]
    _, err = data(2, "split", tmp_path / "list.csv", "-o", tmp_path / "b.csv", "--scale", "one")
    assert "expected --scale to be two numbers" in err
