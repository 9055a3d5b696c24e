"""The VQualA 2025 challenge's pictures, most of which are crops of CelebA."""

from __future__ import annotations

from pathlib import Path

from facegauge.data.datasets.annotations import (
    SPLITS,
    Annotations,
    DatasetFormat,
    DatasetOptions,
    LabelledPicture,
)
from facegauge.data.datasets.label_files import parse_label, read_csv_lists, read_text
from facegauge.errors import UsageError


def read_vquala(folder: Path, options: DatasetOptions) -> Annotations:
    """Read `train.csv`, with or without a header, and pictures in `train/` or beside the file.

    `val.csv` and `test.csv` are read if they exist. With CelebA's `identity_CelebA.txt` in the
    folder, pictures get the group `identity`.
    """
    found, celeba = Annotations(), folder / "identity_CelebA.txt"
    identities = _read_identities(celeba)
    if not identities:
        found.notes.append(f"without {celeba}, a person may be in several splits")
    for split in SPLITS:
        file = folder / f"{split}.csv"
        if not file.is_file():
            if split == "train":
                found.missing_files[file] = "the labels"
            continue
        pictures = folder / split if (folder / split).is_dir() else folder
        found.picture_folders.append(pictures)
        for number, row in enumerate(read_csv_lists(file, 2), start=1):
            if number == 1 and row == ["Image_name", "MOS"]:
                continue
            name, location = row[0], f"{file}, row {number}"
            has_suffix = Path(name).suffix.lower() in (".png", ".jpg", ".jpeg")
            path = pictures / (name if has_suffix else f"{name}.png")
            person = identities.get(path.stem, "")
            groups = {"identity": person} if identities else {}
            unit = f"person {person}" if person else path.stem
            label = parse_label(row[1], location)
            found.pictures.append(LabelledPicture(path, label, split, unit, groups, location))
    return found


def _read_identities(file: Path) -> dict[str, str]:
    """CelebA's list of identities (`000001.jpg 2880` in a line) as picture stem to identity."""
    if not file.is_file():
        return {}
    identities = {}
    for number, line in enumerate(read_text(file).splitlines(), start=1):
        words = line.split()
        if words and len(words) != 2:
            raise UsageError(f"{file}, line {number}: expected a file and a number, got {line!r}")
        if words:
            identities[Path(words[0]).stem] = words[1]
    return identities


VQUALA = DatasetFormat(read_vquala, "train.csv and train/*.png")
