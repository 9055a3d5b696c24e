"""PIQ23 (Chahine et al., CVPR 2023): portraits of 50 scenes, rated scene by scene."""

from __future__ import annotations

from pathlib import Path

from facegauge.data.datasets.annotations import (
    SPLITS,
    Annotations,
    DatasetFormat,
    DatasetOptions,
    LabelledPicture,
)
from facegauge.data.datasets.label_files import parse_label, read_csv_rows
from facegauge.errors import UsageError

ATTRIBUTES = ("Overall", "Details", "Exposure")
SPLIT_SOURCE = "to be copied from the same path in the repository DXOMARK-Research/PIQ2023"


def read_piq23(folder: Path, options: DatasetOptions) -> Annotations:
    """Read `Scores_<Attribute>.csv` and the official split's file.

    Raises:
        UsageError: the attribute is unknown, or a label file cannot be read or is incomplete.
    """
    if options.attribute not in ATTRIBUTES:
        raise UsageError(
            f"expected --attribute to be one of {', '.join(ATTRIBUTES)}, got {options.attribute!r}"
        )
    by_scene = options.splits == "scene"
    score_file = folder / f"Scores_{options.attribute}.csv"
    split_file = folder / "Test split" / f"{'Scene' if by_scene else 'Device'} Split.csv"
    found = Annotations(picture_folders=[folder / options.attribute])
    contents = {score_file: "the labels", split_file: f"the official split, {SPLIT_SOURCE}"}
    found.missing_files.update({file: c for file, c in contents.items() if not file.is_file()})
    if found.missing_files:
        return found
    key = "SCENE" if by_scene else "IMAGE"
    splits = {row[key]: row["SPLIT"].lower() for row in read_csv_rows(split_file, [key, "SPLIT"])}
    rows = read_csv_rows(score_file, ["IMAGE PATH", "JOD", "IMAGE", "SCENE", "CONDITION"])
    for number, row in enumerate(rows, start=2):
        location = f"{score_file}, row {number}"
        if splits.get(row[key]) not in SPLITS:
            raise UsageError(
                f"{location}: {split_file} has no split Train or Test for {row[key]!r}"
            )
        path = folder / row["IMAGE PATH"].replace("\\", "/")
        groups = {"scene": row["SCENE"], "condition": row["CONDITION"]}
        label, split = parse_label(row["JOD"], location), splits[row[key]]
        found.pictures.append(LabelledPicture(path, label, split, row[key], groups, location))
    return found


PIQ23 = DatasetFormat(
    read_piq23,
    "Overall/, Details/, Exposure/, Scores_<Attribute>.csv, 'Test split/Device Split.csv'",
    scale=(-10.0, 10.0),
    splits=("device", "scene"),
)
