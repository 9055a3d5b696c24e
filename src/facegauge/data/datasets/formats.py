"""How the public data sets lie on disk: one function a format, from a folder to a listing."""

from __future__ import annotations

import csv
import hashlib
import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from facegauge.errors import UsageError

ATTRIBUTES = ("Overall", "Details", "Exposure")
PARTS = ("train", "val", "test")
PIQ23_HOME = "it is in the data set's repository, DXOMARK-Research/PIQ2023, in the same place"


@dataclass(frozen=True, slots=True)
class Choices:
    """What a person may choose where a data set has more than one of something.

    Attributes:
        splits: name of a way to split; None: the format's first.
        attribute: of PIQ23.
        val: share of the training pictures that becomes val where the data set has none.
        scale: the labels that become 0 and 1; None: the format's own.
    """

    splits: str | None = None
    attribute: str = ATTRIBUTES[0]
    val: float = 0.1
    scale: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """One labelled picture, which may be missing on disk.

    Attributes:
        path: where it should be.
        label: as the data set has it, before the map to 0..1.
        split: train, val or test.
        together: pictures with the same value stay in one split where we draw a val split.
        groups: other columns.
        row: where the label stands, for errors.
    """

    path: Path
    label: float
    split: str
    together: str
    groups: Mapping[str, str]
    row: str


@dataclass(frozen=True, slots=True)
class Listing:
    """What the label files of a folder say.

    Attributes:
        items: in the files' order.
        absent: label files that the data set has and the folder lacks, and what they are for.
        pictures: folders in which the pictures lie.
        notes: what a person should know of the splits.
    """

    items: list[Item] = field(default_factory=list)
    absent: dict[Path, str] = field(default_factory=dict)
    pictures: list[Path] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Format:
    """A data set as it is handed out.

    Attributes:
        read: folder and choices to listing.
        layout: what is expected, for people.
        scale: the labels that become 0 and 1.
        published: pictures of each split, as published; empty where the split is ours or a choice.
        splits: names of the ways to split, the default first.
    """

    read: Callable[[Path, Choices], Listing]
    layout: str
    scale: tuple[float, float] = (0.0, 1.0)
    published: Mapping[str, int] = field(default_factory=dict)
    splits: Sequence[str] = ("official",)


def read_dsl(folder: Path, choices: Choices) -> Listing:
    """The layout of the DSL-FIQA authors, for CGFIQA-40k and for their copy of GFIQA-20k.

    Columns of `label.json` beside Image and MOS become groups.
    """
    listing = Listing(pictures=[folder / part / "img" for part in PARTS])
    for part in PARTS:
        file = folder / part / "label.json"
        if not file.is_file():
            listing.absent[file] = f"labels of the {part} split"
            continue
        columns = _json_columns(file)
        groups = [name for name in columns if name not in ("Image", "MOS")]
        for number, (image, mos) in enumerate(zip(columns["Image"], columns["MOS"], strict=True)):
            row = f"{file}, entry {number}"
            more = {name.lower(): str(columns[name][number]) for name in groups}
            path = folder / part / "img" / str(image)
            listing.items.append(Item(path, _number(mos, row), part, path.stem, more, row))
    return listing


def read_gfiqa(folder: Path, choices: Choices) -> Listing:
    """GFIQA-20k: `mos_val_rating.csv` and `image/`, or the layout of the DSL-FIQA authors."""
    file = folder / "mos_val_rating.csv"
    if not file.is_file() and any((folder / part / "label.json").is_file() for part in PARTS):
        if choices.splits not in (None, "official"):
            raise UsageError(f"{folder} has splits of its own; leave out --splits or say official")
        return read_dsl(folder, choices)
    listing = Listing(pictures=[folder / "image"])
    if not file.is_file():
        listing.absent[file] = "the labels"
        return listing
    if choices.splits == "official":
        raise UsageError(f"{file} has no splits; --splits is photo or pyiqa")
    rows = _csv_rows(file, ["img_name", "mos"])
    stems = [Path(row["img_name"]).stem for row in rows]
    photos = [stem.rpartition("_")[0] or stem for stem in stems]
    if choices.splits == "pyiqa":
        parts = _pyiqa(len(rows))
        listing.notes.append("splits of pyiqa: faces of one photo may be in more than one")
    else:
        parts = [_drawn(photo) for photo in photos]
    for number, (row, photo, part) in enumerate(zip(rows, photos, parts, strict=True), start=2):
        place = f"{file}, row {number}"
        more = {name: row[name] for name in row if name not in ("img_name", "mos")}
        path = folder / "image" / row["img_name"]
        label = _number(row["mos"], place)
        listing.items.append(Item(path, label, part, photo, {**more, "photo": photo}, place))
    return listing


