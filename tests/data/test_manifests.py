"""Manifests: what is read, what is refused and how, and leaks between splits."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from facegauge.data.leakage import _near_duplicates, check_leakage, thumbnail
from facegauge.data.manifests import join_unlabelled, load_manifest
from facegauge.errors import UsageError
from facegauge.faces.spec import PreprocessSpec
from facegauge.training.context import describe
from facegauge.training.inputs.pictures import load_framed

CSV = "image,score,split,identity\n000012.png,0.25,train,7\nb.png,1,val,8\n"


def picture(seed=0, size=(44, 56)):
    rng = np.random.default_rng(seed)
    return Image.fromarray(rng.integers(0, 255, (6, 5, 3), np.uint8)).resize(size)


@pytest.fixture
def folder(tmp_path):
    for number, name in enumerate(("000012.png", "b.png", "c.png")):
        picture(number).save(tmp_path / name)
    return tmp_path


def load(folder, text):
    file = folder / "list.csv"
    file.write_text(text, encoding="utf-8")
    return load_manifest(file)


def test_columns_become_fields_and_names_keep_their_zeros(folder):
    manifest = load(folder, "\ufeff" + CSV)
    assert [path.name for path in manifest.paths] == ["000012.png", "b.png"]
    assert manifest.paths[0] == folder / "000012.png"
    assert manifest.scores.tolist() == [0.25, 1.0]
    assert manifest.splits == ("train", "val")
    assert manifest.groups == {"identity": ("7", "8")}
    assert len(manifest) == 2
    assert manifest.source == folder / "list.csv"


def test_score_and_split_are_optional_until_asked_for(folder):
    manifest = load(folder, "image,gender\nb.png,woman\n")
    assert manifest.scores is None and manifest.splits is None
    with pytest.raises(UsageError, match="no column score; its columns are image, gender"):
        manifest.labels()
    with pytest.raises(UsageError, match="no column split"):
        manifest.where(split="val")
    with pytest.raises(UsageError, match="no column age"):
        manifest.group("age")


def test_where_and_take_keep_the_rows_together(folder):
    manifest = load(folder, CSV)
    val = manifest.where(split="val")
    assert (val.paths[0].name, val.scores.tolist(), val.groups["identity"]) == (
        "b.png",
        [1.0],
        ("8",),
    )
    turned = manifest.take([1, 0])
    assert turned.splits == ("val", "train") and turned.scores.tolist() == [1.0, 0.25]
    assert len(manifest.take(np.array([False, False]))) == 0
    with pytest.raises(UsageError, match="no rows with split 'test'; it has train, val"):
        manifest.where(split="test")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,score\nb.png,0.5\n", "no column image; its columns are name, score"),
        ("image,score\nb.png,0.5\nc.png,good\n", "row 3: expected a score from 0 to 1, got 'good'"),
        ("image,score\nb.png,50\n", "row 2: expected a score from 0 to 1, got '50'"),
        ("image,score\nb.png,nan\n", "row 2: expected a score"),
        ("image,score\nb.png,\n", "row 2: expected a score from 0 to 1, got ''"),
        ("image\nb.png\nc.png\nnone.png\n", "row 4: no picture at .*none.png"),
        ("image\nb.png\nc.png\nb.png\n", "rows 2 and 4: both list 'b.png'"),
        ("image,score\nb.png,0.5,1\n", "row 2: expected 2 fields, got 3"),
        ("image,image\nb.png,b.png\n", "two columns of one name"),
        ("image,score\n", "a header and no rows"),
        ("", "is empty"),
    ],
)
def test_what_is_wrong_is_said_with_its_row(folder, text, message):
    with pytest.raises(UsageError, match=message):
        load(folder, text)


def test_wrong_sources(folder):
    with pytest.raises(UsageError, match="no manifest at"):
        load_manifest(folder / "missing.csv")
    (folder / "list.xlsx").write_bytes(b"x")
    with pytest.raises(UsageError, match=r"expected a .csv or .parquet file"):
        load_manifest(folder / "list.xlsx")


def test_backslashes_and_another_root(folder):
    (folder / "deep").mkdir()
    shutil.copy(folder / "b.png", folder / "deep" / "b.png")
    assert load(folder, "image\ndeep\\b.png\n").paths == (folder / "deep" / "b.png",)
    (folder / "lists").mkdir()
    file = folder / "lists" / "l.csv"
    file.write_text("image\nb.png\n")
    assert load_manifest(file, root=folder).paths == (folder / "b.png",)


def test_parquet_gives_the_same_as_csv(folder):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    table = pa.table(
        {
            "image": ["000012.png", "b.png"],
            "score": [0.25, 1.0],
            "split": ["train", "val"],
            "identity": [7, 8],
        }
    )
    parquet.write_table(table, folder / "list.parquet")
    ours, theirs = load_manifest(folder / "list.parquet"), load(folder, CSV)
    assert ours.paths == theirs.paths and ours.splits == theirs.splits
    assert ours.scores.tolist() == theirs.scores.tolist() and ours.groups == theirs.groups
    (folder / "bad.parquet").write_bytes(b"no parquet")
    with pytest.raises(UsageError, match="as Parquet"):
        load_manifest(folder / "bad.parquet")


def test_a_folder_is_a_manifest_without_scores(folder, tmp_path_factory):
    (folder / "notes.txt").write_text("no picture")
    manifest = load_manifest(folder)
    assert [path.name for path in manifest.paths] == ["000012.png", "b.png", "c.png"]
    assert manifest.scores is None
    with pytest.raises(UsageError, match="no pictures in"):
        load_manifest(tmp_path_factory.mktemp("empty"))


def labelled(folder, names, splits, identities):
    rows = [f"{n},{s},{i}" for n, s, i in zip(names, splits, identities, strict=True)]
    return load(folder, "image,split,identity\n" + "\n".join(rows) + "\n")


def test_leaks_are_found_across_splits_and_only_there(folder):
    original = picture(5, (178, 218))
    original.save(folder / "o.png")
    shutil.copy(folder / "o.png", folder / "copy.png")
    original.resize((100, 122)).save(folder / "small.jpg", quality=40)
    original.filter(ImageFilter.GaussianBlur(2)).save(folder / "soft.png")
    names = ["o.png", "copy.png", "small.jpg", "soft.png", "b.png"]
    found = check_leakage(
        labelled(folder, names, ["train", "val", "val", "train", "val"], ["1", "2", "3", "4", "4"])
    )
    pairs = {(leak.kind, leak.first.name, leak.second.name) for leak in found}
    assert pairs == {
        ("same file", "o.png", "copy.png"),
        ("near duplicate", "o.png", "small.jpg"),
        ("near duplicate", "copy.png", "soft.png"),
        ("near duplicate", "small.jpg", "soft.png"),
        ("same person", "soft.png", "b.png"),
    }
    assert str(found[0]).startswith("same file: ") and " in train, " in str(found[0])
    assert check_leakage(labelled(folder, names, ["train"] * 5, ["1"] * 5)) == []
    assert check_leakage(load(folder, "image\nb.png\n")) == []


def test_near_duplicates_are_found_in_blocks_of_any_size():
    thumbs = np.eye(6, dtype=np.float32)[[0, 1, 2, 1, 3, 0, 2]]
    paths, sides = [Path(str(n)) for n in range(7)], ["train"] * 4 + ["val"] * 3
    whole = _near_duplicates(paths, sides, thumbs, 0.9)
    assert {(leak.first.name, leak.second.name) for leak in whole} == {("0", "5"), ("2", "6")}
    assert sorted(map(str, _near_duplicates(paths, sides, thumbs, 0.9, block=2))) == sorted(
        map(str, whole)
    )


def test_two_manifests_share_pictures_but_not_people(folder):
    shutil.copy(folder / "b.png", folder / "again.png")
    first = load(folder, "image,identity\nb.png,1\nc.png,2\n")
    second = load(folder, "image,identity\nagain.png,9\n000012.png,2\n")
    (leak,) = check_leakage(first, second)
    assert (leak.kind, leak.first.name, leak.second.name) == ("same file", "b.png", "again.png")


def test_an_unreadable_picture_is_named(folder):
    (folder / "bad.png").write_bytes(b"not a picture")
    with pytest.raises(UsageError, match=r"bad\.png"):
        check_leakage(load(folder, "image,split\nbad.png,train\nb.png,val\n"))


def test_between_two_manifests_unreadable_pictures_are_passed_over(folder):
    (folder / "bad.png").write_bytes(b"not a picture")
    first = load(folder, "image\nbad.png\nb.png\n")
    second = load(folder, "image\nc.png\nbad.png\nb.png\n")
    (leak,) = check_leakage(first, second)
    assert leak.second.name == "b.png"


def test_training_leaves_out_what_it_cannot_read_unless_it_has_a_label(folder):
    (folder / "bad.png").write_bytes(b"not a picture")
    said = []
    unlabelled = load(folder, "image\nb.png\nbad.png\nc.png\n")
    spec = PreprocessSpec()
    assert len(load_framed(unlabelled, spec, "whole", said.append)) == 2
    assert len(said) == 1 and "bad.png" in said[0] and said[0].startswith("left out")
    with pytest.raises(UsageError, match=r"cannot train on .*bad\.png"):
        load_framed(load(folder, "image,score\nb.png,0.5\nbad.png,0.4\n"), spec, "whole")


def test_thumbnails_correlate():
    a, b = (np.asarray(picture(seed, (64, 64))) for seed in (1, 2))
    grey = [np.asarray(Image.fromarray(x).convert("L").reduce(2), float).ravel() for x in (a, b)]
    assert thumbnail(a) @ thumbnail(b) == pytest.approx(np.corrcoef(*grey)[0, 1], abs=0.01)
    assert thumbnail(a) @ thumbnail(a) == pytest.approx(1)
    assert not thumbnail(np.full((9, 9, 3), 7, np.uint8)).any()


def test_unlabelled_lists_remember_where_a_picture_is_from(folder):
    one = load(folder, "image,split\n000012.png,train\nb.png,val\n")
    two = replace(load(folder, "image\nb.png\n000012.png\n"), source=folder / "two.csv")
    both = join_unlabelled([one, two])
    assert [path.name for path in both.paths] == ["000012.png", "b.png"]
    assert both.groups["manifest"] == (one.name, f"{folder.name}/two.csv")
    assert describe([both, two.take([0])]) == [
        {"manifest": one.name, "pictures": 1},
        {"manifest": two.name, "pictures": 2},
    ]
