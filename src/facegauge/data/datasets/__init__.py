"""Public data sets of rated faces as manifests: layouts, splits and labels.

Labels are mapped to 0..1 by one linear map for the whole data set, `(label - low) / (high - low)`,
and never by the range of a split.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facegauge.data.datasets.annotations import DatasetFormat, DatasetOptions, LabelledPicture
from facegauge.data.datasets.cgfiqa import CGFIQA
from facegauge.data.datasets.gfiqa import GFIQA
from facegauge.data.datasets.label_files import hash_fraction
from facegauge.data.datasets.piq23 import PIQ23
from facegauge.data.datasets.vquala import VQUALA
from facegauge.data.list_files import write_csv
from facegauge.data.manifests import Manifest, relative_path
from facegauge.errors import UsageError
from facegauge.outputs import check_output

FORMATS: dict[str, DatasetFormat] = {
    "cgfiqa-40k": CGFIQA,
    "gfiqa-20k": GFIQA,
    "piq23": PIQ23,
    "vquala-2025": VQUALA,
}

RESERVED = ("image", "score", "split", "status")  # column names with a meaning in manifests

__all__ = ["FORMATS", "DataSet", "DatasetOptions", "read_dataset", "write_manifest"]


@dataclass(frozen=True, slots=True, eq=False)
class DataSet:
    """A data set's folder, compared with its label files.

    Attributes:
        name: a key of `FORMATS`.
        manifest: every labelled picture that exists on disk, once.
        labelled: number of pictures in the label files by split, whether they exist or not.
        missing_files: label files that do not exist, and what they contain.
        missing_pictures: labelled pictures that do not exist, with their split.
        duplicates: messages on rows that list a picture again; the first row is used.
        unlabelled: pictures on disk without a label.
        notes: remarks on the splits for the user.
    """

    name: str
    manifest: Manifest
    labelled: dict[str, int]
    missing_files: dict[Path, str]
    missing_pictures: dict[Path, str]
    duplicates: tuple[str, ...]
    unlabelled: tuple[Path, ...]
    notes: tuple[str, ...]


def read_dataset(
    folder: str | os.PathLike[str], name: str, options: DatasetOptions | None = None
) -> DataSet:
    """Read the label files of a public data set and find its pictures. No picture is opened.

    Args:
        folder: the data set's folder, in the layout of its authors.
        name: a key of `FORMATS`.
        options: default: `DatasetOptions()`.

    Raises:
        UsageError: the name or an option is not valid; the folder has no label file (the message
            lists the expected ones); a label file cannot be read; a label is outside the scale; or
            none of the pictures exists.
    """
    source, options = Path(folder), options or DatasetOptions()
    if name not in FORMATS:
        raise UsageError(f"unknown data set {name!r}; expected one of {', '.join(FORMATS)}")
    dataset_format = FORMATS[name]
    _check_options(name, dataset_format, options)
    if not source.is_dir():
        raise UsageError(f"no folder {source}; expected {name}: {dataset_format.layout}")
    annotations = dataset_format.read(source, options)
    if not annotations.pictures:
        missing = ", ".join(f"{file} ({what})" for file, what in annotations.missing_files.items())
        raise UsageError(
            f"{source} has no labels of {name}; expected {dataset_format.layout}; missing {missing}"
        )
    labelled: dict[Path, LabelledPicture] = {}
    duplicates = []
    for picture in annotations.pictures:
        first = labelled.setdefault(picture.path, picture)
        if first is not picture:
            duplicates.append(
                f"{picture.location}: {picture.path.name} again, first in {first.location}"
            )
    on_disk = _list_pictures(annotations.picture_folders)
    existing = [p for path, p in labelled.items() if path in on_disk or path.is_file()]
    if not existing:
        raise UsageError(
            f"none of the {len(labelled)} pictures exists; the first is {next(iter(labelled))}"
        )
    splits = {path: picture.split for path, picture in labelled.items()}
    if "val" not in splits.values() and not annotations.missing_files and options.val:
        drawn = _draw_val(labelled.values(), options.val)
        splits |= drawn
        annotations.notes.append(
            f"the data set has no val split; {len(drawn)} pictures of train were drawn for it "
            f"(--val {options.val:g})"
        )
    existing_paths = {picture.path for picture in existing}
    return DataSet(
        name,
        _manifest(source, existing, splits, options.scale or dataset_format.scale),
        dict(Counter(splits.values())),
        annotations.missing_files,
        {path: split for path, split in splits.items() if path not in existing_paths},
        tuple(duplicates),
        tuple(sorted(on_disk - set(labelled))),
        tuple(annotations.notes),
    )


def write_manifest(
    manifest: Manifest,
    file: str | os.PathLike[str],
    *,
    excel: bool = False,
    overwrite: bool = False,
) -> None:
    """Write a manifest as CSV, with paths relative to the file's folder so that both can move.

    Args:
        manifest: the pictures, with or without scores and splits.
        file: the .csv file to create.
        excel: for spreadsheets, see `tables.cells`.
        overwrite: replace the file if it is there.

    Raises:
        UsageError: the file exists, does not end in .csv, or cannot be written.
    """
    target = Path(file)
    check_output(target, suffixes=(".csv",), overwrite=overwrite)
    columns: dict[str, Sequence[str]] = {
        "image": [relative_path(path, target.parent) for path in manifest.paths]
    }
    if manifest.scores is not None:
        columns["score"] = [f"{score:.6f}" for score in manifest.scores]
    if manifest.splits is not None:
        columns["split"] = manifest.splits
    columns |= manifest.groups
    try:
        write_csv(target, columns, excel=excel)
    except OSError as error:
        raise UsageError(f"cannot write {target}: {error.strerror or error}") from error


def _check_options(name: str, dataset_format: DatasetFormat, options: DatasetOptions) -> None:
    allowed = dataset_format.splits
    if options.splits is not None and options.splits not in allowed:
        raise UsageError(
            f"expected --splits of {name} to be one of {', '.join(allowed)}, got {options.splits!r}"
        )
    if options.attribute != DatasetOptions().attribute and name != "piq23":
        raise UsageError(f"--attribute applies to piq23 only, got {options.attribute!r} for {name}")
    if not 0 <= options.val < 1:
        raise UsageError(f"expected --val to be at least 0 and below 1, got {options.val}")
    if options.scale is not None and not options.scale[0] < options.scale[1]:
        raise UsageError(f"expected --scale LOW,HIGH with LOW < HIGH, got {options.scale}")


def _list_pictures(folders: Sequence[Path]) -> set[Path]:
    """All pictures directly in the folders."""
    from facegauge.images.discovery import SUFFIXES

    return {
        Path(entry.path)
        for folder in dict.fromkeys(folders)
        if folder.is_dir()
        for entry in os.scandir(folder)
        if entry.name.lower().endswith(SUFFIXES) and entry.is_file()
    }


def _draw_val(pictures: Iterable[LabelledPicture], fraction: float) -> dict[Path, str]:
    """The pictures of train that move to val; pictures of one unit move together."""
    return {
        picture.path: "val"
        for picture in pictures
        if picture.split == "train" and hash_fraction(picture.split_unit, "val") < fraction
    }


def _manifest(
    folder: Path,
    pictures: Sequence[LabelledPicture],
    splits: dict[Path, str],
    scale: tuple[float, float],
) -> Manifest:
    low, high = scale
    for picture in pictures:
        if not low <= picture.label <= high:
            raise UsageError(
                f"{picture.location}: expected a label from {low:g} to {high:g}, "
                f"got {picture.label:g}; use --scale for another range"
            )
    scores = (np.array([picture.label for picture in pictures]) - low) / (high - low)
    names = dict.fromkeys(name for p in pictures for name in p.groups if name not in RESERVED)
    groups = {name: tuple(p.groups.get(name, "") for p in pictures) for name in names}
    return Manifest(
        tuple(picture.path for picture in pictures),
        scores,
        tuple(splits[picture.path] for picture in pictures),
        groups,
        folder,
    )
