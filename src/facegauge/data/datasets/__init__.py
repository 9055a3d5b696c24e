"""Public data sets of rated faces as manifests: their layouts, splits and labels.

Labels are mapped to 0..1 by one straight line for the whole data set, never by the range of a
split: `(label - low) / (high - low)`.
"""

from __future__ import annotations

import csv
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facegauge.data.datasets.formats import FORMATS, Choices, Format, Item, drawn_share
from facegauge.data.manifests import Manifest, seen_from
from facegauge.errors import UsageError

TAKEN = ("image", "score", "split", "status")  # columns that mean something in a manifest

__all__ = ["FORMATS", "Choices", "DataSet", "read_dataset", "write_manifest"]


@dataclass(frozen=True, slots=True, eq=False)
class DataSet:
    """A data set's folder, compared with what its label files say.

    Attributes:
        name: a key of `FORMATS`.
        manifest: every labelled picture that is there, once.
        splits: pictures that the label files name, by split, there or not.
        absent: label files that are not there, and what they are for.
        missing: labelled pictures that are not there, with their split.
        repeated: rows that name a picture once more; the first one counts.
        strays: pictures that are there and have no label.
        notes: what a person should know of the splits.
    """

    name: str
    manifest: Manifest
    splits: dict[str, int]
    absent: dict[Path, str]
    missing: dict[Path, str]
    repeated: tuple[str, ...]
    strays: tuple[Path, ...]
    notes: tuple[str, ...]


def read_dataset(
    folder: str | os.PathLike[str], name: str, choices: Choices | None = None
) -> DataSet:
    """Read the folder of a public data set. No picture is opened.

    Raises:
        UsageError: the name or a choice is unknown; no label file is there, and which ones are
            expected where; a label file cannot be read, or a label lies outside the scale; none of
            the pictures is there.
    """
    source, choices = Path(folder), choices or Choices()
    if name not in FORMATS:
        raise UsageError(f"unknown data set {name!r}; there are {', '.join(FORMATS)}")
    form = FORMATS[name]
    _check_choices(name, form, choices)
    if not source.is_dir():
        raise UsageError(f"there is no folder {source}; expected {name}: {form.layout}")
    listing = form.read(source, choices)
    if not listing.items:
        lost = "".join(f"\n  {file}: {what}" for file, what in listing.absent.items())
        raise UsageError(
            f"{source} has no labels of {name}\nexpected: {form.layout}\nmissing:{lost}"
        )
    first: dict[Path, Item] = {}
    repeated = []
    for item in listing.items:
        if item.path in first:
            repeated.append(f"{item.row}: {item.path.name} again, first in {first[item.path].row}")
        first.setdefault(item.path, item)
    there = _names(listing.pictures)
    present = [item for path, item in first.items() if path in there or path.is_file()]
    if not present:
        raise UsageError(
            f"none of the {len(first)} pictures is there; the first: {next(iter(first))}"
        )
    splits = {path: item.split for path, item in first.items()}
    if "val" not in splits.values() and not listing.absent and choices.val:
        drawn = _drawn_val(first.values(), choices.val)
        splits |= drawn
        listing.notes.append(
            f"the data set has no val: we drew {len(drawn)} pictures of train for it "
            f"(--val {choices.val:g})"
        )
    found = {item.path for item in present}
    return DataSet(
        name,
        _manifest(source, present, splits, choices.scale or form.scale),
        dict(Counter(splits.values())),
        listing.absent,
        {path: split for path, split in splits.items() if path not in found},
        tuple(repeated),
        tuple(sorted(there - set(first))),
        tuple(listing.notes),
    )


def write_manifest(manifest: Manifest, file: str | os.PathLike[str]) -> None:
    """Write a manifest as CSV; paths are relative to the file's folder, so both can be moved.

    Raises:
        UsageError: the file exists, is no .csv, or its folder does not exist.
    """
    target = Path(file)
    if target.suffix.lower() != ".csv":
        raise UsageError(f"expected a file ending in .csv, got {target.name}")
    if target.exists():
        raise UsageError(f"{target} exists; choose another name or remove it")
    if not target.parent.is_dir():
        raise UsageError(f"there is no folder {target.parent} to write {target.name} to")
    columns: dict[str, Sequence[str]] = {
        "image": [seen_from(target.parent, path) for path in manifest.paths]
    }
    if manifest.scores is not None:
        columns["score"] = [f"{score:.6f}" for score in manifest.scores]
    if manifest.splits is not None:
        columns["split"] = manifest.splits
    columns |= manifest.groups
    try:
        with target.open("w", newline="", encoding="utf-8", errors="surrogateescape") as stream:
            writer = csv.writer(stream)
            writer.writerow(columns)
            writer.writerows(zip(*columns.values(), strict=True))
    except OSError as error:
        target.unlink(missing_ok=True)  # a part of a list looks like one
        raise UsageError(f"cannot write {target}: {error.strerror or error}") from error


def _check_choices(name: str, form: Format, choices: Choices) -> None:
    if choices.splits is not None and choices.splits not in form.splits:
        raise UsageError(f"{name} has the splits {', '.join(form.splits)}; got {choices.splits!r}")
    if choices.attribute != Choices().attribute and name != "piq23":
        raise UsageError(f"--attribute is of piq23 alone; got {choices.attribute!r} for {name}")
    if not 0 <= choices.val < 1:
        raise UsageError(f"the share of val is from 0 to below 1, got {choices.val}")
    if choices.scale is not None and not choices.scale[0] < choices.scale[1]:
        raise UsageError(f"a scale needs low < high, got {choices.scale}")


def _names(folders: Sequence[Path]) -> set[Path]:
    """Every picture in the folders, not in those below them."""
    from facegauge.images.discovery import SUFFIXES

    return {
        Path(entry.path)
        for folder in dict.fromkeys(folders)
        if folder.is_dir()
        for entry in os.scandir(folder)
        if entry.name.lower().endswith(SUFFIXES) and entry.is_file()
    }


def _drawn_val(items: Iterable[Item], share: float) -> dict[Path, str]:
    """The pictures of train that become val; what belongs together moves together."""
    return {
        item.path: "val"
        for item in items
        if item.split == "train" and drawn_share(item.together, "val") < share
    }


def _manifest(
    folder: Path, items: Sequence[Item], splits: dict[Path, str], scale: tuple[float, float]
) -> Manifest:
    low, high = scale
    for item in items:
        if not low <= item.label <= high:
            raise UsageError(
                f"{item.row}: expected a label from {low:g} to {high:g}, got {item.label:g}; "
                "another scale is given with --scale"
            )
    scores = (np.array([item.label for item in items]) - low) / (high - low)
    names = dict.fromkeys(name for item in items for name in item.groups if name not in TAKEN)
    groups = {name: tuple(item.groups.get(name, "") for item in items) for name in names}
    return Manifest(
        tuple(item.path for item in items),
        scores,
        tuple(splits[item.path] for item in items),
        groups,
        folder,
    )
