"""GFIQA-20k (arXiv 2207.04904), which comes without splits."""

from __future__ import annotations

import random
from pathlib import Path

from facegauge.data.datasets.annotations import (
    SPLITS,
    Annotations,
    DatasetFormat,
    DatasetOptions,
    LabelledPicture,
)
from facegauge.data.datasets.cgfiqa import read_cgfiqa
from facegauge.data.datasets.label_files import hash_fraction, parse_label, read_csv_rows
from facegauge.errors import UsageError


def read_gfiqa(folder: Path, options: DatasetOptions) -> Annotations:
    """Read `mos_val_rating.csv` and `image/`, or the layout of the DSL-FIQA authors."""
    file = folder / "mos_val_rating.csv"
    if not file.is_file() and any((folder / split / "label.json").is_file() for split in SPLITS):
        if options.splits not in (None, "official"):
            raise UsageError(
                f"{folder} has its own splits; leave out --splits or use --splits official"
            )
        return read_cgfiqa(folder, options)
    found = Annotations(picture_folders=[folder / "image"])
    if not file.is_file():
        found.missing_files[file] = "the labels"
        return found
    if options.splits == "official":
        raise UsageError(f"{file} has no official splits; use --splits photo or --splits pyiqa")
    rows = read_csv_rows(file, ["img_name", "mos"])
    stems = [Path(row["img_name"]).stem for row in rows]
    photos = [stem.rpartition("_")[0] or stem for stem in stems]
    if options.splits == "pyiqa":
        splits = _pyiqa_splits(len(rows))
        found.notes.append("splits of pyiqa: faces of one photo may be in several splits")
    else:
        splits = [_photo_split(photo) for photo in photos]
    for number, (row, photo, split) in enumerate(zip(rows, photos, splits, strict=True), start=2):
        location = f"{file}, row {number}"
        groups = {name: row[name] for name in row if name not in ("img_name", "mos")}
        groups["photo"] = photo
        path = folder / "image" / row["img_name"]
        label = parse_label(row["mos"], location)
        found.pictures.append(LabelledPicture(path, label, split, photo, groups, location))
    return found


def _photo_split(photo: str) -> str:
    """Our split: about 70 %, 10 % and 20 % of the photos, with all faces of a photo together."""
    fraction = hash_fraction(photo, "gfiqa-20k")
    return "train" if fraction < 0.7 else "val" if fraction < 0.8 else "test"


def _pyiqa_splits(count: int) -> list[str]:
    """The first of IQA-PyTorch's ten random splits (seed 123), for rows in the file's order."""
    order = list(range(count))
    random.Random(123).shuffle(order)
    train = int(count * 0.7)
    splits = ["test"] * count
    for position, row in enumerate(order[: train + int(count * 0.1)]):
        splits[row] = "train" if position < train else "val"
    return splits


GFIQA = DatasetFormat(
    read_gfiqa,
    "image/*.png and mos_val_rating.csv, or {train,val,test}/img/*.png and label.json",
    splits=("photo", "pyiqa", "official"),
)