def read_piq23(folder: Path, choices: Choices) -> Listing:
    """PIQ23: `Scores_<Attribute>.csv`, a folder of pictures, and the official split's file."""
    if choices.attribute not in ATTRIBUTES:
        raise UsageError(
            f"--attribute is one of {', '.join(ATTRIBUTES)}, got {choices.attribute!r}"
        )
    scene = choices.splits == "scene"
    scores = folder / f"Scores_{choices.attribute}.csv"
    split = folder / "Test split" / f"{'Scene' if scene else 'Device'} Split.csv"
    listing = Listing(pictures=[folder / choices.attribute])
    for file, what in ((scores, "the labels"), (split, f"the official split; {PIQ23_HOME}")):
        if not file.is_file():
            listing.absent[file] = what
    if listing.absent:
        return listing
    key = "SCENE" if scene else "IMAGE"
    parts = {row[key]: row["SPLIT"].lower() for row in _csv_rows(split, [key, "SPLIT"])}
    rows = _csv_rows(scores, ["IMAGE PATH", "JOD", "IMAGE", "SCENE", "CONDITION"])
    for number, row in enumerate(rows, start=2):
        place = f"{scores}, row {number}"
        if parts.get(row[key]) not in PARTS:
            raise UsageError(f"{place}: {split} has no split Train or Test for {row[key]!r}")
        path = folder / row["IMAGE PATH"].replace("\\", "/")
        groups = {"scene": row["SCENE"], "condition": row["CONDITION"]}
        label, part = _number(row["JOD"], place), parts[row[key]]
        together = row["SCENE"] if scene else row["IMAGE"]
        listing.items.append(Item(path, label, part, together, groups, place))
    return listing


def read_vquala(folder: Path, choices: Choices) -> Listing:
    """VQualA 2025: `train.csv` with or without a header, pictures in `train/`, or beside it.

    `val.csv` and `test.csv` are read where they are. With CelebA's `identity_CelebA.txt` in the
    folder, pictures have the group identity.
    """
    listing, celeba = Listing(), folder / "identity_CelebA.txt"
    people = _identities(celeba)
    if not people:
        listing.notes.append(f"without {celeba} a person may be in more than one split")
    for part in PARTS:
        file = folder / f"{part}.csv"
        if not file.is_file():
            if part == "train":
                listing.absent[file] = "the labels"
            continue
        place = folder / part if (folder / part).is_dir() else folder
        listing.pictures.append(place)
        for number, row in enumerate(_csv_lists(file, 2), start=1):
            if number == 1 and row == ["Image_name", "MOS"]:
                continue
            name, where = row[0], f"{file}, row {number}"
            known = Path(name).suffix.lower() in (".png", ".jpg", ".jpeg")
            path = place / (name if known else f"{name}.png")
            person = people.get(path.stem, "")
            groups = {"identity": person} if people else {}
            together = f"person {person}" if person else path.stem
            listing.items.append(Item(path, _number(row[1], where), part, together, groups, where))
    return listing


