"""Public data sets, on tiny folders of the same layout: labels, splits and missing files."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facegauge.data.datasets import FORMATS, DatasetOptions, read_dataset, write_manifest
from facegauge.data.datasets.check import check_pictures
from facegauge.data.manifests import Manifest, load_manifest
from facegauge.errors import UsageError
from facegauge.faces.dense_landmarks import landmark_path

PIQ_HEAD = (
    "IMAGE PATH,JOD,JOD STD,CI LOW,CI HIGH,CI RANGE,QUALITY LEVEL,CLUSTER,TOTAL COMPARISONS,"
    "IMAGE,SCENE,ATTRIBUTE,SCENE IDX,CONDITION"
)


def save(path: Path, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (16, 12, 3), np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def labels(file: Path, names: list[str], mos: list[object], **more: list[object]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"Image": names, "MOS": mos, **more}), encoding="utf-8")


@pytest.fixture
def cgfiqa(tmp_path: Path) -> Path:
    """Two pictures in train, one in val and one in test, with groups and one landmark file."""
    seed = 0
    for part, names in (("train", ["000.png", "b.png"]), ("val", ["c.png"]), ("test", ["d.png"])):
        mos = [round(0.1 + 0.2 * k, 1) for k in range(len(names))]
        gender = ["f", "m"][: len(names)]
        labels(tmp_path / part / "label.json", names, mos, Gender=gender)
        for name in names:
            save(tmp_path / part / "img" / name, seed := seed + 1)
    marks = landmark_path(tmp_path / "train" / "img" / "b.png")
    marks.parent.mkdir()
    np.save(marks, np.zeros((68, 2)))
    return tmp_path


def test_cgfiqa_has_its_own_splits_and_groups(cgfiqa: Path) -> None:
    found = read_dataset(cgfiqa, "cgfiqa-40k")
    manifest = found.manifest
    assert [path.name for path in manifest.paths] == ["000.png", "b.png", "c.png", "d.png"]
    assert manifest.splits == ("train", "train", "val", "test")
    assert manifest.labels().tolist() == pytest.approx([0.1, 0.3, 0.1, 0.1])
    assert manifest.groups == {"gender": ("f", "m", "f", "f")}
    assert found.labelled == {"train": 2, "val": 1, "test": 1}
    assert not (
        found.missing_files
        or found.missing_pictures
        or found.duplicates
        or found.unlabelled
        or found.notes
    )


def test_what_is_not_text_is_named(cgfiqa: Path) -> None:
    (cgfiqa / "train" / "label.json").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match=r"cannot read .*train/label.json as UTF-8"):
        read_dataset(cgfiqa, "cgfiqa-40k")


def test_an_attribute_is_piq23s_alone(cgfiqa: Path) -> None:
    with pytest.raises(UsageError, match="--attribute applies to piq23 only, got 'Details'"):
        read_dataset(cgfiqa, "cgfiqa-40k", DatasetOptions(attribute="Details"))


def test_labels_are_never_scaled_by_the_range_of_a_split(cgfiqa: Path) -> None:
    labels(cgfiqa / "val" / "label.json", ["c.png"], [80])
    labels(cgfiqa / "test" / "label.json", ["d.png"], [20])
    with pytest.raises(UsageError, match=r"val/label.json, entry 0: expected a label from 0 to 1"):
        read_dataset(cgfiqa, "cgfiqa-40k")
    found = read_dataset(cgfiqa, "cgfiqa-40k", DatasetOptions(scale=(0, 100)))
    assert found.manifest.labels().tolist() == pytest.approx([0.001, 0.003, 0.8, 0.2])


def test_what_is_missing_is_told_apart(cgfiqa: Path) -> None:
    (cgfiqa / "train" / "img" / "b.png").unlink()
    (cgfiqa / "val" / "label.json").unlink()
    save(cgfiqa / "test" / "img" / "extra.png")
    names = ["000.png", "b.png", "000.png"]
    labels(cgfiqa / "train" / "label.json", names, [0.1, 0.2, 0.9])
    found = read_dataset(cgfiqa, "cgfiqa-40k")
    assert found.missing_files == {cgfiqa / "val" / "label.json": "labels of the val split"}
    assert found.missing_pictures == {cgfiqa / "train" / "img" / "b.png": "train"}
    assert len(found.duplicates) == 1 and "entry 2: 000.png again" in found.duplicates[0]
    assert {path.name for path in found.unlabelled} == {"c.png", "extra.png"}
    assert found.labelled == {"train": 2, "test": 1}  # and no val of ours in place of the lost one
    assert found.manifest.labels().tolist() == pytest.approx([0.1, 0.1])


def test_a_folder_of_something_else(cgfiqa: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("other")
    with pytest.raises(UsageError) as caught:
        read_dataset(other, "cgfiqa-40k")
    assert all(str(other / part / "label.json") in str(caught.value) for part in ("train", "test"))
    with pytest.raises(UsageError, match="no folder"):
        read_dataset(other / "none", "piq23")
    with pytest.raises(UsageError, match=f"expected one of {', '.join(FORMATS)}"):
        read_dataset(other, "koniq")
    for file in (cgfiqa / "train" / "img").iterdir():
        file.unlink()
    for part in ("val", "test"):
        (cgfiqa / part / "label.json").unlink()
    with pytest.raises(UsageError, match=r"none of the 2 pictures exists; the first is .*000.png"):
        read_dataset(cgfiqa, "cgfiqa-40k")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not JSON"),
        ("[1]", "has no labels; expected"),
        ('{"Image": ["000.png"]}', "has no labels; expected"),
        ('{"Image": ["000.png"], "MOS": []}', "lists of unequal length"),
        ('{"Image": ["000.png"], "MOS": 3}', "lists of unequal length"),
        ('{"Image": ["000.png"], "MOS": ["good"]}', "entry 0: expected a number as label"),
        ('{"Image": ["000.png"], "MOS": [NaN]}', "entry 0: expected a label from 0 to 1, got nan"),
    ],
)
def test_broken_labels_are_named(cgfiqa: Path, text: str, message: str) -> None:
    (cgfiqa / "train" / "label.json").write_text(text)
    with pytest.raises(UsageError, match=message):
        read_dataset(cgfiqa, "cgfiqa-40k")


@pytest.fixture
def gfiqa(tmp_path: Path) -> Path:
    """60 photos, of two faces each."""
    names = [f"63014{photo}_{face}.png" for photo in range(60) for face in (0, 1)]
    rows = [f"{name},{0.2 + 0.005 * k:.3f}" for k, name in enumerate(names)]
    (tmp_path / "mos_val_rating.csv").write_text("img_name,mos\n" + "\n".join(rows) + "\n\n")
    for name in names:
        save(tmp_path / "image" / name)
    return tmp_path


def test_gfiqa_without_photos_in_its_names_is_split_all_the_same(tmp_path: Path) -> None:
    names = [f"{k:05}.png" for k in range(100)]
    rows = "".join(f"{name},0.5\n" for name in names)
    (tmp_path / "mos_val_rating.csv").write_text(f"img_name,mos\n{rows}")
    save(tmp_path / "image" / names[0])
    assert set(read_dataset(tmp_path, "gfiqa-20k").labelled) == {"train", "val", "test"}


def test_gfiqa_keeps_the_faces_of_a_photo_together(gfiqa: Path) -> None:
    found = read_dataset(gfiqa, "gfiqa-20k")
    splits = defaultdict(set)
    for photo, split in zip(
        found.manifest.group("photo"), found.manifest.splits or (), strict=True
    ):
        splits[photo].add(split)
    assert len(splits) == 60 and all(len(parts) == 1 for parts in splits.values())
    assert found.labelled["train"] > 60 and found.labelled["val"] > 0 and found.labelled["test"] > 0
    assert found.manifest.labels()[:2].tolist() == pytest.approx([0.2, 0.205])

    # whoever is missing, nobody else changes sides
    text = (gfiqa / "mos_val_rating.csv").read_text().splitlines()
    (gfiqa / "mos_val_rating.csv").write_text("\n".join([text[0], *text[21:]]))
    fewer = read_dataset(gfiqa, "gfiqa-20k").manifest
    assert fewer.splits == (found.manifest.splits or ())[20:]


def test_gfiqa_has_the_split_of_pyiqa_too(gfiqa: Path) -> None:
    found = read_dataset(gfiqa, "gfiqa-20k", DatasetOptions(splits="pyiqa"))
    assert found.labelled == {"train": 84, "val": 12, "test": 24}
    random.seed(123)
    rows = list(range(120))
    random.shuffle(rows)
    splits = found.manifest.splits or ()
    assert {splits[row] for row in rows[:84]} == {"train"}
    assert {splits[row] for row in rows[84:96]} == {"val"}
    assert any("photo" in note for note in found.notes)


def test_gfiqa_in_the_other_layout(cgfiqa: Path) -> None:
    assert read_dataset(cgfiqa, "gfiqa-20k").labelled == {"train": 2, "val": 1, "test": 1}
    with pytest.raises(UsageError, match="has its own splits"):
        read_dataset(cgfiqa, "gfiqa-20k", DatasetOptions(splits="pyiqa"))


def test_gfiqa_without_its_own_splits(gfiqa: Path) -> None:
    with pytest.raises(
        UsageError, match="has no official splits; use --splits photo or --splits pyiqa"
    ):
        read_dataset(gfiqa, "gfiqa-20k", DatasetOptions(splits="official"))
    (gfiqa / "mos_val_rating.csv").write_text("name,mos\na.png,1\n")
    with pytest.raises(UsageError, match="no column img_name; its columns are name, mos"):
        read_dataset(gfiqa, "gfiqa-20k")


@pytest.fixture
def piq23(tmp_path: Path) -> Path:
    """Four pictures of two scenes; names, backslashes and columns as handed out."""
    rows = [
        ("0_Indoor_Scene_0.jpg", -4.0, "Indoor_Scene_0", "Indoor", "Train"),
        ("1_Indoor_Scene_0.JPG", 2.5, "Indoor_Scene_0", "Indoor", "Test"),
        ("2_Night_Scene_28.tiff", 0.0, "Night_Scene_28", "Night", "Train"),
        ("3_Night_Scene_28.jpeg", 1.0, "Night_Scene_28", "Night", "Test"),
    ]
    lines = [PIQ_HEAD]
    for name, jod, scene, condition, _ in rows:
        save(tmp_path / "Details" / name)
        more = f"0.4,-5,5,1.5,0,-1.0,143.0,{name},{scene},Details,0,{condition}"
        lines.append(f"Details\\{name},{jod},{more}")
    (tmp_path / "Scores_Details.csv").write_text("\n".join(lines) + "\n")
    folder = tmp_path / "Test split"
    folder.mkdir()
    device = [f"{name},{split}" for name, *_, split in rows]
    (folder / "Device Split.csv").write_text("\n".join(["IMAGE,SPLIT", *device]))
    scenes = "SCENE,SPLIT,NB IMAGES\nIndoor_Scene_0,Train,2\nNight_Scene_28,Test,2\n"
    (folder / "Scene Split.csv").write_text(scenes)
    return tmp_path


def test_piq23_by_device_and_by_scene(piq23: Path) -> None:
    found = read_dataset(piq23, "piq23", DatasetOptions(attribute="Details", val=0))
    assert found.manifest.splits == ("train", "test", "train", "test")
    # (JOD + 10) / 20
    assert found.manifest.labels().tolist() == pytest.approx([0.3, 0.625, 0.5, 0.55])
    assert found.manifest.group("condition") == ("Indoor", "Indoor", "Night", "Night")
    assert found.manifest.group("scene")[2] == "Night_Scene_28"
    found = read_dataset(piq23, "piq23", DatasetOptions("scene", "Details", val=0))
    assert found.manifest.splits == ("train", "train", "test", "test")


def test_piq23_says_what_it_needs_and_where(piq23: Path) -> None:
    with pytest.raises(UsageError, match=r"missing .*Scores_Overall.csv \(the labels\)"):
        read_dataset(piq23, "piq23")
    with pytest.raises(UsageError, match="one of Overall, Details, Exposure, got 'Beauty'"):
        read_dataset(piq23, "piq23", DatasetOptions(attribute="Beauty"))
    with pytest.raises(
        UsageError, match="expected --splits of piq23 to be one of device, scene, got 'person'"
    ):
        read_dataset(piq23, "piq23", DatasetOptions("person", "Details"))
    (piq23 / "Test split" / "Scene Split.csv").write_text("SCENE,SPLIT\nIndoor_Scene_0,Train\n")
    with pytest.raises(UsageError, match=r"row 4: .* has no split .* for 'Night_Scene_28'"):
        read_dataset(piq23, "piq23", DatasetOptions("scene", "Details"))
    (piq23 / "Test split" / "Device Split.csv").unlink()
    with pytest.raises(
        UsageError, match=r"Device Split.csv .the official split, to be copied from"
    ):
        read_dataset(piq23, "piq23", DatasetOptions(attribute="Details"))


def vquala(folder: Path, header: bool, people: bool) -> Path:
    names = [f"{number:06d}" for number in range(80)]
    rows = [f"{name},{0.3 + 0.001 * k:.4f}" for k, name in enumerate(names)]
    text = "\n".join(["Image_name,MOS", *rows] if header else rows)
    (folder / "train.csv").write_text(text + "\n")
    for name in names:
        save(folder / "train" / f"{name}.png")
    if people:
        lines = [f"{name}.jpg {k // 2}" for k, name in enumerate(names)]
        (folder / "identity_CelebA.txt").write_text("\n".join(lines))
    return folder


@pytest.mark.parametrize("header", [True, False])
def test_vquala_keeps_zeros_and_people_together(tmp_path: Path, header: bool) -> None:
    found = read_dataset(
        vquala(tmp_path, header, people=True), "vquala-2025", DatasetOptions(val=0.3)
    )
    manifest = found.manifest
    assert manifest.paths[7] == tmp_path / "train" / "000007.png"
    assert manifest.labels()[7] == pytest.approx(0.307)
    sides = defaultdict(set)
    for person, split in zip(manifest.group("identity"), manifest.splits or (), strict=True):
        sides[person].add(split)
    assert len(sides) == 40 and all(len(splits) == 1 for splits in sides.values())
    assert 8 <= found.labelled["val"] <= 40 and found.labelled["train"] >= 40
    drawn = f"{found.labelled['val']} pictures of train were drawn for it (--val 0.3)"
    assert found.notes == (f"the data set has no val split; {drawn}",)


def test_vquala_without_people_says_so_and_reads_val_where_it_is(tmp_path: Path) -> None:
    vquala(tmp_path, header=True, people=False)
    save(tmp_path / "val" / "z00001.png")
    (tmp_path / "val.csv").write_text("z00001,0.5\n")
    found = read_dataset(tmp_path, "vquala-2025")
    assert found.labelled == {"train": 80, "val": 1} and found.manifest.groups == {}
    assert len(found.notes) == 1 and "identity_CelebA.txt" in found.notes[0]
    (tmp_path / "train.csv").write_text("Image_name,MOS\n000001,0.4,1\n")
    with pytest.raises(UsageError, match="row 2: expected 2 fields, got 3"):
        read_dataset(tmp_path, "vquala-2025")


@pytest.mark.parametrize(
    "options", [DatasetOptions(val=1), DatasetOptions(val=-0.1), DatasetOptions(scale=(1, 0))]
)
def test_options_that_make_no_sense(cgfiqa: Path, options: DatasetOptions) -> None:
    with pytest.raises(UsageError, match=r"at least 0 and below 1|LOW < HIGH"):
        read_dataset(cgfiqa, "cgfiqa-40k", options)


def test_pictures_are_opened_and_compared(cgfiqa: Path) -> None:
    assert check_pictures(read_dataset(cgfiqa, "cgfiqa-40k")).landmarks == 1
    folder = cgfiqa / "train"
    (folder / "img" / "000.png").write_bytes(b"no picture")
    (cgfiqa / "val" / "img" / "c.png").write_bytes((cgfiqa / "test" / "img" / "d.png").read_bytes())
    np.save(folder / "landmark" / "b.npy", np.zeros(3))
    seen = []
    check = check_pictures(
        read_dataset(cgfiqa, "cgfiqa-40k"),
        lambda checks: (seen.append(1) or check for check in checks),
    )
    assert set(check.unreadable) == {folder / "img" / "000.png", folder / "landmark" / "b.npy"}
    assert check.identical == (
        (cgfiqa / "val" / "img" / "c.png", cgfiqa / "test" / "img" / "d.png"),
    )
    assert len(seen) == 4


def test_the_manifest_can_be_read_again_from_another_folder(cgfiqa: Path, tmp_path: Path) -> None:
    found = read_dataset(cgfiqa, "cgfiqa-40k").manifest
    (tmp_path / "lists").mkdir()
    file = tmp_path / "lists" / "labels.csv"
    write_manifest(found, file)
    again = load_manifest(file)
    assert [path.resolve() for path in again.paths] == [path.resolve() for path in found.paths]
    assert again.labels().tolist() == pytest.approx(found.labels().tolist())
    assert again.splits == found.splits and again.groups == found.groups
    assert str(tmp_path) not in file.read_text()
    link = tmp_path / "link.png"
    link.symlink_to(found.paths[0])
    write_manifest(Manifest((link,), None, None), tmp_path / "lists" / "links.csv")
    assert "../link.png" in (tmp_path / "lists" / "links.csv").read_text()
    for target, message in (
        (file, "exists: replace it with --overwrite, or choose another"),
        (tmp_path / "labels.txt", "that ends in .csv"),
    ):
        with pytest.raises(UsageError, match=message):
            write_manifest(found, target)
    write_manifest(found, tmp_path / "made" / "labels.csv")
    assert (tmp_path / "made" / "labels.csv").is_file()
