"""What is read from a public data set: its layout on disk, options, and annotated pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

SPLITS = ("train", "val", "test")


@dataclass(frozen=True, slots=True)
class DatasetOptions:
    """Options for data sets that offer more than one version of something.

    Attributes:
        splits: name of the split protocol; None: the first one that the data set lists.
        attribute: the rated attribute, for PIQ23 only: Overall, Details or Exposure.
        val: fraction of the training pictures, 0 to below 1, that becomes the val split where
            the data set has no val split.
        scale: the labels (low, high) that become 0 and 1; None: those of the data set.
    """

    splits: str | None = None
    attribute: str = "Overall"
    val: float = 0.1
    scale: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class LabelledPicture:
    """One labelled picture. The file may be missing on disk.

    Attributes:
        path: where the picture is expected.
        label: as in the data set, before it is mapped to 0..1.
        split: train, val or test.
        split_unit: pictures with the same unit (one person, one scene) stay in one split where a
            val split is drawn from train.
        groups: further columns by name.
        location: file and row of the label, for error messages.
    """

    path: Path
    label: float
    split: str
    split_unit: str
    groups: Mapping[str, str]
    location: str


@dataclass(frozen=True, slots=True)
class Annotations:
    """What the label files of a folder list.

    Attributes:
        pictures: in the order of the files; a picture may be listed more than once.
        missing_files: label files that the folder lacks, and what they contain.
        picture_folders: folders that hold the pictures.
        notes: remarks on the splits for the user.
    """

    pictures: list[LabelledPicture] = field(default_factory=list)
    missing_files: dict[Path, str] = field(default_factory=dict)
    picture_folders: list[Path] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class DatasetFormat:
    """A public data set in the layout of its authors.

    Attributes:
        read: maps a folder and options to annotations.
        layout: the expected files, for error messages.
        scale: the labels (low, high) that become 0 and 1.
        published: published number of pictures by split; empty where it depends on an option.
        splits: names of the split protocols, the default first.
    """

    read: Callable[[Path, DatasetOptions], Annotations]
    layout: str
    scale: tuple[float, float] = (0.0, 1.0)
    published: Mapping[str, int] = field(default_factory=dict)
    splits: Sequence[str] = ("official",)