FORMATS: dict[str, Format] = {
    "cgfiqa-40k": Format(
        read_dsl,
        "{train,val,test}/img/*.png, {train,val,test}/label.json",
        published={"train": 27_518, "val": 3_931, "test": 7_863},
    ),
    "gfiqa-20k": Format(
        read_gfiqa,
        "image/*.png and mos_val_rating.csv, or {train,val,test}/img/*.png and label.json",
        splits=("photo", "pyiqa", "official"),
    ),
    "piq23": Format(
        read_piq23,
        "Overall/, Details/, Exposure/, Scores_<Attribute>.csv, 'Test split/Device Split.csv'",
        scale=(-10.0, 10.0),
        splits=("device", "scene"),
    ),
    "vquala-2025": Format(read_vquala, "train.csv and train/*.png"),
}


def drawn_share(name: str, salt: str) -> float:
    """A number 0..1 that depends on the name alone: who is in which split never changes."""
    digest = hashlib.sha256(f"{salt}/{name}".encode("utf-8", "surrogateescape")).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def _drawn(photo: str) -> str:
    """Our split of GFIQA-20k: 70, 10 and 20 of 100 photos, whole."""
    share = drawn_share(photo, "gfiqa-20k")
    return "train" if share < 0.7 else "val" if share < 0.8 else "test"


def _pyiqa(count: int) -> list[str]:
    """The first of IQA-PyTorch's ten random splits, seed 123, of rows in the file's order."""
    order = list(range(count))
    random.Random(123).shuffle(order)
    train = int(count * 0.7)
    parts = ["test"] * count
    for place, row in enumerate(order[: train + int(count * 0.1)]):
        parts[row] = "train" if place < train else "val"
    return parts


def _identities(file: Path) -> dict[str, str]:
    """CelebA's list, `000001.jpg 2880` a line: stem to person."""
    if not file.is_file():
        return {}
    people = {}
    for number, line in enumerate(_text(file).splitlines(), start=1):
        words = line.split()
        if words and len(words) != 2:
            raise UsageError(f"{file}, line {number}: expected a file and a number, got {line!r}")
        if words:
            people[Path(words[0]).stem] = words[1]
    return people


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read {file} as UTF-8 text: {error}") from error


def _json_columns(file: Path) -> dict[str, list[Any]]:
    try:
        columns = json.loads(_text(file))
    except ValueError as error:
        raise UsageError(f"{file} is not JSON: {error}") from error
    expected = 'expected {"Image": [...], "MOS": [...]}'
    if not isinstance(columns, dict) or not {"Image", "MOS"} <= set(columns):
        raise UsageError(f"{file} has no labels; {expected}")
    lengths = {
        name: len(values) if isinstance(values, list) else -1 for name, values in columns.items()
    }
    if len(set(lengths.values())) > 1 or -1 in lengths.values():
        raise UsageError(f"{file} holds lists of unequal length: {lengths}; {expected}")
    return columns


def _csv_lists(file: Path, fields: int | None = None) -> list[list[str]]:
    """Rows as lists of text; blank ones at the end are left out."""
    try:
        with file.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as stream:
            rows = [[cell.strip() for cell in row] for row in csv.reader(stream)]
    except csv.Error as error:
        raise UsageError(f"{file} is not a CSV file: {error}") from error
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror or error}") from error
    while rows and not any(rows[-1]):
        rows.pop()
    if not rows:
        raise UsageError(f"{file} is empty")
    count = fields or len(rows[0])
    for number, row in enumerate(rows, start=1):
        if len(row) != count:
            raise UsageError(f"{file}, row {number}: expected {count} fields, got {len(row)}")
    return rows


def _csv_rows(file: Path, needed: Sequence[str]) -> list[dict[str, str]]:
    """Rows by the names of their columns."""
    header, *rows = _csv_lists(file)
    lost = [name for name in needed if name not in header]
    if lost:
        raise UsageError(f"{file} has no column {lost[0]}; it has {', '.join(header)}")
    return [dict(zip(header, row, strict=True)) for row in rows]


def _number(text: object, where: str) -> float:
    try:
        return float(str(text))
    except ValueError:
        raise UsageError(f"{where}: expected a number as label, got {text!r}") from None
