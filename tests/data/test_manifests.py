"""Manifests: what is read, what is refused and how."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from facegauge.data.manifests import join_unlabelled, load_manifest
from facegauge.errors import UsageError
from facegauge.faces.spec import PreprocessSpec
from facegauge.training.begin import describe
from facegauge.training.inputs.pictures import load_framed
from toys import load_list as load
from toys import write_manifest

CSV = "image,score,split,identity\n000012.png,0.25,train,7\nb.png,1,val,8\n"


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
        ("name,score\nb.png,0.5\n", "no column image or path; its columns are name, score"),
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
    with pytest.raises(UsageError, match=r"expected a .csv, .jsonl or .parquet file"):
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


def test_training_leaves_out_what_it_cannot_read_unless_it_has_a_label(folder, caplog):
    (folder / "bad.png").write_bytes(b"not a picture")
    unlabelled = load(folder, "image\nb.png\nbad.png\nc.png\n")
    spec = PreprocessSpec()
    assert len(load_framed(unlabelled, spec, "whole")) == 2
    (line,) = caplog.messages
    assert "bad.png" in line and line.startswith("left out")
    with pytest.raises(UsageError, match=r"cannot train on .*bad\.png"):
        load_framed(load(folder, "image,score\nb.png,0.5\nbad.png,0.4\n"), spec, "whole")


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


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_a_table_of_scores_is_a_manifest_of_its_largest_faces(folder, suffix, monkeypatch, caplog):
    monkeypatch.chdir(folder.parent)
    given = f"{folder.name}/000012.png"  # as it was given to `score`, in another folder
    file = folder / f"scores.{suffix}"
    rows = [
        {"path": given, "face": 0, "status": "ok", "score": 0.5},
        {"path": given, "face": 1, "status": "ok", "score": 0.1},
        {"path": "b.png", "face": 0, "status": "ok", "score": 0.25},
        {"path": "gone.png", "face": None, "status": "unreadable", "score": None},
    ]
    if suffix == "csv":
        write_manifest(file, [{k: "" if v is None else v for k, v in r.items()} for r in rows])
    else:
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    manifest = load_manifest(file)
    assert [path.name for path in manifest.paths] == ["000012.png", "b.png"]
    assert all(path.is_file() for path in manifest.paths)
    assert manifest.scores.tolist() == [0.5, 0.25]
    assert "a scorer gave them" in caplog.text


def test_a_table_without_any_score_is_refused(folder):
    with pytest.raises(UsageError, match="none of its 1 rows has a score"):
        load(folder, "image,status,score\nb.png,no_face,\n")


@pytest.mark.parametrize("mark", [";", "\t"])
def test_other_marks_between_cells(folder, mark):
    assert load(folder, f"image{mark}score\nb.png{mark}0.5\n").scores.tolist() == [0.5]
